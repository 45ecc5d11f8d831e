"""How executions of one trial share it, and what is stored of it for another driver."""

from __future__ import annotations

import contextlib
import threading

import pytest

from hyn_k8s.search.adoption import alone, running_here, shared_execution
from hyn_k8s.search.trial_messages import NotJoinedError
from tests.waiting import until

PATH = "heart-1/search-1/outcomes/00007_abcdef012345.pkl"


URL = "/shared"


class Worker:
    """What decides whether an execution still waits."""

    def __init__(self) -> None:
        self.joined = True

    def check(self) -> None:
        if not self.joined:
            raise NotJoinedError


@pytest.fixture
def worker() -> Worker:
    return Worker()


class Another:
    """An execution of the trial at PATH in a thread of its own."""

    def __init__(self, worker: Worker) -> None:
        self.waited: list[bool] = []
        self.error: NotJoinedError | None = None
        self._worker = worker
        self._thread = threading.Thread(target=self._execute)
        self._thread.start()

    def _execute(self) -> None:
        try:
            with shared_execution(URL, PATH) as shared, alone(shared, self._worker.check) as waited:
                self.waited.append(waited)
        except NotJoinedError as error:
            self.error = error

    def end(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


class TestSharedExecution:
    def test_one_runs_and_another_waits(self, worker: Worker) -> None:
        with shared_execution(URL, PATH) as first, alone(first, worker.check) as waited:
            other = Another(worker)
            until(lambda: first.count == 2, "the second execution", 10)
            assert (waited, other.waited) == (False, [])
        other.end()
        assert other.waited == [True]

    def test_one_whose_driver_is_gone_waits_no_more(self, worker: Worker) -> None:
        with shared_execution(URL, PATH) as first, alone(first, worker.check):
            other = Another(worker)
            until(lambda: first.count == 2, "the second execution", 10)
            worker.joined = False
            other.end()
        assert other.error is not None

    def test_other_trials_and_other_storages_are_apart(self, worker: Worker) -> None:
        with contextlib.ExitStack() as all_at_once:
            for url, path in ((URL, PATH), ("/other", PATH), (URL, f"{PATH}-2")):
                shared = all_at_once.enter_context(shared_execution(url, path))
                assert all_at_once.enter_context(alone(shared, worker.check)) is False


class TestRunningHere:
    def test_those_of_one_search_on_one_storage(self) -> None:
        directory = PATH.rpartition("/")[0]
        others = f"{directory}-2/00001_abcdef012345.pkl"
        with shared_execution(URL, PATH), shared_execution(URL, others):
            assert running_here(URL, directory) == [PATH]
            assert running_here("s3://elsewhere", directory) == []
        assert running_here(URL, directory) == []
