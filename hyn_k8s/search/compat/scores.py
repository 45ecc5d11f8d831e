"""What scikit-learn changed in scoring and in what it asks of estimators, and scores that fail.

These are mended in the Hypernets modules that hold on to the old form, after their import.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from hyn_k8s.search.compat.fix import Fix


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
    """Let estimators that only say what kind they are answer scikit-learn's question for tags.

    Hypernets' own get the method scikit-learn calls. Those of users have none either, and their
    scorers ask by way of ``sklearn.base.get_tags``.
    """
    from hypernets.model import Estimator
    from hypernets.model.objectives import CVWrapperEstimator
    from hypernets.tabular.ensemble.base_ensemble import BaseEnsemble
    from sklearn import base
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

    original = base.get_tags

    def get_tags(estimator: Any) -> Any:
        untagged = hasattr(estimator, "_estimator_type") and not hasattr(
            estimator, "__sklearn_tags__"
        )
        return tags(estimator) if untagged else original(estimator)

    base.get_tags = get_tags


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


def _elapsed_refuses_folds() -> bool:
    from hypernets.model.objectives import ElapsedObjective

    return "estimator" not in inspect.signature(ElapsedObjective._evaluate_cv).parameters


def _let_elapsed_take_folds() -> None:
    """Upstream calls every objective with ``estimator=``, and this one calls it otherwise."""
    from hypernets.model.objectives import ElapsedObjective

    def _evaluate_cv(self: Any, trial: Any, estimator: Any, *folds: Any, **kwargs: Any) -> Any:
        return trial.elapsed

    ElapsedObjective._evaluate_cv = _evaluate_cv


FIXES = (
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
        "Hypernets 0.3.2",
        "every trial of a search for speed, elapsed, with cross validation: a misnamed parameter",
        _elapsed_refuses_folds,
        _let_elapsed_take_folds,
    ),
)
