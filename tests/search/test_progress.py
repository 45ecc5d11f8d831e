"""How far a search is: counts, the best trial, rate and time left, and the line that tells them."""

from __future__ import annotations

import dataclasses
import math
import time

import pytest

from hyn_k8s.search.progress import (
    Best,
    Progress,
    best_text,
    duration_text,
    progress_line,
    rate_text,
)

NAN = math.nan


def progress(direction: str = "max", total: int = 10) -> Progress:
    return Progress("heart-1/search-1", total, (direction, "min"), "auc", begun=1000.0)


def with_rewards(rewards: list[float], direction: str = "max") -> Progress:
    """The progress after one succeeded trial for each of ``rewards``."""
    made = progress(direction)
    for number, reward in enumerate(rewards, 1):
        made = made.with_trial(number, "succeeded", [reward])
    return made


def some() -> Progress:
    """Three of ten done, one of them failed, two more running."""
    made = progress().with_trial(2, "succeeded", [0.9])
    made = made.with_trial(1, "failed", None, "ValueError: no (trial 1)")
    return made.with_trial(3, "succeeded", [0.8]).with_running(2)


def test_trials_are_counted_by_what_became_of_them() -> None:
    made = progress()
    for number, status in enumerate(
        ["succeeded", "failed", "pruned", "skipped", "failed", "succeeded", "succeeded"], 1
    ):
        made = made.with_trial(number, status, [0.5] if status == "succeeded" else None)
    assert (made.succeeded, made.failed, made.pruned, made.skipped) == (3, 2, 1, 1)
    assert made.done == 7


def test_a_status_that_does_not_exist_is_not_counted_as_anything() -> None:
    with pytest.raises(KeyError):
        progress().with_trial(1, "sucseeded", [0.5])


def test_a_value_that_was_handed_out_stays_as_it_is() -> None:
    before = progress()
    after = before.with_trial(1, "succeeded", [0.5]).with_running(3).finished()
    assert before == progress()
    assert after != before
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.running = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rewards", "direction", "best"),
    [
        ([0.5], "max", 1),
        ([0.5, 0.9, 0.7], "max", 2),
        ([0.5, 0.9, 0.1], "min", 3),
        ([-1.0, -0.5, -2.0], "max", 2),
        ([0.0, -1.0], "max", 1),
        ([0.5, 0.5], "max", 1),
        ([0.5, 0.5], "min", 1),
        ([NAN, 0.5, NAN, 0.4], "max", 2),
        ([NAN, 0.5, NAN, 0.4], "min", 4),
        ([0.5, NAN], "max", 1),
        ([NAN, -math.inf], "max", 2),
    ],
)
def test_the_best_trial(rewards: list[float], direction: str, best: int) -> None:
    assert with_rewards(rewards, direction).best == Best(best, (rewards[best - 1],))


def test_no_trial_is_the_best_while_every_reward_is_nan() -> None:
    assert with_rewards([NAN, NAN]).best is None


def test_of_several_rewards_the_first_decides_and_all_are_kept() -> None:
    made = progress().with_trial(1, "succeeded", [0.5, 0.9]).with_trial(2, "succeeded", [0.6, 0.1])
    assert made.best == Best(2, (0.6, 0.1))
    assert made.with_trial(3, "succeeded", [0.6, 0.2]).best == Best(2, (0.6, 0.1))
    assert made.with_trial(3, "succeeded", [0.6, 0.0]).best == Best(3, (0.6, 0.0))


@pytest.mark.parametrize("status", ["failed", "pruned", "skipped"])
def test_a_trial_without_a_reward_leaves_the_best_alone(status: str) -> None:
    made = progress().with_trial(1, "succeeded", [0.5]).with_trial(2, status, None)
    assert made.best == Best(1, (0.5,))


def test_the_last_error_is_that_of_the_trial_that_failed_last() -> None:
    made = progress().with_trial(1, "failed", None, "first").with_trial(2, "failed", None, "second")
    assert made.with_trial(3, "succeeded", [0.5]).last_error == "second"


def test_there_is_no_rate_before_the_first_trial() -> None:
    assert progress().rate(1010.0) is None
    assert progress().eta_seconds(1010.0) is None
    assert some().rate(1000.0) is None


def test_the_rate_is_of_all_trials_that_came_to_something() -> None:
    assert some().rate(1010.0) == pytest.approx(0.3)
    assert some().eta_seconds(1010.0) == pytest.approx(7 / 0.3)


def test_no_time_is_left_when_all_are_done_or_more() -> None:
    made = progress(total=2)
    for number in (1, 2, 3):
        made = made.with_trial(number, "succeeded", [0.5])
        if number > 1:
            assert made.eta_seconds(1010.0) == 0


def test_the_rate_of_an_ended_search_stands_still() -> None:
    ended = dataclasses.replace(some(), ended=1010.0)
    assert ended.rate(2000.0) == some().rate(1010.0)


def test_a_finished_search_has_ended_now_and_runs_nothing() -> None:
    before = time.time()
    finished = some().finished()
    assert finished.ended is not None
    assert before <= finished.ended <= time.time()
    assert finished.running == 0
    assert finished.done == 3


def test_the_line_at_the_beginning() -> None:
    line = progress_line(progress(), 1000.0)
    assert line == "heart-1/search-1: 0/10 done, 0 running, best –"


def test_the_line_in_between() -> None:
    assert progress_line(some(), 1010.0) == (
        "heart-1/search-1: 3/10 done, 2 running, 1 failed, best auc 0.9 (trial 2), "
        "18.0 trials/min, 23 s left"
    )


def test_the_line_at_the_end_tells_of_no_time_left() -> None:
    ended = dataclasses.replace(some(), ended=1010.0, running=0)
    assert progress_line(ended, 5000.0) == (
        "heart-1/search-1: 3/10 done, 0 running, 1 failed, best auc 0.9 (trial 2), 18.0 trials/min"
    )


def test_no_failures_are_not_worth_a_word() -> None:
    assert "failed" not in progress_line(with_rewards([0.5]), 1010.0)


@pytest.mark.parametrize(
    ("reward", "text"),
    [
        (0.123456789, "auc 0.12346 (trial 1)"),
        (1.0, "auc 1 (trial 1)"),
        (-0.5, "auc -0.5 (trial 1)"),
        (1234567.0, "auc 1.2346e+06 (trial 1)"),
    ],
)
def test_the_best_is_told_with_five_digits_and_its_trial(reward: float, text: str) -> None:
    assert best_text(with_rewards([reward])) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (25.04, "25.0 trials/s"),
        (1.0, "1.0 trials/s"),
        (0.5, "30.0 trials/min"),
        (1 / 60, "1.0 trials/min"),
        (1 / 600, "6.0 trials/h"),
    ],
)
def test_a_rate_in_words(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (60, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3600, "1 h 00 min"),
        (3719, "1 h 01 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
