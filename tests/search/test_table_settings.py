"""What a script sets of Hypernets' work on tables holds on workers, and only for its searches."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypernets.tabular.cfg import TabularCfg

from hyn_k8s.search.table_settings import changed_settings, use_settings
from tests import searches
from tests.processes import DaskCluster
from tests.searches import ListSearcher, sample
from tests.sessions import search, session_on


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    use_settings({})


def test_as_hypernets_comes_nothing_is_changed() -> None:
    assert changed_settings() == {}


def test_what_a_script_set_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TabularCfg, "joblib_njobs", 2)
    monkeypatch.setattr(TabularCfg, "cache_dir", "mine")
    assert changed_settings() == {"joblib_njobs": 2, "cache_dir": "mine"}


def test_settings_of_one_search_do_not_stay_for_the_next() -> None:
    before = TabularCfg.joblib_njobs, TabularCfg.geohash_precision
    use_settings({"joblib_njobs": 7})
    assert TabularCfg.joblib_njobs == 7
    use_settings({"geohash_precision": 5})
    assert (TabularCfg.joblib_njobs, TabularCfg.geohash_precision) == (before[0], 5)
    use_settings({})
    assert (TabularCfg.joblib_njobs, TabularCfg.geohash_precision) == before


def test_a_trial_on_a_worker_finds_them(
    cluster: DaskCluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def jobs() -> Any:
        model = searches.JobsModel(ListSearcher([sample(0.1)]), task="binary", reward_metric="auc")
        return search(model, max_trials=1).history.trials[0].reward

    with session_on(cluster.address, str(tmp_path / "root")):
        own = jobs()
        monkeypatch.setattr(TabularCfg, "joblib_njobs", 5)
        assert (own, jobs()) == ([1.0], [5.0])
        monkeypatch.undo()
        assert jobs() == own
