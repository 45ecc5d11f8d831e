"""How long a scheduler or all workers may be away, and what a user is told meanwhile."""

from __future__ import annotations

import math

import pytest

from hyn_k8s.errors import SchedulerError
from hyn_k8s.search.watch import ClusterWatch
from tests.clocks import StandingClock

ADDRESS = "tcp://scheduler:8786"
MONTH = 30 * 24 * 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    clock = StandingClock()
    monkeypatch.setattr("hyn_k8s.search.watch.time", clock)
    return clock


class Told:
    """A watch, and what it has told."""

    def __init__(self, patience: float) -> None:
        self.sentences: list[str] = []
        self.watch = ClusterWatch(patience, lambda sentence: self.sentences.append(str(sentence)))


def test_workers_are_waited_for_as_long_as_it_says_and_told_once(clock: StandingClock) -> None:
    told = Told(60.0)
    for _ in range(6):
        told.watch.miss_workers(ADDRESS)
        clock.now += 10
    told.watch.miss_workers(ADDRESS)
    assert told.sentences == [
        f"No worker is connected to {ADDRESS}; trials wait for one up to 60 s."
    ]
    clock.now += 1
    with pytest.raises(SchedulerError, match=r"for 60 s \(HYN_SEARCH_CLUSTER_PATIENCE\)"):
        told.watch.miss_workers(ADDRESS)


def test_the_time_begins_anew_when_workers_were_there(clock: StandingClock) -> None:
    told = Told(60.0)
    told.watch.miss_workers(ADDRESS)
    clock.now += 59
    told.watch.find_workers()
    clock.now += 59
    told.watch.miss_workers(ADDRESS)
    assert len(told.sentences) == 2


def test_a_scheduler_is_waited_for_as_long_as_it_says(clock: StandingClock) -> None:
    told = Told(60.0)
    told.watch.miss_scheduler(ADDRESS, 3)
    assert told.watch.is_scheduler_away
    assert told.sentences == [
        f"The Dask scheduler {ADDRESS} went away; 3 trials wait for it up to 60 s, and begin again "
        "then"
    ]
    clock.now += 61
    with pytest.raises(SchedulerError, match=r"within 60 s \(HYN_SEARCH_CLUSTER_PATIENCE\)"):
        told.watch.miss_scheduler(ADDRESS, 3)


def test_without_a_limit_both_are_waited_for_without_end(clock: StandingClock) -> None:
    told = Told(math.inf)
    for _ in range(2):
        told.watch.miss_workers(ADDRESS)
        told.watch.miss_scheduler(ADDRESS, 3)
        clock.now += MONTH
    assert [sentence.rpartition(";")[2] for sentence in told.sentences] == [
        " trials wait for one.",
        " 3 trials wait for it, and begin again then",
    ]
