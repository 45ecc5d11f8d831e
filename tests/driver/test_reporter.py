"""What a driver knows of its run, at any moment."""

from __future__ import annotations

import dataclasses
import time

import pytest

from hyn_k8s.documents import Cause, Problem, Stage
from hyn_k8s.driver.problems import Veil
from hyn_k8s.driver.reporter import DriverReporter
from hyn_k8s.errors import RunTakenError, StorageError, WorkerError
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.trouble import Trouble

AWAY = StorageError("/mnt", "its mount is not connected")


class Log:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.shown: list[Progress] = []
        self.told: list[str] = []

    def show(self, progress: Progress) -> None:
        self.shown.append(progress)

    def tell(self, sentence: str) -> None:
        self.told.append(sentence)

    def close(self) -> None:
        """Nothing to close."""


class Moments:
    """A clock that stands where it is put."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def clock() -> Moments:
    return Moments()


@pytest.fixture
def reporter(log: Log, clock: Moments) -> DriverReporter:
    return DriverReporter(log, "/opt/share", 3, Veil(None), clock)


def search(name: str = "search-1", total: int = 10) -> Progress:
    return Progress(f"heart/{name}", total, ("max",), "auc", begun=time.time() - 10)


def test_everything_is_passed_on(reporter: DriverReporter, log: Log) -> None:
    reporter.show(search())
    reporter.tell("a sentence")
    assert log.shown == [search()] or log.shown[0].search == "heart/search-1"
    assert log.told == ["a sentence"]


def test_what_is_waited_for_is_told_until_it_is_there(reporter: DriverReporter, log: Log) -> None:
    waits = Problem(Cause.SCHEDULER, "no scheduler yet")
    reporter.enter(Stage.SCHEDULER, waits)
    assert (reporter.progress().stage, reporter.progress().problem) == (Stage.SCHEDULER, waits)
    assert log.told == ["Waiting: no scheduler yet"]
    reporter.enter(Stage.STORAGE)
    assert (reporter.progress().stage, reporter.progress().problem) == (Stage.STORAGE, None)
    assert reporter.progress().workers_wanted == 3


def test_a_search_seen_again_replaces_its_own_numbers(reporter: DriverReporter) -> None:
    first = search().with_trial(1, "succeeded", [0.5])
    reporter.show(first)
    assert reporter.progress().stage is Stage.SEARCH
    assert reporter.progress().eta_seconds == pytest.approx(90, rel=0.1)
    reporter.show(first.with_trial(2, "failed", None).finished(pareto=2))
    assert reporter.progress().eta_seconds is None
    assert reporter.standing().pareto == 2
    reporter.show(search("search-2", 5))
    trials = reporter.standing().trials
    assert (trials.total, trials.done) == (15, 2)


def test_the_stage_stays_when_all_is_over(reporter: DriverReporter) -> None:
    reporter.enter(Stage.ENDED)
    reporter.show(search())
    assert reporter.progress().stage is Stage.ENDED


def test_workers_follow_the_search(reporter: DriverReporter, clock: Moments) -> None:
    reporter.show(search(total=2))
    clock.now += 31
    assert reporter.progress().workers_wanted == 2
    reporter.show(search("search-2"))
    assert reporter.progress().workers_wanted == 3
    reporter.show(search("search-2").finished())
    clock.now += 31
    assert reporter.progress().workers_wanted == 1
    reporter.note_idle(("w-1",))
    assert reporter.progress().idle_workers == ("w-1",)


def test_no_worker_is_wanted_where_none_takes_part(log: Log) -> None:
    assert DriverReporter(log, "/mnt", None, Veil(None)).progress().workers_wanted == 0


def test_a_storage_that_is_away_is_a_problem_until_a_trial_is_done(
    reporter: DriverReporter, log: Log
) -> None:
    reporter.show(search())
    reporter.tell(Trouble(f"{AWAY}; trying again for 120 s", AWAY))
    assert reporter.progress().problem == Problem(
        Cause.STORAGE, "storage /mnt: its mount is not connected; trying again for 120 s"
    )
    assert "its mount is not connected" in reporter.progress().to_json()
    assert len(log.told) == 1
    reporter.show(dataclasses.replace(search(), succeeded=1))
    assert reporter.progress().problem is None


def test_another_driver_is_a_problem_until_this_one_has_the_run(reporter: DriverReporter) -> None:
    error = RunTakenError("heart", "the process 1 on a-driver drives it")
    reporter.tell(Trouble("heart: the process 1 on a-driver drives it; waiting", error))
    problem = Problem(Cause.TAKEN, "heart: the process 1 on a-driver drives it; waiting")
    assert reporter.progress().problem == problem
    reporter.show(search())
    assert reporter.progress().problem is None


def test_a_worker_that_was_turned_away_is_a_problem_for_a_while(
    reporter: DriverReporter, clock: Moments
) -> None:
    error = WorkerError("w-1", "/mnt is not the driver's storage there", of_storage=True)
    reporter.tell(Trouble(f"A worker gets no trials. {error}", error))
    reporter.show(dataclasses.replace(search(), succeeded=1))
    problem = reporter.progress().problem
    assert problem is not None
    assert problem.cause is Cause.STORAGE
    clock.now += 301
    assert reporter.progress().problem is None
