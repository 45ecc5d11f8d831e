"""The runs that a Dask worker takes trials of, each with trial processes of its own.

A worker of a cluster that is not ours has to stay as it was. So all of a run is in trial
processes, and what the worker process itself holds is this: a trial host while any run needs it,
and for each run the request by which a trial process joins it. Both go when the driver says so, or
when the scheduler does not know the driver's client any more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import pickle
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hyn_k8s.errors import WorkerError
from hyn_k8s.search.hosting import Host, HostError, TrialProcess
from hyn_k8s.search.trial_messages import (
    JoinRun,
    NotJoinedError,
    Said,
    TrialProcessError,
)

if TYPE_CHECKING:
    pass

JOIN_SECONDS = 120.0
"""How long a trial process may take to prove the storage."""

IDLE_SECONDS = 10.0
"""After how long without a trial a worker asks whether the driver of a run is still there."""


class WorkerRuns:
    """The runs of one Dask worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        """By the run's key."""
        self._ending: set[Run] = set()
        """Runs that were left while a trial ran."""
        self._host: Host | None = None
        self._executing: dict[str, TrialProcess] = {}
        """By the key of a Dask task: the process that runs its trial."""
        self.is_ours = False
        """Whether the worker is there for runs only."""
        self.is_watched = False
        """Whether somebody looks now and then for runs whose driver is gone."""

    @property
    def has_any(self) -> bool:
        """Whether this worker takes part in any run."""
        return bool(self._runs)

    def start_host(self) -> None:
        """Let the host start now, and stay: this worker is there for runs only."""
        self.is_ours = True
        with self._lock:
            self._ensure_host()

    def join(self, client: str, request: JoinRun, threads: int) -> None:
        """Take part in a run of the driver that has the Dask client ``client``.

        So many ``threads`` of the worker may run a trial at a time.

        Raises:
            WorkerError: this worker does not fit the run.
        """
        with self._lock:
            run = self._runs.get(request.key)
            if run is not None and run.is_of(client, request):
                return
        self.leave(request.key)  # of an earlier connection of the same driver
        with self._lock:
            self._ensure_host()
            run = self._runs[request.key] = Run(self, client, request, threads)
        try:
            with run.process():
                pass
        except BaseException:
            self.leave(request.key)
            raise

    def host_id(self) -> int:
        """The process id of the host, which is started if there is none."""
        with self._lock:
            return self._ensure_host().pid

    def leave(self, key: str) -> None:
        """Take part in the run ``key`` no more. A trial that runs may come to its end."""
        with self._lock:
            run = self._runs.pop(key, None)
            if run is not None:
                self._ending.add(run)
        if run is not None:
            run.close()

    def forget(self, run: Run) -> None:
        """A run that was left has no trial process any more."""
        with self._lock:
            self._ending.discard(run)
            host = None
            if not self._runs and not self._ending and not self.is_ours:
                host, self._host = self._host, None
        if host is not None:
            host.close()

    def find(self, key: str) -> Run:
        """The run ``key``.

        Raises:
            NotJoinedError: this worker does not take part in it.
        """
        with self._lock:
            if key not in self._runs:
                raise NotJoinedError
            return self._runs[key]

    def has_joined(self, key: str) -> bool:
        """Whether this worker takes part in the run ``key``."""
        return key in self._runs

    def idle(self) -> dict[str, Run]:
        """By their keys: the runs that have had no trial for IDLE_SECONDS."""
        since = time.monotonic() - IDLE_SECONDS
        with self._lock:
            return {key: run for key, run in self._runs.items() if run.idle_since < since}

    @contextlib.contextmanager
    def executing(self, task: str, process: TrialProcess) -> Iterator[None]:
        """Within, ``process`` runs the trial of the Dask task ``task``, and ``stop`` kills it."""
        self._executing[task] = process
        try:
            yield
        finally:
            del self._executing[task]

    def stop(self, tasks: Iterable[str]) -> None:
        """Kill the processes that run the trials of these Dask tasks."""
        for task in tasks:
            process = self._executing.get(task)
            if process is not None:
                process.kill()

    def start_process(self) -> TrialProcess:
        """Start a trial process.

        Raises:
            HostError: the host cannot start.
        """
        with self._lock:
            host = self._ensure_host()
        return host.start_process()

    def _ensure_host(self) -> Host:
        if self._host is None or not self._host.is_alive:
            if self._host is not None:
                self._host.close()
            self._host = Host()
        return self._host


class Run:
    """A run that a worker takes part in."""

    def __init__(self, runs: WorkerRuns, client: str, request: JoinRun, threads: int) -> None:
        self.client = client
        """The id of its driver's Dask client."""
        self._runs = runs
        self._request = request
        self._worker = request.worker
        self._name = request.name
        self._threads = threads
        self._lock = threading.Lock()
        self._idle: list[tuple[int, TrialProcess]] = []
        self._busy: dict[int, TrialProcess | None] = {}
        """By the number of its slot, counted from 1; None while it starts."""
        self._is_closed = False
        self._used = time.monotonic()

    def is_of(self, client: str, request: JoinRun) -> bool:
        """Whether it was joined by this very connection of its driver."""
        return self.client == client and self._request.token == request.token

    @property
    def idle_since(self) -> float:
        """When its last trial ended, on the monotonic clock; infinite while one runs."""
        return float("inf") if self._busy else self._used

    @contextlib.contextmanager
    def process(self) -> Iterator[TrialProcess]:
        """Within, a trial process that nobody else uses.

        Raises:
            WorkerError: none can be started, or it does not fit the run.
        """
        slot, process = self._take()
        try:
            process = process or self._start(slot)
            self._busy[slot] = process
            yield process
        except BaseException:
            self._put_back(slot, None)
            if process is not None:
                process.kill()
                process.close()
            raise
        self._put_back(slot, process)

    def close(self) -> None:
        """End its trial processes; one that runs a trial ends after that."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for _, process in idle:
            process.close()
        self._end_if_idle()

    def _take(self) -> tuple[int, TrialProcess | None]:
        """A slot that is free from now on taken, and its trial process if it has one."""
        with self._lock:
            while self._idle:
                slot, process = self._idle.pop()
                if process.has_ended:  # by a thread that a trial left, say, or for want of memory
                    process.close()
                    continue
                self._busy[slot] = process
                return slot, process
            if self._is_closed:
                raise NotJoinedError
            slot = next(number for number in itertools.count(1) if number not in self._busy)
            self._busy[slot] = None
            return slot, None

    def _put_back(self, slot: int, process: TrialProcess | None) -> None:
        with self._lock:
            self._used = time.monotonic()
            del self._busy[slot]
            if process is not None and not self._is_closed:
                self._idle.append((slot, process))
                return
        if process is not None:
            process.close()
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._is_closed and not self._busy:
            self._runs.forget(self)

    def _start(self, slot: int) -> TrialProcess:
        """A new trial process that has joined the run."""
        name = self._name if self._threads == 1 else f"{self._name}-{slot}"
        request = dataclasses.replace(self._request, name=name)
        try:
            process = self._runs.start_process()
        except (HostError, OSError) as error:
            lasting = isinstance(error, HostError)
            sentence = f"no trial process can start: {error}"
            raise WorkerError(self._worker, sentence, lasting) from None
        pickled = pickle.dumps(request)
        process.logs.join(pickled)
        try:
            if request.memory is not None:
                process.limit_memory(request.memory)
            said, problem = process.ask(pickled, time.monotonic() + JOIN_SECONDS)
            if said is Said.JOINED:
                return process
        except TimeoutError:
            sentence = f"its storage did not answer within {JOIN_SECONDS:.0f} s"
            problem = WorkerError(self._worker, sentence, False, of_storage=True)
        except (TrialProcessError, OSError) as died:
            problem = WorkerError(self._worker, f"no trial process can start: {died}", False)
        process.close()
        raise problem
