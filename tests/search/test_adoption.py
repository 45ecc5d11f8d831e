"""How executions of one trial share it, and what is stored of it for another driver."""

from __future__ import annotations

import contextlib
import pathlib
import threading
import time
from collections.abc import Iterator

import pytest

from hyn_k8s.errors import StorageError, WorkerError
from hyn_k8s.search import site
from hyn_k8s.search.adoption import (
    STORED_AFTER_SECONDS,
    alone,
    read_outcome_at,
    running_here,
    shared_execution,
    store_outcome,
)
from hyn_k8s.search.fencing import FencedStorage
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.outcome import FAILED, PRUNED, SUCCEEDED, Outcome
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage
from tests.waiting import until

PATH = "heart-1/search-1/outcomes/00007_abcdef012345.pkl"


@pytest.fixture
def here(storage: Storage) -> Site:
    return Site(storage)


@pytest.fixture
def run(here: Site) -> Iterator[str]:
    """The key of a run that this process has joined."""
    site.enter("run-key", here.storage)
    yield "run-key"
    site.leave("run-key")


class Another:
    """An execution of the trial at PATH in a thread of its own."""

    def __init__(self, here: Site, run: str) -> None:
        self.waited: list[bool] = []
        self.error: WorkerError | None = None
        self._arguments = here, run
        self._thread = threading.Thread(target=self._execute)
        self._thread.start()

    def _execute(self) -> None:
        here, run = self._arguments
        try:
            with shared_execution(here, PATH) as shared, alone(shared, run) as waited:
                self.waited.append(waited)
        except WorkerError as error:
            self.error = error

    def end(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


class TestSharedExecution:
    def test_one_runs_and_another_waits(self, here: Site, run: str) -> None:
        with shared_execution(here, PATH) as first, alone(first, run) as waited:
            other = Another(here, run)
            until(lambda: first.count == 2, "the second execution", 10)
            assert (waited, other.waited) == (False, [])
        other.end()
        assert other.waited == [True]

    def test_one_whose_driver_is_gone_waits_no_more(self, here: Site, run: str) -> None:
        with shared_execution(here, PATH) as first, alone(first, run):
            other = Another(here, run)
            until(lambda: first.count == 2, "the second execution", 10)
            site.leave(run)
            other.end()
        assert "the driver of the run run-key is gone" in str(other.error)

    def test_its_time_begins_anew_when_nobody_runs_it(self, here: Site) -> None:
        with shared_execution(here, PATH) as first:
            pass
        until(lambda: time.monotonic() > first.begun, "a later moment", 10)
        with shared_execution(here, PATH) as second:
            assert second.begun > first.begun

    def test_other_trials_and_other_storages_are_apart(
        self, here: Site, run: str, tmp_path: pathlib.Path
    ) -> None:
        other = Site(FileStorage(StorageSettings("file", str(tmp_path / "other"))))
        with contextlib.ExitStack() as all_at_once:
            for its_site, path in ((here, PATH), (here, f"{PATH}-2"), (other, PATH)):
                shared = all_at_once.enter_context(shared_execution(its_site, path))
                assert all_at_once.enter_context(alone(shared, run)) is False


class TestRunningHere:
    def test_those_of_one_search_and_for_how_long(self, here: Site) -> None:
        directory = PATH.rpartition("/")[0]
        others = f"{directory}-2/00001_abcdef012345.pkl"
        with shared_execution(here, PATH) as shared, shared_execution(here, others):
            shared.begun -= 100
            found = running_here(here.storage.url, directory)
            assert running_here("s3://elsewhere", directory) == {}
        assert list(found) == [PATH]
        assert 100 <= found[PATH] < 110
        assert running_here(here.storage.url, directory) == {}


def away() -> None:
    """Says that the storage is away, before each write."""
    raise StorageError("/shared", "it is away")


def outcome(status: str, took: float) -> Outcome:
    return Outcome(7, status, [0.5], took, 100.0, 100.0 + took, "node-1")


class TestStoring:
    @pytest.mark.parametrize("status", [SUCCEEDED, PRUNED])
    def test_one_that_took_its_time_is_found(self, here: Site, status: str) -> None:
        store_outcome(here, PATH, outcome(status, STORED_AFTER_SECONDS), b"it")
        assert read_outcome_at(here, PATH) == b"it"

    @pytest.mark.parametrize(
        "left", [outcome(SUCCEEDED, STORED_AFTER_SECONDS / 2), outcome(FAILED, 3600.0)]
    )
    def test_a_short_one_or_a_failed_one_is_run_again(self, here: Site, left: Outcome) -> None:
        store_outcome(here, PATH, left, b"it")
        assert read_outcome_at(here, PATH) is None

    def test_a_storage_that_is_away_does_not_fail_the_trial(self, storage: Storage) -> None:
        store_outcome(Site(FencedStorage(storage, away)), PATH, outcome(SUCCEEDED, 3600.0), b"it")
