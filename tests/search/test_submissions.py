"""What a driver knows of the trials it has submitted, and when something is due of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hyn_k8s.search.attempts import Attempt
from hyn_k8s.search.knowledge import Known
from hyn_k8s.search.submissions import STALLED_SECONDS, Submissions
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


def submitted(*keys: str) -> Submissions:
    """The trials 1, 2 and so on as tasks with these keys; an empty one is no task."""
    trials = Submissions()
    for number, key in enumerate(keys, 1):
        trials.add(number, ATTEMPT, future(key) if key else None)
    return trials


class TestTable:
    def test_a_trial_is_known_by_its_latest_attempt(self) -> None:
        trials, first, second = Submissions(), future("a"), future("b")
        trials.add(1, ATTEMPT, first)
        trials.add(1, AGAIN, second)
        assert (trials.has(1, first), trials.has(1, second)) == (False, True)
        assert (trials.number_of("a"), trials.number_of("b")) == (None, 1)
        assert trials[1].attempt == AGAIN

    def test_what_has_ended_is_not_there(self) -> None:
        trials, task = Submissions(), future("a")
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


class TestPauses:
    def test_a_trial_resumes_when_its_pause_is_over(self, clock: StandingClock) -> None:
        trials = submitted("a", "b")
        trials.pause(1, AGAIN, 5.0)
        assert (trials[1].key, trials.resuming(), trials.times()) == ("", [], [1005.0])
        clock.now += 5
        assert trials.resuming() == [1]
        trials.add(1, AGAIN, None)
        assert (trials.resuming(), trials.times()) == ([], [])


class TestHeld:
    def test_what_could_not_be_submitted_is_held(self) -> None:
        trials = submitted("a", "", "c")
        assert [number for number, _ in trials.held()] == [2]
        trials.pause(2, AGAIN, 5.0)
        assert trials.held() == []


class TestUnbegun:
    def test_those_that_no_worker_says_it_runs(self, clock: StandingClock) -> None:
        trials = submitted("a", "b", "")
        assert list(trials.unbegun({"a"}, clock.now + 1)) == [2]
        assert trials.unbegun({"a"}, clock.now) == {}


def test_only_what_was_submitted_long_ago_and_has_not_begun_is_unheard_of(
    clock: StandingClock,
) -> None:
    trials = submitted("a", "b")
    clock.now += STALLED_SECONDS
    trials.add(3, ATTEMPT, future("c"))
    assert trials.unheard_of(set()) == {}
    clock.now += 1
    assert list(trials.unheard_of({"b"})) == [1]


class TestStranded:
    def test_it_is_stranded_when_the_worker_is_gone(self) -> None:
        trials = Submissions()
        trials.add(1, ATTEMPT, future("a"), ["tcp://here", "tcp://there"])
        trials.add(2, ATTEMPT, future("b"))
        assert trials.stranded(["tcp://there"]) == []
        assert trials.stranded(["tcp://elsewhere"]) == [1]
