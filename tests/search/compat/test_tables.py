"""Hypernets' own processes begin with the fixes, and its cache is one of these libraries."""

from __future__ import annotations

import pathlib

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypernets.tabular import drift_detection
from hypernets.tabular.cfg import TabularCfg

from tests.sessions import session_on


@pytest.mark.parametrize(
    "jobs",
    [
        pytest.param(1, id="this-process"),
        pytest.param(2, id="processes", marks=pytest.mark.processes),
    ],
)
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_drift_detection_finds_the_column_that_drifted(
    monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(TabularCfg, "joblib_njobs", jobs)
    rng = np.random.RandomState(0)
    train = pd.DataFrame({"still": rng.rand(200), "drifted": rng.rand(200)})
    test = pd.DataFrame({"still": rng.rand(200), "drifted": rng.rand(200) + 5})
    selector = drift_detection.FeatureSelectorWithDriftDetection(random_state=1, cv=3)
    remaining, _, scores = selector.select(train, test)
    assert remaining == ["still"]
    assert scores["drifted"] == pytest.approx(1.0)
    assert scores["still"] < 0.7


def test_cached_tables_are_kept_apart_by_versions(tmp_path: pathlib.Path) -> None:
    versions = f"{sklearn.__version__}-{pd.__version__}-{np.__version__}"
    with session_on(None, str(tmp_path), {"HYN_SEARCH_BACKEND": "standalone"}):
        from hypernets.tabular.cache import cache

        class Cached:
            @cache(arg_keys="X", attrs_to_restore="sums_")  # type: ignore[untyped-decorator]
            def fit_transform(self, X: pd.DataFrame) -> pd.DataFrame:
                self.sums_ = X.sum()
                return X * 2

        frame = pd.DataFrame({"a": [1, 2, 3]})
        assert Cached().fit_transform(frame)["a"].tolist() == [2, 4, 6]
    (kept,) = (tmp_path / "hypernets-cache").iterdir()
    assert kept.name == versions
