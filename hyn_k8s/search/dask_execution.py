"""Trials on a Dask cluster. Each submitted trial ends once, whatever becomes of its workers.

Results and other news come through a queue (``news``), so nothing polls. A trial that lost its
worker is submitted again, for as many attempts as it is allowed (``attempts``).

Every wait has an end. A worker stops a trial that is past its time. Every ten seconds the driver
looks whether there is a scheduler, are workers, and whether each trial is where it can still end
(``submissions``). A scheduler that is gone is waited for and given all trials anew.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from typing import Any

from hyn_k8s.errors import HynError, SchedulerError, StorageError, WorkerError
from hyn_k8s.search.attempts import Allowance, Attempt, overrun
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.knowledge import Keeper
from hyn_k8s.search.news import AttemptOver, BegunAgain, Heard, Lost, News, Note
from hyn_k8s.search.outcome import Ended, Failure, failed_outcome, failure_of, read_outcome
from hyn_k8s.search.placing import SETTLE_SECONDS, Attempts, Placement
from hyn_k8s.search.state import InFlight
from hyn_k8s.search.submissions import Submissions
from hyn_k8s.search.trial import SearchTask
from hyn_k8s.search.trial_messages import (
    NotJoinedError,
    SearchCall,
    TrialFailedError,
    TrialProcessError,
)
from hyn_k8s.search.trouble import Trouble
from hyn_k8s.search.watch import ClusterWatch

LOOK_SECONDS = 10.0
"""How often a driver looks whether anything can still come, and who is overdue."""

RECONNECT_SECONDS = 2.0

GATHER_SECONDS = 0.005
"""How long a trial waits at most for others that are submitted with it, while news come in."""


class DaskExecution:
    """Trials as tasks of a Dask client, one task an attempt.

    ``renew`` gives another connection when the scheduler is gone; ``lost`` hears of each trial
    that lost a worker, whether it had begun there, and whether only its process ended. Scheduler
    and workers may be away for ``cluster_patience`` seconds. ``url`` names the storage.
    """

    def __init__(
        self,
        cluster: Cluster,
        search: SearchTask,
        allowance: Allowance,
        failed_reward: Any,
        keeper: Keeper,
        renew: Callable[[], Cluster],
        lost: Callable[[int, bool, bool], None],
        tell: Callable[[str], None],
        cluster_patience: float,
        url: str,
    ) -> None:
        self._cluster = cluster
        self._allowance = allowance
        self._failed_reward = failed_reward
        self._keeper = keeper
        self._renew = renew
        self._lost = lost
        self._tell = tell
        self._trials = Submissions()
        self._news = News(search.paths.name)
        call = SearchCall(search.key, search.paths, url, allowance.timeout)
        self._placement = Placement(cluster, search, call, self._trials, self._news.follow)
        self._gathered: Attempts = []
        """Trials that are submitted together, when nothing more is heard or at ``_send_at``."""
        self._send_at = 0.0
        self._look_due = time.monotonic() + LOOK_SECONDS
        """When to look around next, on the monotonic clock."""
        self._watch = ClusterWatch(cluster_patience, tell)
        self._news.listen(cluster)

    def submit(self, number: int, asked: InFlight) -> None:
        known = self._keeper.write_known(asked.known)
        attempt = Attempt(asked.pickled, known, asked.resumed, asked.lost, asked.unlucky)
        if not self._gathered:
            self._send_at = time.monotonic() + GATHER_SECONDS
        self._gathered.append((number, attempt))

    def send(self) -> bool:
        if self._news.is_waiting():
            return False
        self._submit_gathered()
        return True

    def next(self, timeout: float | None = None) -> Ended | None:
        leave_at = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._watch.is_scheduler_away:
                self._reconnect()
            self._submit_paused()
            heard = None
            if self._is_look_due():
                ended = self._look()
            else:
                heard = self._hear(leave_at)
                if heard is Note.WOKEN:
                    return None
                ended = None if heard is None else self._take(heard)
            if ended is not None:
                return ended
            if heard is None and leave_at is not None and time.monotonic() >= leave_at:
                return None

    def wake(self) -> None:
        self._news.wake()

    def interrupt(self) -> None:
        self._news.interrupt()

    def cancel(self, stop: bool) -> None:
        self._gathered.clear()
        self._news.ignore(self._cluster)
        self._placement.cancel(stop)

    def _hear(self, leave_at: float | None) -> Heard | None:
        """What comes next; what was gathered meanwhile is submitted before anything is waited for.

        Several trials in one message cost Dask little more than one does.
        """
        if self._gathered:
            heard = self._news.hear(0.0) if time.monotonic() < self._send_at else None
            if heard is not None:
                return heard
            self._submit_gathered()
        return self._news.hear(self._look_at(leave_at))

    def _submit_gathered(self) -> None:
        attempts, self._gathered = self._gathered, []
        if attempts:
            self._submit(attempts)

    def _submit(self, attempts: Attempts) -> None:
        if self._cluster.client.status == "running":
            self._placement.submit(attempts)
            return
        for number, attempt in attempts:
            self._trials.add(number, attempt, None)
        self._miss_scheduler()

    def _look_at(self, leave_at: float | None) -> float:
        """When it is time to look at something, if nothing is heard until then."""
        times = [self._look_due, *self._trials.times()]
        return min(times if leave_at is None else [*times, leave_at])

    def _is_look_due(self) -> bool:
        """Whether it is time to look at something; what has been heard goes first."""
        return time.monotonic() >= self._look_due and not self._news.is_waiting()

    def _take(self, heard: Heard) -> Ended | None:
        """What was heard; None unless a trial has ended by it."""
        if isinstance(heard, AttemptOver):
            return self._take_result(*heard)
        if isinstance(heard, BegunAgain):
            return self._lose_silently(heard)
        if heard is Note.CONTEXT_WANTED:
            self._keeper.write_wanted_context()
        if heard is Note.WORKERS_CHANGED:
            return self._take_change()
        return None

    def _take_change(self) -> Ended | None:
        """A worker has joined the run, does not fit it, or is gone.

        Raises:
            WorkerError: there are workers, and none of them fits the run.
        """
        if self._cluster.client.status != "running":
            return None
        if self._placement.take_change():
            self._look_due = min(self._look_due, time.monotonic() + SETTLE_SECONDS)
        refusal = self._cluster.refusal()
        if refusal is not None and not refusal.retry and self._trials.held():
            raise refusal
        return self._take_from_lost_workers()

    def _take_result(self, number: int, future: Any, result: Any) -> Ended | None:
        """What an attempt came to; None if the trial goes on with another one."""
        if not self._trials.has(number, future):
            return None  # an attempt that was given up
        if isinstance(result, Lost) and self._cluster.has_lost_scheduler(result.error):
            self._miss_scheduler()
            return None  # nobody's loss; all are submitted again
        begun, left = self._cluster.forget(self._trials[number].key)
        if isinstance(result, Lost):
            ended = None if left else self._charge(number, begun)
            if ended is None:
                self._submit([(number, self._trials[number].attempt)])
            return ended
        if isinstance(result, BaseException):
            return self._take_error(number, result)
        self._trials.remove(number)
        return Ended(read_outcome(number, result, self._failed_reward), result)

    def _take_error(self, number: int, error: BaseException) -> Ended | None:
        """The attempt came to nothing on its worker; None if the trial goes on with another one.

        Raises:
            HynError: no attempt would come to more.
        """
        if isinstance(error, TrialProcessError):
            return self._charge_process(number, str(error))
        if isinstance(error, StorageError):
            self._try_storage(number, error)
            return None
        if isinstance(error, WorkerError) and error.address is not None:
            self._cluster.refuse(error.address, error)
            self._submit([(number, self._trials[number].attempt)])
            return None
        if isinstance(error, NotJoinedError):
            self._cluster.ask_again(error.args[0])
            self._submit([(number, self._trials[number].attempt)])
            return None
        if isinstance(error, HynError):
            raise error.with_traceback(None)
        self._trials.remove(number)
        return self._failed(number, self._failure(error))

    def _failure(self, error: BaseException) -> Failure:
        if isinstance(error, TimeoutError):
            return overrun(self._allowance.timeout or 0.0)
        if isinstance(error, TrialFailedError):
            failure: Failure = error.args[0]
            return failure
        return failure_of(error)

    def _charge(self, number: int, begun: bool) -> Ended | None:
        """A worker was lost under the trial: its end, if that was one too many."""
        self._lost(number, begun, False)
        attempt = self._trials[number].attempt.after_loss(begun)
        if attempt.is_poisonous(self._allowance):
            self._trials.remove(number)
            return self._failed(number, attempt.poison())
        self._trials.carry_on(number, attempt)
        return None

    def _charge_process(self, number: int, how: str) -> Ended | None:
        """The trial's process ended under it: the trial's end, or its next attempt."""
        self._lost(number, True, True)
        attempt = self._trials[number].attempt.after_loss(True)
        if attempt.is_poisonous(self._allowance):
            self._trials.remove(number)
            return self._failed(number, attempt.fatal(how))
        self._submit([(number, attempt)])
        return None

    def _lose_silently(self, again: BegunAgain) -> Ended | None:
        """A worker was lost, and the scheduler has given its task to another one by itself."""
        number = self._trials.number_of(again.key)
        if number is None or again.left:
            return None
        future = self._trials[number].future
        ended = self._charge(number, begun=True)
        if ended is not None:
            self._cluster.cancel([future])
        return ended

    def _try_storage(self, number: int, error: StorageError) -> None:
        """A storage that failed under a trial: the trial is run again in a while.

        Raises:
            StorageError: it has failed for as long as the settings allow.
        """
        now, attempt = time.monotonic(), self._trials[number].attempt
        if error.lasting or not attempt.storage_has_time(now, self._allowance):
            raise error.with_traceback(None)
        if attempt.storage_failed_since is None:
            self._tell(Trouble(f"{error}; trial {number} begins again", error))
        if error.worker is not None:
            self._placement.avoid(error.worker)
        following = attempt.after_storage_failure(now)
        self._trials.pause(number, following, following.pause(now))

    def _submit_paused(self) -> None:
        """Run again what a storage has kept from ending, where the pause is over."""
        for number in self._trials.resuming():
            self._submit([(number, self._trials[number].attempt)])

    def _failed(self, number: int, failure: Failure) -> Ended:
        outcome = failed_outcome(number, failure, self._failed_reward)
        return Ended(outcome, pickle.dumps(outcome))

    def _look(self) -> Ended | None:
        """See whether anything can come, and whether a trial has to end.

        Raises:
            SchedulerError: scheduler or workers have been away for too long.
        """
        pause = RECONNECT_SECONDS if self._watch.is_scheduler_away else LOOK_SECONDS
        self._look_due = time.monotonic() + pause
        if self._cluster.client.status != "running":
            self._miss_scheduler()
            return None
        self._cluster.read_workers()
        if self._cluster.joined():
            self._watch.find_workers()
            self._placement.take_change()
            self._placement.submit_stalled()
            self._placement.move_unbegun()
            return self._take_from_lost_workers()
        if self._cluster.refusal() is not None or not self._cluster.has_workers():
            self._watch.miss_workers(self._cluster.address)
        return None

    def _miss_scheduler(self) -> None:
        self._look_due = min(self._look_due, time.monotonic() + RECONNECT_SECONDS)
        self._watch.miss_scheduler(self._cluster.address, len(self._trials))

    def _take_from_lost_workers(self) -> Ended | None:
        """A trial that was given to certain workers, all of which are gone, goes to any other."""
        for number in self._trials.stranded(self._cluster.joined()):
            trial = self._trials[number]
            self._cluster.cancel([trial.future])
            begun, left = self._cluster.forget(trial.key)
            ended = None if left else self._charge(number, begun)
            if ended is not None:
                return ended
            self._submit([(number, self._trials[number].attempt)])
        return None

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
        self._news.listen(self._cluster)
        self._placement.reconnect(self._cluster)
