"""With one trial in flight, a search is what it is under Hypernets' own in-process dispatcher.

Every searcher, with and without cross validation, in this process and on a Dask worker: the same
trials, rewards, memos and callbacks. And with several in flight, an ordered search with a seed is
the same search every time.
"""

from __future__ import annotations

import copy
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypernets.core.callbacks import EarlyStoppingCallback
from hypernets.core.random_state import set_random_state
from hypernets.core.trial import DiskTrialStore, Trial, TrialHistory
from hypernets.discriminators import make_discriminator
from hypernets.dispatchers.in_process_dispatcher import InProcessDispatcher
from hypernets.searchers import PlaybackSearcher, make_searcher

from hyn_k8s.search.dispatcher import DaskDispatcher
from tests import searches
from tests.processes import DaskCluster
from tests.searches import BoostedModel, Diary, ListSearcher, OfEstimator, sample, tiny_model
from tests.sessions import rows_of, search, session_on

Space = Callable[[], Any]
Make = Callable[[Diary, Any], Any]


def objectives(*directions: str) -> list[OfEstimator]:
    return [OfEstimator(name, how) for name, how in zip(("x", "depth"), directions, strict=True)]


def playback(space: Space) -> PlaybackSearcher:
    """Five samples of an earlier search, the best first."""
    history = TrialHistory("max")
    for number in range(1, 6):
        drawn = space()
        drawn.assign_by_vectors([number / 10, number, 0])
        history.append(Trial(drawn, number, [number / 10], 1.0))
    return PlaybackSearcher(history, optimize_direction="max")


def searcher(name: str, **options: Any) -> Callable[[Space], Any]:
    return lambda space: make_searcher(name, space, optimize_direction="max", **options)


def several(name: str, *directions: str, **options: Any) -> Callable[[Space], Any]:
    return lambda space: make_searcher(name, space, objectives=objectives(*directions), **options)


SEARCHERS: dict[str, Callable[[Space], Any]] = {
    "random": searcher("random"),
    "grid": searcher("grid", n_expansion=3),
    "playback": playback,
    "evolution": searcher("evolution", population_size=5, sample_size=3, use_meta_learner=False),
    "evolution-meta": searcher("evolution", population_size=5, sample_size=3),
    "mcts": searcher("mcts", use_meta_learner=False),
    "mcts-meta": searcher("mcts"),
    "nsga2": several("nsga2", "max", "min", population_size=5),
    "rnsga2": several("rnsga2", "max", "min", population_size=5, ref_point=[0.5, 10]),
    "moead": several("moead", "min", "min", n_sampling=4),
}


def plain(value: Any) -> Any:
    """``value`` so that equal ones compare equal: arrays as lists."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return np.asarray(value).tolist() if isinstance(value, (list, np.ndarray)) else value


def seen(model: Any, diary: Diary) -> Any:
    """Everything a user's code can have noticed of a search, in a form that compares by value."""
    trials = [
        (t.trial_no, tuple(t.space_sample.vectors), t.reward, t.succeeded, plain(t.memo))
        for t in model.history.trials
    ]
    scores = [t.iteration_scores for t in model.history.trials]
    return trials, scores, diary.events, model.best_reward, model.best_trial_no


Parity = Callable[..., Any]
"""Given ``make`` and the search's arguments, what a user sees of that search.

``before`` is called in each session first.
"""


@pytest.fixture
def parity(cluster: DaskCluster, tmp_path: pathlib.Path) -> Iterator[Parity]:
    """Asserts that a search comes to the same with Hypernets' dispatcher and with ours.

    Ours has one trial in flight, in this process and then on a worker.
    """
    standalone = {"HYN_SEARCH_BACKEND": "standalone"}
    on_a_worker = {"HYN_SEARCH_EXECUTORS": "1"}

    def run(make: Make, dispatcher: Any, **kwargs: Any) -> Any:
        set_random_state(7)
        diary = Diary()
        return seen(search(make(diary, dispatcher), **kwargs), diary)

    def compare(make: Make, before: Callable[[], object] = lambda: None, **kwargs: Any) -> Any:
        with session_on(None, str(tmp_path / "this-process"), standalone):
            before()
            upstream = run(make, InProcessDispatcher("upstream/models"), **kwargs)
            assert run(make, DaskDispatcher(), **kwargs) == upstream, "in this process"
        with session_on(cluster.address, str(tmp_path / "worker"), on_a_worker):
            before()
            assert run(make, DaskDispatcher(), **kwargs) == upstream, "on a worker"
        return upstream

    yield compare
    set_random_state(None)


def boosted(discriminator: Any) -> Make:
    """A random search whose trials ``discriminator`` may stop; each search has a copy of it."""

    def make(diary: Diary, dispatcher: Any) -> Any:
        return BoostedModel(
            SEARCHERS["random"](searches.space),
            task="binary",
            reward_metric="auc",
            callbacks=[diary],
            dispatcher=dispatcher,
            discriminator=copy.deepcopy(discriminator),
        )

    return make


@pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:divide by zero")
class TestOneInFlight:
    @pytest.mark.parametrize(
        ("cv", "name"),
        [
            pytest.param(
                cv,
                name,
                id=f"{'cv' if cv else 'no-cv'}-{name}",
                # Folds are no matter of the searcher's: one of each family shows it.
                marks=[pytest.mark.full]
                if cv and name not in ("evolution", "mcts", "nsga2")
                else [],
            )
            for cv in (True, False)
            for name in SEARCHERS
        ],
    )
    def test_searchers(self, cv: bool, name: str, parity: Parity) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            made = SEARCHERS[name](searches.space)
            return tiny_model(made, callbacks=[diary], dispatcher=dispatcher)

        ours = parity(make, max_trials=20, cv=cv)
        assert len(ours[0]) >= (5 if name == "playback" else 9)

    @pytest.mark.parametrize("name", ["random", "evolution", "nsga2", "moead"])
    def test_failing_and_pruned_trials(self, name: str, parity: Parity) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            made = SEARCHERS[name](lambda: searches.space(["fit", "pruned"]))
            return tiny_model(made, callbacks=[diary], dispatcher=dispatcher)

        ours = parity(make, max_trials=20)
        assert {trial[3] for trial in ours[0]} == {True, False}

    @pytest.mark.parametrize("count", [1, 3])
    def test_several_objectives_and_nothing_but_failures(self, count: int, parity: Parity) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            failing = ListSearcher([sample(n / 10, kind="fit") for n in range(1, count + 1)])
            failing.objectives = objectives("max", "min")
            failing.kind = lambda: "moo"
            return tiny_model(failing, callbacks=[diary], dispatcher=dispatcher)

        ours = parity(make, max_trials=count)
        assert [event[:2] for event in ours[2] if event[0] == "error"] == [
            ("error", n) for n in range(1, count + 1)
        ]
        assert ours[3:] == ([], [])

    def test_duplicates_spend_a_number(self, parity: Parity) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            made = ListSearcher([sample(0.1), sample(0.2), sample(0.1), sample(0.3)])
            return tiny_model(made, callbacks=[diary], dispatcher=dispatcher)

        ours = parity(make, max_trials=3)
        assert ("skip", 3, "trial_existed", [0.1]) in ours[2]

    def test_early_stopping(self, parity: Parity) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            stopping = EarlyStoppingCallback(3, "max")
            callbacks = [stopping, diary]
            made = SEARCHERS["random"](searches.space)
            return tiny_model(made, callbacks=callbacks, dispatcher=dispatcher)

        ours = parity(make, max_trials=40)
        assert len(ours[0]) < 40

    def test_a_trial_store_has_results_of_an_earlier_search(
        self, parity: Parity, tmp_path: pathlib.Path
    ) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            made = ListSearcher([sample(0.1), sample(0.2)])
            return tiny_model(made, callbacks=[diary], dispatcher=dispatcher)

        store = DiskTrialStore(str(tmp_path / "store"))

        def fill() -> None:
            search(make(Diary(), DaskDispatcher()), max_trials=2, trial_store=store)

        ours = parity(make, fill, max_trials=2, trial_store=store)
        assert ("skip", 1, "hit_trial_store", [0.1]) in ours[2]

    @pytest.mark.parametrize("name", ["percentile", "once_percentile", "progressive"])
    def test_discriminators_stop_the_same_trials(self, name: str, parity: Parity) -> None:
        options: dict[str, Any] = {"percentile": 50}
        if name == "progressive":
            options = {"percentile_list": [20, 50]}

        make = boosted(make_discriminator(name, "max", min_trials=3, min_steps=2, **options))
        ours = parity(make, max_trials=50)
        assert 5 < sum(not trial[3] for trial in ours[0]) < 45

    def test_a_discriminator_may_read_all_of_the_history(self, parity: Parity) -> None:
        make = boosted(searches.HalfOfBest(min_trials=2, min_steps=3))
        ours = parity(make, max_trials=40)
        assert 5 < sum(not trial[3] for trial in ours[0]) < 38

    def test_every_event_comes_in_its_order_where_the_trial_runs_too(
        self, parity: Parity, tmp_path: pathlib.Path
    ) -> None:
        def make(diary: Diary, dispatcher: Any) -> Any:
            made = ListSearcher([sample(0.1), sample(0.2, kind="fit"), sample(0.1)])
            log = tmp_path / f"{type(dispatcher).__name__}.log"
            callbacks = [diary, searches.LogFile(str(log))]
            return tiny_model(made, callbacks=callbacks, dispatcher=dispatcher)

        parity(make, max_trials=3)
        upstream = (tmp_path / "InProcessDispatcher.log").read_text()
        assert (tmp_path / "DaskDispatcher.log").read_text() == upstream * 2  # in two places
        assert upstream.split() == [
            *["search_start", "trial_begin-1", "build_estimator-1", "trial_end-1"],
            *["trial_begin-2", "build_estimator-2", "trial_error-2", "skip_trial-3", "search_end"],
        ]


@pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:divide by zero")
class TestOrdered:
    @pytest.mark.parametrize("name", SEARCHERS)
    def test_three_in_flight_and_a_seed_give_the_same_trials_twice(
        self, name: str, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        space = functools.partial(searches.space, ["uneven", "uneven", "fit"])
        env = {"HYN_SEARCH_ORDERED": "1", "HYN_SEARCH_SEED": "7"}
        result = []
        for _ in range(2):
            with session_on(cluster.address, str(tmp_path / "root"), env) as (session, _):
                diary = Diary()
                model = tiny_model(SEARCHERS[name](space), callbacks=[diary])
                search(model, max_trials=24)
                # A result is reported when it is durable, which may be before or after the next
                # trial begins; results follow each other as trials do.
                diary.events.sort(key=lambda event: event[0] == "begin")
                result.append(seen(model, diary))
                rows = [row for row in rows_of(session) if row["started"]]
        assert result[0] == result[1]
        numbers = [trial[0] for trial in result[0][0]]
        assert numbers == sorted(numbers)
        assert len(numbers) >= (5 if name == "playback" else 9)
        assert len({row["worker"] for row in rows}) > 1

    def test_what_trials_draw_by_chance_is_the_same_too(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        env = {"HYN_SEARCH_ORDERED": "1", "HYN_SEARCH_SEED": "7"}
        rewards = []
        for _ in range(2):
            with session_on(cluster.address, str(tmp_path / "root"), env):
                gambling = searches.GamblingModel(
                    SEARCHERS["random"](searches.space), task="binary", reward_metric="auc"
                )
                rewards.append([t.reward for t in search(gambling, max_trials=6).history.trials])
        assert rewards[0] == rewards[1]
        assert len({tuple(reward) for reward in rewards[0]}) == 6
