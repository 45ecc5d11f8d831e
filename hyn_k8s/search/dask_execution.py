"""Trials on a Dask cluster. Each submitted trial ends once, however many workers are lost.

It waits for results in the client's own event loop and hands them over through a queue, so
nothing polls. It counts the workers lost under a trial, submits the trial again, and gives up on
a trial that keeps killing its workers. Dask blames a lost worker on every trial that was assigned
to it, also on those that only waited there; a loss counts here when the trial is known to have
begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import functools
import pickle
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import Future, KilledWorker

from hyn_k8s.errors import HynError, SchedulerError
from hyn_k8s.search import shipping
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.knowledge import Keeper, Known
from hyn_k8s.search.outcome import FAILED, Failure, Outcome, failure_of
from hyn_k8s.search.remote import run_trial_remotely
from hyn_k8s.search.trial import SearchTask

NO_WORKER_SECONDS = 300.0
"""How long trials may wait on a cluster without a single worker."""

UNLUCKY_PER_ATTEMPT = 4
"""How many losses before a known beginning weigh as one: a trial may kill too fast to announce."""

LOOK_SECONDS = 10.0
"""How often a driver that has nothing to do looks whether there are workers at all."""


@dataclass(frozen=True)
class _Submission:
    """What every attempt of a trial is given, so that all come to the same."""

    sample: bytes
    known: Known


@dataclass(frozen=True)
class _Submitted:
    """A trial that has not ended, in one of its attempts."""

    submission: _Submission
    future: Future
    lost: int = 0
    """Earlier attempts that lost their worker after the trial had begun there."""
    unlucky: int = 0
    """Earlier attempts that lost their worker, the trial not known to have begun."""


@dataclass(frozen=True)
class _Lost:
    """An attempt that came to nothing because of its worker or the connection."""

    error: BaseException


class _Note(enum.Enum):
    """What may reach the driver's thread beside a trial's end."""

    INTERRUPTED = enum.auto()
    CONTEXT_WANTED = enum.auto()


class DaskExecution:
    """Trials as tasks of a Dask client, one task an attempt."""

    def __init__(
        self,
        cluster: Cluster,
        search: SearchTask,
        attempts: int,
        failed_reward: Any,
        keeper: Keeper,
        tell: Callable[[str], None],
    ) -> None:
        self._client = cluster.client
        self._address = cluster.address
        self._started = cluster.started
        self._task = pickle.dumps(search)
        self._name = f"{search.key}-{search.paths.name}"
        self._attempts = attempts
        self._failed_reward = failed_reward
        self._keeper = keeper
        self._tell = tell
        self._submitted: dict[int, _Submitted] = {}
        self._ended: queue.SimpleQueue[tuple[int, Future, Any] | _Note] = queue.SimpleQueue()
        self._wanted = cluster.wanted
        self._search = search.paths.name
        self._wanted[self._search] = functools.partial(self._ended.put, _Note.CONTEXT_WANTED)

    def submit(self, number: int, sample: Any) -> None:
        pickled = shipping.dumps(sample, f"the sample of trial {number}")
        submission = _Submission(pickled, self._keeper.write_known())
        self._submit(number, submission, lost=0, unlucky=0)

    def next(self) -> Outcome:
        while True:
            number, future, result = self._wait()
            trial = self._submitted.get(number)
            if trial is None or trial.future is not future:
                continue  # an attempt that was given up
            begun = future.key in self._started
            self._started.discard(future.key)
            if isinstance(result, _Lost):
                self._require_scheduler(result.error)
                lost, unlucky = trial.lost + begun, trial.unlucky + (not begun)
                if lost + unlucky // UNLUCKY_PER_ATTEMPT < self._attempts:
                    self._submit(number, trial.submission, lost, unlucky)
                    continue
                result = self._poison(number, lost + unlucky)
            elif isinstance(result, HynError):
                raise result.with_traceback(None)
            elif isinstance(result, BaseException):
                result = self._failed(number, failure_of(result))
            del self._submitted[number]
            return result if isinstance(result, Outcome) else self._loaded(number, result)

    def cancel(self) -> None:
        self._wanted.pop(self._search, None)
        futures = [trial.future for trial in self._submitted.values()]
        self._submitted.clear()
        if futures and self._client.status == "running":
            with contextlib.suppress(Exception):  # the cluster may be gone: then they are too
                self._client.cancel(futures, force=True)

    def interrupt(self) -> None:
        self._ended.put(_Note.INTERRUPTED)

    def _submit(self, number: int, submission: _Submission, lost: int, unlucky: int) -> None:
        self._require_scheduler()
        future = self._client.submit(
            run_trial_remotely,
            self._task,
            number,
            submission.sample,
            submission.known,
            key=f"{self._name}-trial-{number}-{lost + unlucky + 1}",
            pure=False,
        )
        self._submitted[number] = _Submitted(submission, future, lost, unlucky)
        self._client.loop.add_callback(self._deliver, number, future)

    async def _deliver(self, number: int, future: Future) -> None:
        """Runs in the client's event loop: wait for one attempt and hand over what it came to."""
        try:
            result = await self._client.gather(future, asynchronous=True)
        except (Exception, asyncio.CancelledError) as error:
            # A future whose task failed says so; anything else was done to it by the cluster.
            failed = future.status == "error" and not isinstance(error, KilledWorker)
            result = error if failed else _Lost(error)
        self._ended.put((number, future, result))

    def _wait(self) -> tuple[int, Future, Any]:
        without_worker_since: float | None = None
        while True:
            try:
                ended = self._ended.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                pass
            else:
                if ended is _Note.INTERRUPTED:
                    raise KeyboardInterrupt
                if not isinstance(ended, _Note):
                    return ended
                self._keeper.write_wanted_context()
                continue
            self._require_scheduler()
            if self._client.scheduler_info().get("workers"):
                without_worker_since = None
                continue
            now = time.monotonic()
            if without_worker_since is None:
                without_worker_since = now
                self._tell(f"No worker is connected to {self._address}; trials wait for one.")
            if now - without_worker_since > NO_WORKER_SECONDS:
                problem = f"no worker was connected to it for {NO_WORKER_SECONDS:.0f} s"
                raise SchedulerError(self._address, problem)

    def _require_scheduler(self, error: BaseException | None = None) -> None:
        """Stop when the scheduler is gone: nothing that was submitted can end any more."""
        gone = getattr(error, "reason", None) == "scheduler-connection-lost"
        if gone or self._client.status != "running":
            problem = f"it went away while {len(self._submitted)} trials were running"
            raise SchedulerError(self._address, problem)

    def _loaded(self, number: int, result: bytes) -> Outcome:
        try:
            outcome: Outcome = pickle.loads(result)
        except Exception as error:  # a class of the script that only the worker can make sense of
            return self._failed(number, failure_of(error))
        if outcome.status == FAILED:
            return dataclasses.replace(outcome, reward=self._failed_reward)
        return outcome

    def _poison(self, number: int, losses: int) -> Outcome:
        times = "once" if losses == 1 else f"{losses} times"
        text = f"the trial lost its worker {times}; it may have run out of memory"
        return self._failed(number, Failure(f"KilledWorker: {text}", text))

    def _failed(self, number: int, failure: Failure) -> Outcome:
        now = time.time()
        return Outcome(
            number, FAILED, self._failed_reward, 0.0, now, now, "unknown", failure=failure
        )
