"""What Hypernets 0.3.2 needs to work on current scikit-learn, numpy and pandas.

Hypernets declares lower bounds only, and was last made to fit scikit-learn 1.5, numpy 1.26 and
pandas 2. Each ``Fix`` below is one thing that a later release took away: the release, what breaks
without the fix, how to see whether it is needed, and the smallest repair. A fix that is not
needed does nothing, so on older libraries this module changes nothing at all.

Fixes of the libraries themselves come before Hypernets is imported, fixes of Hypernets after it.
Drivers and workers both call ``apply``, before anything else of Hypernets is imported there.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hyn_k8s.search import binding, history

_applied = False


@dataclass(frozen=True)
class Fix:
    """One repair: ``needed`` looks, ``repair`` changes."""

    since: str
    """The release that took something away."""
    breaks: str
    """What fails without the repair."""
    needed: Callable[[], bool]
    repair: Callable[[], None]


def apply() -> None:
    """Import Hypernets with every needed fix in place; the second call does nothing."""
    global _applied
    if _applied:
        return
    for fix in LIBRARY_FIXES:
        if fix.needed():
            fix.repair()
    binding.import_hypernets()
    for fix in HYPERNETS_FIXES:
        if fix.needed():
            fix.repair()
    history.install()
    _applied = True


def _lacks_tosequence() -> bool:
    import sklearn.utils

    return not hasattr(sklearn.utils, "tosequence")


def _give_tosequence() -> None:
    import numpy as np
    import sklearn.utils

    def tosequence(x: Any) -> Any:
        return x if isinstance(x, (list, tuple, np.ndarray)) else list(x)

    sklearn.utils.tosequence = tosequence


def _lacks_unicode() -> bool:
    import numpy as np

    return not hasattr(np, "unicode_")


def _give_unicode() -> None:
    import numpy as np

    np.unicode_ = np.str_  # type: ignore[attr-defined]


def _lacks_applymap() -> bool:
    import pandas as pd

    return not hasattr(pd.DataFrame, "applymap")


def _give_applymap() -> None:
    import pandas as pd

    pd.DataFrame.applymap = pd.DataFrame.map  # type: ignore[attr-defined]


def _infers_str() -> bool:
    import pandas as pd

    return bool(pd.Series(["text"]).dtype != object)


def _infer_object() -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 4 will take the option away, users cannot help it
        pd.set_option("future.infer_string", False)


def _scorer_refuses_needs() -> bool:
    from sklearn.metrics import make_scorer, roc_auc_score

    return "needs_threshold" in make_scorer(roc_auc_score, needs_threshold=True)._kwargs


def _translate_needs() -> None:
    """Hand hypernets' modules a make_scorer that still knows needs_threshold and needs_proba."""
    from sklearn.metrics import make_scorer, roc_auc_score

    def scorer(
        score_func: Any, *, needs_proba: bool = False, needs_threshold: bool = False, **kwargs: Any
    ) -> Any:
        if needs_proba:
            kwargs["response_method"] = "predict_proba"
        elif needs_threshold:
            kwargs["response_method"] = ("decision_function", "predict_proba")
        return make_scorer(score_func, **kwargs)

    from hypernets.model import objectives
    from hypernets.tabular import drift_detection

    objectives.make_scorer = scorer
    drift_detection.make_scorer = scorer
    drift_detection.roc_auc_scorer = scorer(roc_auc_score, needs_threshold=True)


def _mse_refuses_squared() -> bool:
    from sklearn.metrics import mean_squared_error

    return "squared" not in inspect.signature(mean_squared_error).parameters


def _drop_squared() -> None:
    """Upstream's root mean squared error passes squared=True, the only behaviour left."""
    from hypernets.tabular import sklearn_ex
    from sklearn.metrics import mean_squared_error

    def squared_error(*args: Any, squared: bool = True, **kwargs: Any) -> Any:
        return mean_squared_error(*args, **kwargs)

    sklearn_ex.mean_squared_error = squared_error


def _tags_replace_types() -> bool:
    import sklearn.utils

    return hasattr(sklearn.utils, "Tags")


def _give_tags() -> None:
    """Let Hypernets' duck-typed estimators answer scikit-learn's question for their tags."""
    from hypernets.model import Estimator
    from hypernets.model.objectives import CVWrapperEstimator
    from hypernets.tabular.ensemble.base_ensemble import BaseEnsemble
    from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

    def tags(self: Any) -> Tags:
        kind = getattr(self, "_estimator_type", None)
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=kind is not None),
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(),
        )

    for cls in (Estimator, CVWrapperEstimator, BaseEnsemble):
        if not hasattr(cls, "__sklearn_tags__"):
            cls.__sklearn_tags__ = tags


def _penalty_none_is_gone() -> bool:
    from sklearn.linear_model import LogisticRegression

    constraints = LogisticRegression._parameter_constraints.get("penalty", [])
    return not any("none" in getattr(option, "options", ()) for option in constraints)


def _draw_penalty_none() -> None:
    """PlainSearchSpace then draws None, which is what 'none' meant."""
    from hypernets.examples.plain_model import PlainSearchSpace

    original = PlainSearchSpace._lr_penalty_fn

    @functools.wraps(original)  # saved models name this function, so it keeps upstream's name
    def penalty(solver: str) -> Any:
        name, space = original(solver)
        if "none" in getattr(space, "options", ()):
            space.options = [None if option == "none" else option for option in space.options]
        return name, space

    PlainSearchSpace._lr_penalty_fn = staticmethod(penalty)


def _empty_array_has_no_truth() -> bool:
    import numpy as np

    try:
        bool(np.random.RandomState(0).rand(0, 1) < 1)
    except ValueError:
        return True
    return False


def _mutate_as_numpy_1() -> None:
    """Upstream asks whether an empty array is smaller than proba: False, on numpy 1."""
    from hypernets.searchers.genetic import SinglePointMutation

    original = SinglePointMutation.do

    def do(self: Any, sample_space: Any, out_space: Any, proba: float | None = None) -> Any:
        real = self.random_state
        self.random_state = _NoSkip(real)
        try:
            return original(self, sample_space, out_space, proba)
        finally:
            self.random_state = real

    SinglePointMutation.do = do


class _NoSkip:
    """A random state whose ``rand(0, 1)`` compares as numpy 1's empty array did: not smaller."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def rand(self, *_shape: int) -> float:
        return float("inf")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _fits_on_all_cores() -> bool:
    from hypernets.core import meta_learner

    return meta_learner.LGBMRegressor is not MetaRegressor


def _fit_on_one_core() -> None:
    from hypernets.core import meta_learner

    meta_learner.LGBMRegressor = MetaRegressor


class MetaRegressor:
    """The meta-learner's LightGBM model, on one core: some dozens of rows are no work for more.

    On all cores it spins against the workers' own training, 1.2 to 38 s a fit where one core
    takes 20 to 60 ms. Rewards come as lists of one, which LightGBM takes with a warning each.
    """

    def __init__(self, **options: Any) -> None:
        from lightgbm import LGBMRegressor

        self._model = LGBMRegressor(n_jobs=1, **options)

    def fit(self, x: Any, y: Any) -> MetaRegressor:
        import numpy as np

        self._model.fit(np.asarray(x), np.asarray(y, dtype=float).reshape(len(y)))
        return self

    def predict(self, x: Any) -> Any:
        """A float for the one row asked about: searchers compare it with floats."""
        import numpy as np

        return self._model.predict(np.asarray(x)).item()


LIBRARY_FIXES = (
    Fix(
        "scikit-learn 1.6",
        "import of hypernets.tabular: sklearn.utils.tosequence",
        _lacks_tosequence,
        _give_tosequence,
    ),
    Fix("numpy 2.0", "encoding of text columns: np.unicode_", _lacks_unicode, _give_unicode),
    Fix(
        "pandas 3.0",
        "reports and text columns: DataFrame.applymap",
        _lacks_applymap,
        _give_applymap,
    ),
    Fix(
        "pandas 3.0",
        "column types: text is inferred as str, upstream looks for object",
        _infers_str,
        _infer_object,
    ),
)

HYPERNETS_FIXES = (
    Fix(
        "scikit-learn 1.6",
        "objectives and drift detection: make_scorer(needs_threshold=, needs_proba=)",
        _scorer_refuses_needs,
        _translate_needs,
    ),
    Fix(
        "scikit-learn 1.6",
        "the rmse metric: mean_squared_error(squared=)",
        _mse_refuses_squared,
        _drop_squared,
    ),
    Fix(
        "scikit-learn 1.6",
        "cross validation of Hypernets' estimators: __sklearn_tags__",
        _tags_replace_types,
        _give_tags,
    ),
    Fix(
        "scikit-learn 1.4",
        "PlainSearchSpace: LogisticRegression(penalty='none')",
        _penalty_none_is_gone,
        _draw_penalty_none,
    ),
    Fix(
        "numpy 2.2",
        "every offspring of the genetic searchers: bool() of an empty array",
        _empty_array_has_no_truth,
        _mutate_as_numpy_1,
    ),
    Fix(
        "any release",
        "time: the meta-learner's LightGBM spins on all cores",
        _fits_on_all_cores,
        _fit_on_one_core,
    ),
)
