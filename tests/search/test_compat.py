"""Each repair of Hypernets 0.3.2: what it repairs works, and it is made only where it is needed.

The old and the new release of a library are told apart by one attribute, which is set here.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import sklearn.utils
from hypernets.core import meta_learner
from hypernets.core.meta_learner import MetaLearner
from hypernets.core.trial import Trial, TrialHistory
from hypernets.examples.plain_model import PlainEstimator, PlainSearchSpace
from hypernets.model import Estimator, objectives
from hypernets.model.objectives import PredictionObjective, create_objective
from hypernets.searchers.genetic import SinglePointMutation
from hypernets.searchers.nsga_searcher import NSGAIISearcher
from hypernets.tabular import drift_detection, get_tool_box, sklearn_ex
from hypernets.tabular.cfg import TabularCfg
from hypernets.tabular.column_selector import TextColumnSelector, column_number, column_object
from hypernets.tabular.dataframe_mapper import TransformerPipeline
from hypernets.tabular.ensemble import GreedyEnsemble
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import StrOptions

from hyn_k8s.search import compat
from hyn_k8s.search.compat import Fix
from tests import searches
from tests.searches import sample

FIXES = (*compat.LIBRARY_FIXES, *compat.HYPERNETS_FIXES)
MISSING = object()
"""Stands for an attribute that a release has not."""


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


def old_make_scorer(score_func: Any, **kwargs: Any) -> Any:
    return SimpleNamespace(_kwargs={})


def new_make_scorer(score_func: Any, **kwargs: Any) -> Any:
    return SimpleNamespace(_kwargs=kwargs)


def old_mean_squared_error(y_true: Any, y_pred: Any, *, squared: bool = True) -> float:
    return 0.0


def new_mean_squared_error(y_true: Any, y_pred: Any) -> float:
    return 0.0


class EmptyArray:
    """Its truth value is False, as on numpy 1, or an error."""

    def __init__(self, truth: bool | None) -> None:
        self.truth = truth

    def __call__(self, seed: int) -> Any:
        return SimpleNamespace(rand=lambda *shape: self)

    def __lt__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        if self.truth is None:
            raise ValueError("The truth value of an empty array is ambiguous.")
        return self.truth


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
            ("empty array", np.random, "RandomState", EmptyArray(False), EmptyArray(None)),
            (
                "LightGBM",
                meta_learner,
                "LGBMRegressor",
                compat.MetaRegressor,
                object,
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


class TestLibraries:
    def test_tosequence(self) -> None:
        steps = [("scale", StandardScaler())]
        assert TransformerPipeline(steps).steps is steps
        assert sklearn.utils.tosequence(iter(steps)) == steps
        scaled = TransformerPipeline(steps).fit_transform(np.array([[1.0], [3.0]]))
        assert scaled.tolist() == [[-1.0], [1.0]]

    def test_unicode(self) -> None:
        encoder = sklearn_ex.MultiVarLenFeatureEncoder([("tags", "|")])
        encoded = encoder.fit_transform(pd.DataFrame({"tags": ["a|b", "b", "c|a"]}))
        assert encoded["tags"].tolist() == [[1, 2], [2, 0], [3, 1]]

    def test_applymap(self) -> None:
        frame: Any = pd.DataFrame({"text": ["one two three four", "five"], "word": ["a", "b"]})
        assert frame.applymap(len).to_numpy().tolist() == [[18, 1], [4, 1]]
        assert TextColumnSelector(word_count_threshold=3)(frame) == ["text"]

    @pytest.mark.parametrize(
        "read",
        [
            lambda: pd.DataFrame({"city": ["Rome", None, "Bonn"], "age": [1, 2, 3]}),
            lambda: pd.read_csv(io.StringIO("city,age\nRome,1\n,2\nBonn,3\n")),
            lambda: pd.DataFrame([["Rome", 1], ["Bonn", 2]], columns=["city", "age"]),
        ],
        ids=["dict", "csv", "rows"],
    )
    def test_text_columns(self, read: Callable[[], pd.DataFrame]) -> None:
        frame = read()
        assert str(frame.dtypes["city"]) == "object"
        assert column_object(frame) == ["city"]
        assert column_number(frame) == ["age"]
        prepared = get_tool_box(frame).general_preprocessor(frame).fit_transform(frame)
        assert set(prepared.columns) == {"city", "age"}
        assert prepared["city"].dtype.kind in "if"


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

    @pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
    def test_drift_detection_finds_the_column_that_drifted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TabularCfg, "joblib_njobs", 1)
        rng = np.random.RandomState(0)
        train = pd.DataFrame({"still": rng.rand(200), "drifted": rng.rand(200)})
        test = pd.DataFrame({"still": rng.rand(200), "drifted": rng.rand(200) + 5})
        selector = drift_detection.FeatureSelectorWithDriftDetection(random_state=1, cv=3)
        remaining, _, scores = selector.select(train, test)
        assert remaining == ["still"]
        assert scores["drifted"] == pytest.approx(1.0)
        assert scores["still"] < 0.7

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


class TestMutation:
    def space(self) -> Any:
        return searches.space(["a", "b"])

    @pytest.mark.parametrize("proba", [None, 0.0, 0.7, 1.0])
    def test_each_offspring_differs_in_one_parameter(self, proba: float | None) -> None:
        random_state = np.random.RandomState(3)
        mutation = SinglePointMutation(random_state, 0.7)
        parent = self.space()
        parent.assign_by_vectors([0.5, 50, 0])
        changed = set()
        for _ in range(20):
            offspring = self.space()
            assert mutation.do(parent, offspring, proba) is offspring
            pairs = zip(parent.vectors, offspring.vectors, strict=True)
            (place,) = [n for n, (old, new) in enumerate(pairs) if old != new]
            changed.add(place)
        assert changed == {0, 1, 2}
        assert mutation.random_state is random_state

    def test_the_random_state_decides(self) -> None:
        def offspring(seed: int) -> list[Any]:
            parent, child = self.space(), self.space()
            parent.assign_by_vectors([0.5, 50, 0])
            for parameter in child.get_all_params():
                parameter.random_state = np.random.RandomState(seed)
            SinglePointMutation(np.random.RandomState(seed)).do(parent, child)
            return list(child.vectors)

        assert offspring(1) == offspring(1)
        assert len({tuple(offspring(seed)) for seed in range(10)}) > 1

    def test_a_genetic_search_goes_on_after_its_first_population(self) -> None:
        random_state = np.random.RandomState(5)
        searcher = NSGAIISearcher(
            self.space,
            [create_objective("auc"), create_objective("elapsed")],
            population_size=5,
            random_state=random_state,
        )
        for _ in range(25):
            drawn = searcher.sample()
            assert drawn.all_assigned
            searcher.update_result(drawn, list(random_state.rand(2)))
        assert len(searcher.get_population()) == 5


class TestMetaLearner:
    def test_it_fits_rewards_in_lists_of_one_without_a_warning(self) -> None:
        history = TrialHistory("max")
        for number in range(1, 9):
            reward = number / 10
            history.append(Trial(sample(reward, depth=number), number, [reward], 1.0))
        learner = MetaLearner(history, "tiny", None)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            learner.new_sample(sample(0.5))
            low, high = (learner.predict(sample(x, depth=5)) for x in (0.1, 0.8))
        assert type(low) is type(high) is float
        assert low < high

    def test_it_fits_plain_rewards_too(self) -> None:
        regressor = compat.MetaRegressor(min_data=1, min_data_in_bin=1, verbosity=-1)
        assert regressor.fit([[0.0], [1.0]], [0.25, 0.75]) is regressor
        assert 0.2 < regressor.predict([[0.0]]) < regressor.predict([[1.0]]) < 0.8

    def test_it_keeps_to_one_core(self) -> None:
        assert meta_learner.LGBMRegressor()._model.get_params()["n_jobs"] == 1
