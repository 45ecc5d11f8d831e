"""Hypernets' objectives and estimators score as scikit-learn does, whatever its release."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import sklearn.utils
from hypernets.examples.plain_model import PlainEstimator, PlainSearchSpace
from hypernets.model.objectives import PredictionObjective, create_objective
from hypernets.tabular import drift_detection, sklearn_ex
from hypernets.tabular.ensemble import GreedyEnsemble
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests import searches
from tests.searches import sample

EXPECTED: dict[str, Callable[[Any, Any], Any]] = {
    "auc": lambda y, proba: sklearn.metrics.roc_auc_score(y, proba[:, 1]),
    "logloss": sklearn.metrics.log_loss,
    "accuracy": lambda y, proba: sklearn.metrics.accuracy_score(y, proba[:, 1] > 0.5),
    "f1": lambda y, proba: sklearn.metrics.f1_score(y, proba[:, 1] > 0.5),
    "precision": lambda y, proba: sklearn.metrics.precision_score(y, proba[:, 1] > 0.5),
    "recall": lambda y, proba: sklearn.metrics.recall_score(y, proba[:, 1] > 0.5),
}
"""Each score, from the true classes and their probabilities."""


@pytest.fixture(scope="module")
def data() -> tuple[pd.DataFrame, pd.Series[int]]:
    features, target = make_classification(200, 5, flip_y=0.2, random_state=1)
    return pd.DataFrame(features, columns=list("abcde")), pd.Series(target)


def plain_estimator(task: str = "binary", depth: int = 3) -> PlainEstimator:
    """One of Hypernets' own estimators, around a decision tree."""
    made = PlainSearchSpace(enable_lr=False, enable_nn=False)()
    made.random_sample()
    estimator = PlainEstimator(made, task)
    estimator.model = DecisionTreeClassifier(max_depth=depth, random_state=1)
    return estimator


class TestScores:
    @pytest.mark.parametrize("name", EXPECTED)
    def test_objectives_of_a_scikit_learn_classifier(self, data: Any, name: str) -> None:
        features, target = data
        classifier = LogisticRegression().fit(features, target)
        objective = PredictionObjective.create(name)
        value = objective.evaluate(None, classifier, None, None, features, target)
        expected = EXPECTED[name](target, classifier.predict_proba(features))
        assert value == pytest.approx(expected)
        assert objective.direction == ("min" if name == "logloss" else "max")

    @pytest.mark.parametrize("name", EXPECTED)
    def test_objectives_of_a_hypernets_estimator(self, data: Any, name: str) -> None:
        features, target = data
        estimator = plain_estimator().fit(features, target)
        value = create_objective(name).evaluate(None, estimator, None, None, features, target)
        assert value == pytest.approx(EXPECTED[name](target, estimator.predict_proba(features)))

    @pytest.mark.parametrize("name", EXPECTED)
    def test_objectives_in_cross_validation(self, data: Any, name: str) -> None:
        features, target = data
        estimator = plain_estimator()
        _, proba, _, *folds = estimator.fit_cross_validation(features, target, metrics=["auc"])
        value = create_objective(name).evaluate_cv(None, estimator, *folds)
        assert value == pytest.approx(EXPECTED[name](target, proba))

    def test_the_time_a_trial_took_is_an_objective_in_cross_validation_too(self) -> None:
        objective, trial = create_objective("elapsed"), SimpleNamespace(elapsed=2.5)
        assert objective.evaluate(trial, None, None, None, None, None) == 2.5
        assert objective.evaluate_cv(trial, None, [], [], [], []) == 2.5

    def test_auc_of_a_classifier_without_probabilities(self, data: Any) -> None:
        features, target = data
        classifier = LinearSVC(C=0.01).fit(features, target)
        value = create_objective("auc").evaluate(None, classifier, None, None, features, target)
        decided = classifier.decision_function(features)
        assert value == sklearn.metrics.roc_auc_score(target, decided)

    def test_an_objective_to_minimize(self, data: Any) -> None:
        features, target = data
        classifier = LogisticRegression().fit(features, target)
        objective = PredictionObjective.create("f1", force_minimize=True)
        value = objective.evaluate(None, classifier, None, None, features, target)
        assert value == -sklearn.metrics.f1_score(target, classifier.predict(features))
        assert objective.direction == "min"

    def test_the_scorer_of_drift_detection(self, data: Any) -> None:
        features, target = data
        tree = DecisionTreeClassifier(max_depth=3, random_state=1).fit(features, target)
        value = drift_detection.roc_auc_scorer(tree, features, target)
        expected = sklearn.metrics.roc_auc_score(target, tree.predict_proba(features)[:, 1])
        assert 0.5 < value == expected < 1

    def test_root_mean_squared_error(self) -> None:
        assert sklearn_ex.root_mean_squared_error([1, 2], [1, 4]) == pytest.approx(np.sqrt(2))
        weighted = sklearn_ex.root_mean_squared_error([1, 2], [1, 4], sample_weight=[3, 1])
        assert weighted == pytest.approx(1.0)
        columns = sklearn_ex.root_mean_squared_error(
            [[1, 2], [1, 2]], [[1, 5], [1, 5]], multioutput="raw_values"
        )
        assert columns.tolist() == [0.0, 3.0]


class TestTags:
    @pytest.mark.parametrize(
        ("task", "kind"),
        [
            ("binary", "classifier"),
            ("multiclass", "classifier"),
            ("regression", "regressor"),
            ("else", None),
        ],
    )
    def test_a_users_estimator(self, task: str, kind: str | None) -> None:
        estimator = searches.TinyEstimator(sample(0.5))
        estimator.task = task
        assert sklearn.utils.get_tags(estimator).estimator_type == kind
        assert is_classifier(estimator) is (kind == "classifier")
        assert is_regressor(estimator) is (kind == "regressor")

    @pytest.mark.parametrize("kind", ["classifier", "regressor"])
    def test_an_estimator_of_no_base_class(self, kind: str) -> None:
        estimator = SimpleNamespace(_estimator_type=kind)
        assert is_classifier(estimator) is (kind == "classifier")
        assert is_regressor(estimator) is (kind == "regressor")

    def test_what_is_no_estimator_is_still_refused(self) -> None:
        with pytest.raises(AttributeError, match="__sklearn_tags__"):
            is_classifier(SimpleNamespace())

    def test_scikit_learn_scores_hypernets_estimators(self, data: Any) -> None:
        features, target = data
        estimator = plain_estimator().fit(features, target)
        ensemble = GreedyEnsemble("binary", [estimator, plain_estimator(depth=1)])
        assert sklearn.utils.get_tags(ensemble).estimator_type == "classifier"
        scorer = sklearn.metrics.get_scorer("roc_auc")
        proba = estimator.predict_proba(features)[:, 1]
        assert scorer(estimator, features, target) == pytest.approx(
            sklearn.metrics.roc_auc_score(target, proba)
        )


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
class TestPenalties:
    PENALTIES = ("l2", "elasticnet", "l1", None)

    def drawn(self, penalty: str | None) -> Any:
        """A sample of logistic regression with the solver saga and this penalty."""
        made = PlainSearchSpace(enable_dt=False, enable_nn=False)()
        offered = None
        for parameter in made.params_iterator:
            name = parameter.alias.rpartition(".")[2]
            if name == "solver":
                parameter.assign("saga")
            elif name == "penalty":
                offered = tuple(parameter.options)
                parameter.assign(penalty)
            else:
                parameter.random_sample()
        assert offered == self.PENALTIES
        return made

    @pytest.mark.parametrize("penalty", PENALTIES)
    def test_each_of_saga_can_be_trained(self, data: Any, penalty: str | None) -> None:
        features, target = data
        estimator = PlainEstimator(self.drawn(penalty)).fit(features, target)
        assert estimator.model.penalty == penalty
        assert estimator.evaluate(features, target)["accuracy"] > 0.6

    def test_none_is_no_penalty(self, data: Any) -> None:
        features, target = data
        free = LogisticRegression(C=np.inf, max_iter=9000, tol=1e-6).fit(features, target)
        estimator = PlainEstimator(self.drawn(None))
        estimator.model.set_params(max_iter=9000, tol=1e-6)
        estimator.fit(features, target)
        assert estimator.model.coef_ == pytest.approx(free.coef_, rel=0.01, abs=0.01)

    @pytest.mark.parametrize("penalty", PENALTIES)
    def test_a_sample_is_pickled_by_plain_pickle(self, penalty: str | None) -> None:
        made = self.drawn(penalty)
        again = pickle.loads(pickle.dumps(made))
        assert again.vectors == made.vectors
        assert again.signature == made.signature

    def test_other_solvers_keep_their_penalty(self) -> None:
        name, penalty = PlainSearchSpace._lr_penalty_fn("lbfgs")
        assert (name, penalty.value) == ("penalty", "l2")
