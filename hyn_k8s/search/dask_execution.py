"""Trials on a Dask cluster. Each submitted trial ends once, whatever becomes of its workers.

It waits for results in the client's own event loop and hands them over through a queue, so
nothing polls. A trial that lost its worker is submitted again, for as many attempts as it is
allowed (``attempts``).

Every wait has an end. A trial past its time is stopped with its worker. Ten seconds without any
news are reason to look: whether there is a scheduler, are workers, and whether each trial is where
it can still end. A scheduler that is gone is waited for and given all trials anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import functools
import pickle
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import Future, KilledWorker

from hyn_k8s.errors import HynError, SchedulerError, StorageError
from hyn_k8s.search.attempts import Allowance, Attempt, overrun
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.knowledge import Keeper
from hyn_k8s.search.outcome import Ended, Failure, failed_outcome, failure_of, read_outcome
from hyn_k8s.search.remote import run_trial_remotely
from hyn_k8s.search.state import InFlight
from hyn_k8s.search.trial import SearchTask
from hyn_k8s.search.watch import ClusterWatch

LOOK_SECONDS = 10.0
"""How often a driver that hears nothing looks whether anything can still come."""

STALLED_SECONDS = 60.0
"""After how long a trial that no worker has, while there are workers, is submitted again."""

SILENT_SECONDS = 10.0
"""How much longer than its time a trial may take of which nobody has said that it has begun."""

RECONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class _Submitted:
    """A trial that has not ended, in its latest attempt."""

    attempt: Attempt
    future: Future | None
    """None while there is no scheduler, or the storage is given a pause."""
    since: float
    """When this attempt was submitted."""

    @property
    def key(self) -> str:
        """The key of the attempt's task; empty without one."""
        return "" if self.future is None else str(self.future.key)


@dataclass(frozen=True)
class _Lost:
    """An attempt that came to nothing because of its worker or the connection."""

    error: BaseException


@dataclass(frozen=True)
class _BegunAgain:
    """A task was begun by a second worker: a foreign scheduler forgives some losses by itself."""

    key: str


class _Note(enum.Enum):
    """What may reach the driver's thread beside a trial's end."""

    INTERRUPTED = enum.auto()
    WOKEN = enum.auto()
    CONTEXT_WANTED = enum.auto()


_Heard = tuple[int, Future, Any] | _BegunAgain | _Note
"""What reaches the driver's thread: an attempt that ended, and what else happens meanwhile."""


class DaskExecution:
    """Trials as tasks of a Dask client, one task an attempt.

    ``renew`` gives another connection when the scheduler is gone; ``lost`` hears of each trial
    that lost a worker and whether it had begun there.
    """

    def __init__(
        self,
        cluster: Cluster,
        search: SearchTask,
        allowance: Allowance,
        failed_reward: Any,
        keeper: Keeper,
        renew: Callable[[], Cluster],
        lost: Callable[[int, bool], None],
        tell: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._search = search
        self._task = pickle.dumps(search)
        self._allowance = allowance
        self._failed_reward = failed_reward
        self._keeper = keeper
        self._paused: dict[int, float] = {}
        self._renew = renew
        self._lost = lost
        self._tell = tell
        self._submitted: dict[int, _Submitted] = {}
        self._tasks = 0
        self._heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()
        self._watch = ClusterWatch(tell)
        self._listen()

    def submit(self, number: int, asked: InFlight) -> None:
        known = self._keeper.write_known(asked.known)
        self._submit(number, Attempt(asked.pickled, known, asked.lost, asked.unlucky))

    def next(self, timeout: float | None = None) -> Ended | None:
        leave_at = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._watch.is_scheduler_away:
                self._reconnect()
            self._submit_paused()
            heard = self._hear(leave_at)
            if heard is _Note.INTERRUPTED:
                raise KeyboardInterrupt
            if heard is _Note.WOKEN:
                return None
            if heard is _Note.CONTEXT_WANTED:
                self._keeper.write_wanted_context()
            elif heard is not None:
                if isinstance(heard, _BegunAgain):
                    ended = self._lose_silently(heard.key)
                else:
                    ended = self._take(*heard)
                if ended is not None:
                    return ended
            elif leave_at is not None and time.monotonic() >= leave_at:
                return None
            else:
                late = self._overrun()
                if late is not None:
                    return self._stop(*late)
                self._look()

    def wake(self) -> None:
        self._heard.put(_Note.WOKEN)

    def interrupt(self) -> None:
        self._heard.put(_Note.INTERRUPTED)

    def cancel(self) -> None:
        self._cluster.wanted.pop(self._search.paths.name, None)
        self._cluster.begun_again.pop(self._search.paths.name, None)
        trials = list(self._submitted.values())
        self._submitted.clear()
        self._paused.clear()
        self._cancel(trials)

    def _cancel(self, trials: list[_Submitted]) -> None:
        futures = [trial.future for trial in trials if trial.future is not None]
        if futures and self._cluster.client.status == "running":
            with contextlib.suppress(Exception):  # the cluster may be gone: then they are too
                self._cluster.client.cancel(futures, force=True)

    def _listen(self) -> None:
        wanted = functools.partial(self._heard.put, _Note.CONTEXT_WANTED)
        self._cluster.wanted[self._search.paths.name] = wanted
        self._cluster.begun_again[self._search.paths.name] = self._hear_again

    def _hear_again(self, key: str) -> None:
        self._heard.put(_BegunAgain(key))

    def _submit(self, number: int, attempt: Attempt) -> None:
        now = time.monotonic()
        client = self._cluster.client
        if client.status != "running":
            self._miss_scheduler()
            self._submitted[number] = _Submitted(attempt, None, now)
            return
        self._tasks += 1
        future = client.submit(
            run_trial_remotely,
            self._task,
            number,
            attempt.sample,
            attempt.known,
            key=f"{self._search.key}-{self._search.paths.name}-trial-{number}-{self._tasks}",
            pure=False,
        )
        self._submitted[number] = _Submitted(attempt, future, now)
        client.loop.add_callback(self._deliver, client, number, future)

    async def _deliver(self, client: Any, number: int, future: Future) -> None:
        """Runs in the client's event loop: wait for one attempt and hand over what it came to."""
        try:
            result = await client.gather(future, asynchronous=True)
        except (Exception, asyncio.CancelledError) as error:
            # A future whose task failed says so; anything else was done to it by the cluster.
            failed = future.status == "error" and not isinstance(error, KilledWorker)
            result = error if failed else _Lost(error)
        self._heard.put((number, future, result))

    def _hear(self, leave_at: float | None) -> _Heard | None:
        """What comes next; None when it is time to look at something."""
        now = time.monotonic()
        away = self._watch.is_scheduler_away
        times = [now + (RECONNECT_SECONDS if away else LOOK_SECONDS)]
        times += [] if leave_at is None else [leave_at]
        times += [*self._paused.values(), *(end for _, end in self._ends())]
        try:
            return self._heard.get(timeout=max(0.0, min(times) - now))
        except queue.Empty:
            return None

    def _take(self, number: int, future: Future, result: Any) -> Ended | None:
        """What an attempt came to; None if the trial goes on with another one."""
        trial = self._submitted.get(number)
        if trial is None or trial.future is not future:
            return None  # an attempt that was given up
        if isinstance(result, _Lost) and self._scheduler_is_gone(result.error):
            self._miss_scheduler()
            return None  # nobody's loss; all are submitted again
        begun, left = self._forget(trial.key)
        if isinstance(result, _Lost):
            ended = None if left else self._charge(number, begun)
            if ended is None:
                self._submit(number, self._submitted[number].attempt)
            return ended
        if isinstance(result, StorageError):
            self._try_storage(number, trial, result)
            return None
        if isinstance(result, HynError):
            raise result.with_traceback(None)
        del self._submitted[number]
        if isinstance(result, BaseException):
            return self._failed(number, failure_of(result))
        return Ended(read_outcome(number, result, self._failed_reward), result)

    def _forget(self, key: str) -> tuple[bool, bool]:
        """Whether the attempt had begun, and whether its worker said that it leaves."""
        begun = self._cluster.started.pop(key, None) is not None
        left = key in self._cluster.left
        self._cluster.left.discard(key)
        return begun, left

    def _charge(self, number: int, begun: bool) -> Ended | None:
        """A worker was lost under the trial: its end, if that was one too many."""
        self._lost(number, begun)
        trial = self._submitted[number]
        attempt = trial.attempt.after_loss(begun)
        if attempt.is_poisonous(self._allowance):
            del self._submitted[number]
            return self._failed(number, attempt.poison())
        self._submitted[number] = _Submitted(attempt, trial.future, trial.since)
        return None

    def _lose_silently(self, key: str) -> Ended | None:
        """A worker was lost, and the scheduler has given its task to another one by itself."""
        number = next((n for n, trial in self._submitted.items() if trial.key == key), None)
        if number is None:
            return None
        if key in self._cluster.left:
            self._cluster.left.discard(key)
            return None
        trial = self._submitted[number]
        ended = self._charge(number, begun=True)
        if ended is not None:
            self._cancel([trial])
        return ended

    def _try_storage(self, number: int, trial: _Submitted, error: StorageError) -> None:
        """A storage that failed under a trial: the trial is run again in a while.

        Raises:
            StorageError: it has failed for as long as the settings allow.
        """
        now = time.monotonic()
        if error.lasting or not trial.attempt.storage_has_time(now, self._allowance):
            raise error.with_traceback(None)
        if trial.attempt.storage_failed_since is None:
            self._tell(f"{error}; trial {number} begins again")
        following = trial.attempt.after_storage_failure(now)
        self._submitted[number] = _Submitted(following, None, now)
        self._paused[number] = now + following.pause(now)

    def _submit_paused(self) -> None:
        """Run again what a storage has kept from ending, where the pause is over."""
        now = time.monotonic()
        for number in [number for number, at in self._paused.items() if at <= now]:
            del self._paused[number]
            self._submit(number, self._submitted[number].attempt)

    def _failed(self, number: int, failure: Failure) -> Ended:
        outcome = failed_outcome(number, failure, self._failed_reward)
        return Ended(outcome, pickle.dumps(outcome))

    def _ends(self) -> list[tuple[int, float]]:
        """The trials that workers have begun, and when each has to have ended."""
        if self._allowance.timeout is None:
            return []
        begun, timeout = self._cluster.started, self._allowance.timeout
        return [
            (number, begun[trial.key][1] + timeout)
            if trial.key in begun
            else (number, trial.since + SILENT_SECONDS + timeout)
            for number, trial in self._submitted.items()
            if trial.future is not None
        ]

    def _overrun(self) -> tuple[int, str] | None:
        """A trial that has run for longer than it may, and its worker's address."""
        now = time.monotonic()
        for number in [number for number, end in self._ends() if end <= now]:
            trial = self._submitted[number]
            address, _ = self._cluster.started.get(trial.key) or (self._silent_worker(trial), 0)
            if address:
                return number, address
            # It waits for its turn: its time has not begun.
            self._submitted[number] = _Submitted(trial.attempt, trial.future, now)
        return None

    def _silent_worker(self, trial: _Submitted) -> str:
        """The worker that has this trial and nothing else; empty if there is none.

        A trial that never lets go of the interpreter also keeps its worker from saying that it
        has begun.
        """
        with contextlib.suppress(Exception):  # without a scheduler there is nobody to ask
            for address, keys in self._cluster.client.processing().items():
                if [str(key) for key in keys] == [trial.key]:
                    return str(address)
        return ""

    def _stop(self, number: int, address: str) -> Ended:
        """End a trial with its worker: nothing less stops a thread."""
        trial = self._submitted.pop(number)
        self._forget(trial.key)
        # Other trials on the same worker are lost by our doing, not by theirs.
        self._cluster.left.update(
            other.key
            for other in self._submitted.values()
            if self._cluster.started.get(other.key, ("",))[0] == address
        )
        self._cancel([trial])
        self._cluster.stop_worker(address)
        return self._failed(number, overrun(self._allowance.timeout or 0.0))

    def _look(self) -> None:
        """Nothing has come for a while: see whether anything can.

        Raises:
            SchedulerError: scheduler or workers have been away for too long.
        """
        if self._cluster.client.status != "running":
            self._miss_scheduler()
        elif self._cluster.client.scheduler_info().get("workers"):
            self._watch.find_workers()
            self._submit_stalled_again()
        else:
            self._watch.miss_workers(self._cluster.address)

    def _miss_scheduler(self) -> None:
        self._watch.miss_scheduler(self._cluster.address, len(self._submitted))

    def _submit_stalled_again(self) -> None:
        """A task that no worker has is no trial that takes its time: Dask may have lost it.

        A cluster that is busy with other work has it waiting; then submitting it again is no loss.
        """
        latest = time.monotonic() - STALLED_SECONDS
        waiting = {
            number: trial
            for number, trial in self._submitted.items()
            if trial.since < latest and trial.key not in self._cluster.started
        }
        if not waiting:
            return
        with contextlib.suppress(Exception):  # the next look finds out what is wrong with it
            on_workers = {
                str(key) for keys in self._cluster.client.processing().values() for key in keys
            }
            for number, trial in waiting.items():
                if trial.future and trial.key not in on_workers and not trial.future.done():
                    self._cancel([trial])
                    self._submit(number, trial.attempt)

    def _scheduler_is_gone(self, error: BaseException) -> bool:
        reason = getattr(error, "reason", None)
        return (
            reason in ("scheduler-connection-lost", "scheduler-restart")
            or self._cluster.client.status != "running"
        )

    def _reconnect(self) -> None:
        """Try to connect again, and submit every trial that has not ended.

        Raises:
            SchedulerError: the scheduler has been away for too long.
        """
        try:
            self._cluster = self._renew()
        except SchedulerError:
            self._miss_scheduler()
            return
        self._watch.find_scheduler()
        self._paused.clear()
        self._listen()
        for number, trial in list(self._submitted.items()):
            self._submit(number, trial.attempt)
