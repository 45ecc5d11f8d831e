"""What a driver finds of trials that an earlier one began, and how executions share one trial."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search.adoption import (
    LEFT_AFTER_SECONDS,
    Running,
    leave,
    read_left,
    shared_execution,
    still_running,
)
from hyn_k8s.search.fencing import FencedStorage
from hyn_k8s.search.outcome import FAILED, PRUNED, SUCCEEDED, Outcome
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage
from tests.waiting import until

HERE, THERE = "tcp://10.0.0.1:4000", "tcp://10.0.0.2:4000"
PATH = "heart-1/search-1/outcomes/00007_abcdef012345.pkl"


def started(task: str, worker: str = HERE, ran: float = 0.0) -> dict[str, Any]:
    return {
        "started": task,
        "worker": worker,
        "search": "search-1",
        "trial": f"trial of {task}",
        "ran": ran,
    }


def ended(task: str) -> dict[str, Any]:
    return {"ended": task, "outcome": b"", "search": "search-1"}


class TestStillRunning:
    def test_what_began_and_did_not_end(self) -> None:
        said = [(100.0, started("a", ran=0.5)), (101.0, started("b")), (102.0, ended("b"))]
        assert still_running(said, [HERE]) == {"trial of a": Running(HERE, 99.5)}

    def test_not_on_a_worker_that_is_gone(self) -> None:
        said = [(100.0, started("a")), (100.0, started("b", THERE))]
        assert set(still_running(said, [THERE])) == {"trial of b"}

    def test_a_task_that_began_again_is_where_it_began_last(self) -> None:
        said = [(100.0, started("a")), (200.0, started("a", THERE))]
        assert still_running(said, [HERE, THERE]) == {"trial of a": Running(THERE, 200.0)}

    def test_other_messages_say_nothing(self) -> None:
        said: list[tuple[float, dict[str, Any]]]
        said = [(1.0, {"joined": "node-1"}), (2.0, {"leaving": ["a"]}), (3.0, {"wanted": "x"})]
        assert still_running(said, [HERE]) == {}


@pytest.fixture
def here(storage: Storage) -> Site:
    return Site(storage)


class TestSharedExecution:
    def test_one_runs_and_another_waits(self, here: Site) -> None:
        order: list[str] = []
        with shared_execution(here, PATH) as first, first.lock:

            def run() -> None:
                with shared_execution(here, PATH) as second, second.lock:
                    order.append("second")
                    assert second.begun == first.begun

            thread = threading.Thread(target=run)
            thread.start()
            until(lambda: first.count == 2, "the second execution", 10)
            order.append("first")
        thread.join(10)
        assert order == ["first", "second"]

    def test_its_time_begins_anew_when_nobody_runs_it(self, here: Site) -> None:
        with shared_execution(here, PATH) as first:
            pass
        until(lambda: time.monotonic() > first.begun, "a later moment", 10)
        with shared_execution(here, PATH) as second:
            assert second.begun > first.begun

    def test_other_trials_and_other_storages_are_apart(
        self, here: Site, storage: Storage, tmp_path: Any
    ) -> None:
        other = Site(type(storage)(storage.settings.__class__("file", str(tmp_path / "other"))))
        with contextlib.ExitStack() as all_at_once:
            for site, path in ((here, PATH), (here, f"{PATH}-2"), (other, PATH)):
                shared = all_at_once.enter_context(shared_execution(site, path))
                assert shared.lock.acquire(blocking=False)


def away() -> None:
    """Says that the storage is away, before each write."""
    raise StorageError("/shared", "it is away")


def outcome(status: str, took: float) -> Outcome:
    return Outcome(7, status, [0.5], took, 100.0, 100.0 + took, "node-1")


class TestLeaving:
    @pytest.mark.parametrize("status", [SUCCEEDED, PRUNED])
    def test_one_that_took_its_time_is_found(self, here: Site, status: str) -> None:
        leave(here, PATH, outcome(status, LEFT_AFTER_SECONDS), b"it")
        assert read_left(here, PATH) == b"it"

    @pytest.mark.parametrize(
        "left", [outcome(SUCCEEDED, LEFT_AFTER_SECONDS / 2), outcome(FAILED, 3600.0)]
    )
    def test_a_short_one_or_a_failed_one_is_run_again(self, here: Site, left: Outcome) -> None:
        leave(here, PATH, left, b"it")
        assert read_left(here, PATH) is None

    def test_a_storage_that_is_away_does_not_fail_the_trial(self, storage: Storage) -> None:
        leave(Site(FencedStorage(storage, away)), PATH, outcome(SUCCEEDED, 3600.0), b"it")
