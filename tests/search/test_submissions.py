"""What a driver knows of the trials it has submitted, and when something is due of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hyn_k8s.search.attempts import Attempt
from hyn_k8s.search.knowledge import Known
from hyn_k8s.search.submissions import SILENT_SECONDS, STALLED_SECONDS, Submissions
from tests.clocks import StandingClock

ATTEMPT = Attempt(b"a sample", Known(1))
AGAIN = ATTEMPT.after_loss(begun=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    clock = StandingClock()
    monkeypatch.setattr("hyn_k8s.search.submissions.time", clock)
    return clock


def future(key: str) -> Any:
    return SimpleNamespace(key=key)


def submitted(*keys: str, timeout: float | None = 60.0) -> Submissions:
    """The trials 1, 2 and so on as tasks with these keys; an empty one is no task."""
    trials = Submissions(timeout)
    for number, key in enumerate(keys, 1):
        trials.add(number, ATTEMPT, future(key) if key else None)
    return trials


class TestTable:
    def test_a_trial_is_known_by_its_latest_attempt(self) -> None:
        trials, first, second = Submissions(None), future("a"), future("b")
        trials.add(1, ATTEMPT, first)
        trials.add(1, AGAIN, second)
        assert (trials.has(1, first), trials.has(1, second)) == (False, True)
        assert (trials.number_of("a"), trials.number_of("b")) == (None, 1)
        assert trials[1].attempt == AGAIN

    def test_what_has_ended_is_not_there(self) -> None:
        trials, task = Submissions(None), future("a")
        trials.add(1, ATTEMPT, task)
        assert trials.remove(1).future is task
        assert (len(trials), trials.has(1, task), trials.number_of("a")) == (0, False, None)

    def test_a_task_may_go_on_as_another_attempt(self, clock: StandingClock) -> None:
        trials = submitted("a")
        begun = trials[1]
        clock.now += 5
        trials.carry_on(1, AGAIN)
        assert (trials[1].attempt, trials[1].future) == (AGAIN, begun.future)
        assert trials[1].since == begun.since

    def test_trials_keep_their_order_whatever_becomes_of_them(self) -> None:
        trials = submitted("a", "b", "c")
        trials.carry_on(1, AGAIN)
        trials.pause(2, AGAIN, 5.0)
        assert trials.numbers() == [1, 2, 3]
        assert [trial.key for trial in trials.clear()] == ["a", "", "c"]
        assert trials.numbers() == []

    def test_the_tasks_of_a_worker_are_those_it_has_begun(self) -> None:
        trials = submitted("a", "b", "c", "")
        started = {"a": ("here", 0.0), "b": ("there", 0.0), "d": ("here", 0.0)}
        assert trials.keys_at("here", started) == ["a"]


class TestPauses:
    def test_a_trial_resumes_when_its_pause_is_over(self, clock: StandingClock) -> None:
        trials = submitted("a", "b", timeout=None)
        trials.pause(1, AGAIN, 5.0)
        assert (trials[1].key, trials.resuming(), trials.times({})) == ("", [], [1005.0])
        clock.now += 5
        assert trials.resuming() == [1]
        trials.add(1, AGAIN, None)
        assert (trials.resuming(), trials.times({})) == ([], [])


class TestTimeout:
    def test_without_one_no_trial_is_ever_overdue(self, clock: StandingClock) -> None:
        trials = submitted("a", timeout=None)
        clock.now += 1e9
        assert (trials.overdue({"a": ("here", 0.0)}), trials.times({})) == ([], [])

    def test_it_counts_from_a_trials_beginning_on_its_worker(self, clock: StandingClock) -> None:
        trials, started = submitted("a"), {"a": ("here", 1030.0)}
        assert trials.times(started) == [1090.0]
        clock.now = 1089.0
        assert trials.overdue(started) == []
        clock.now = 1090.0
        assert trials.overdue(started) == [1]

    def test_one_of_which_nothing_is_heard_is_overdue_a_little_later(
        self, clock: StandingClock
    ) -> None:
        trials = submitted("a")
        end = 1000.0 + SILENT_SECONDS + 60.0
        assert trials.times({}) == [end]
        clock.now = end
        assert trials.overdue({}) == [1]

    def test_one_that_waits_for_its_turn_is_given_its_time_anew(self, clock: StandingClock) -> None:
        trials = submitted("a")
        clock.now += 1000
        trials.give_time(1)
        assert trials.overdue({}) == []
        assert trials.times({}) == [clock.now + SILENT_SECONDS + 60.0]

    def test_one_without_a_task_has_no_end(self, clock: StandingClock) -> None:
        trials = submitted("")
        clock.now += 1000
        assert (trials.overdue({}), trials.times({})) == ([], [])


def test_only_what_was_submitted_long_ago_and_has_not_begun_is_unheard_of(
    clock: StandingClock,
) -> None:
    trials = submitted("a", "b", timeout=None)
    clock.now += STALLED_SECONDS
    trials.add(3, ATTEMPT, future("c"))
    assert trials.unheard_of({}) == {}
    clock.now += 1
    assert list(trials.unheard_of({"b": ("here", 0.0)})) == [1]


class TestTakenOver:
    """Trials that an earlier driver began, and that run."""

    @pytest.mark.parametrize(
        ("ran", "left"), [(20.0, 40.0), (55.0, SILENT_SECONDS), (3600.0, SILENT_SECONDS)]
    )
    def test_it_has_what_is_left_of_its_time_and_a_moment_to_say_that_it_has_ended(
        self, clock: StandingClock, ran: float, left: float
    ) -> None:
        trials = Submissions(60.0)
        trials.add(1, ATTEMPT, future("a"), ["tcp://here"], ran)
        assert trials.times({}) == [clock.now + left]

    def test_its_time_begins_anew_when_it_is_run_anew(self, clock: StandingClock) -> None:
        trials = Submissions(60.0)
        trials.add(1, ATTEMPT, future("a"), ["tcp://here"], 50.0)
        assert trials.times({"a": ("tcp://here", clock.now)}) == [clock.now + 60.0]

    def test_it_is_stranded_when_the_worker_is_gone(self) -> None:
        trials = Submissions(None)
        trials.add(1, ATTEMPT, future("a"), ["tcp://here", "tcp://there"])
        trials.add(2, ATTEMPT, future("b"))
        assert trials.stranded(["tcp://there"]) == []
        assert trials.stranded(["tcp://elsewhere"]) == [1]
