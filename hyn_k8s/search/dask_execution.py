"""Trials on a Dask cluster. Each submitted trial ends once, whatever becomes of its workers.

Results and other news come through a queue (``news``), so nothing polls. A trial that lost its
worker is submitted again, for as many attempts as it is allowed (``attempts``).

Every wait has an end. A trial past its time is stopped with its worker. Every ten seconds the
driver looks whether there is a scheduler, are workers, and whether each trial is where
it can still end (``submissions``). A scheduler that is gone is waited for and given all trials
anew.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import time
from collections.abc import Callable
from typing import Any

from hyn_k8s.errors import HynError, SchedulerError, StorageError
from hyn_k8s.search.adoption import Running
from hyn_k8s.search.attempts import Allowance, Attempt, overrun
from hyn_k8s.search.avoidance import AvoidedWorkers
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.knowledge import Keeper
from hyn_k8s.search.news import AttemptOver, BegunAgain, Heard, Lost, News, Note
from hyn_k8s.search.outcome import Ended, Failure, failed_outcome, failure_of, read_outcome
from hyn_k8s.search.remote import run_trial_remotely
from hyn_k8s.search.state import InFlight
from hyn_k8s.search.submissions import Submissions, Submitted
from hyn_k8s.search.trial import SearchTask
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
    that lost a worker and whether it had begun there. Scheduler and workers may be away for
    ``cluster_patience`` seconds. ``url`` names the storage.
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
        cluster_patience: float,
        url: str,
    ) -> None:
        self._cluster = cluster
        self._search = search
        self._task = pickle.dumps(search)
        self._allowance = allowance
        self._failed_reward = failed_reward
        self._keeper = keeper
        self._renew = renew
        self._lost = lost
        self._tell = tell
        self._trials = Submissions(allowance.timeout)
        self._gathered: list[tuple[int, Attempt]] = []
        """Trials that are submitted together, when nothing more is heard or at ``_send_at``."""
        self._send_at = 0.0
        self._tasks = 0
        self._url = url
        self._look_due = time.monotonic() + LOOK_SECONDS
        """When to look around next, on the monotonic clock."""
        self._news = News(search.paths.name)
        self._watch = ClusterWatch(cluster_patience, tell)
        self._avoided = AvoidedWorkers()
        self._running: dict[str, Running] | None = None
        """What workers run for earlier drivers, without what was submitted to them; None until
        that is asked for."""
        self._news.listen(cluster)
        self._news.listen_for_refusal(cluster)

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

    def cancel(self) -> None:
        self._gathered.clear()
        self._news.ignore(self._cluster)
        self._cluster.cancel([trial.future for trial in self._trials.clear()])

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

    def _submit(self, attempts: list[tuple[int, Attempt]]) -> None:
        client = self._cluster.client
        if client.status != "running":
            for number, attempt in attempts:
                self._trials.add(number, attempt, None)
            self._miss_scheduler()
            return
        placed = {number: self._place_of(number, attempt) for number, attempt in attempts}
        others = [each for each in attempts if placed[each[0]] is None]
        if others:
            workers = self._avoided.others(self._cluster.addresses()) if self._avoided else None
            self._submit_to(workers, others)
        for number, attempt in attempts:
            running = placed[number]
            if running is not None:
                self._submit_to([running.worker], [(number, attempt)], running.ran)

    def _submit_to(
        self, workers: list[str] | None, attempts: list[tuple[int, Attempt]], ran: float = 0.0
    ) -> None:
        """Submit these attempts to one of ``workers``, None for any; they ``ran`` so long."""
        client, numbers = self._cluster.client, [number for number, _ in attempts]
        futures = client.map(
            functools.partial(run_trial_remotely, self._task),
            numbers,
            [attempt.sample for _, attempt in attempts],
            [attempt.known for _, attempt in attempts],
            [attempt.again or number in self._trials for number, attempt in attempts],
            key=[self._next_key(number) for number in numbers],
            pure=False,
            workers=workers,
        )
        for (number, attempt), future in zip(attempts, futures, strict=True):
            self._trials.add(number, attempt, future, workers or (), ran)
            self._news.follow(client, number, future)

    def _place_of(self, number: int, attempt: Attempt) -> Running | None:
        """Where the trial runs for an earlier driver; once only, since that may come to nothing."""
        if not attempt.again:
            return None
        paths = self._search.paths
        if self._running is None:
            self._running = self._cluster.running_trials(self._url, paths.outcomes)
        return self._running.pop(paths.outcome(number, attempt.sample), None)

    def _next_key(self, number: int) -> str:
        """The key of another attempt's task."""
        self._tasks += 1
        return f"{self._search.key}-{self._search.paths.name}-trial-{number}-{self._tasks}"

    def _look_at(self, leave_at: float | None) -> float:
        """When it is time to look at something, if nothing is heard until then."""
        times = [self._look_due, *self._trials.times(self._cluster.started)]
        return min(times if leave_at is None else [*times, leave_at])

    def _is_look_due(self) -> bool:
        """Whether it is time to look at something; what has been heard goes first."""
        return time.monotonic() >= self._look_at(None) and not self._news.is_waiting()

    def _take(self, heard: Heard) -> Ended | None:
        """What was heard; None unless a trial has ended by it."""
        if isinstance(heard, AttemptOver):
            return self._take_result(*heard)
        if isinstance(heard, BegunAgain):
            return self._lose_silently(heard.key)
        if heard is Note.CONTEXT_WANTED:
            self._keeper.write_wanted_context()
        if heard is Note.REFUSED:
            self._end_by_refusal()
        return None

    def _end_by_refusal(self) -> None:
        """A worker that comes before any has joined ends the search like one that was there.

        It would be turned away, come back and be turned away again, and the search would wait for
        another one without end. Of a scheduler that came back this is not asked: good workers are
        then on their way.

        Raises:
            WorkerError: it was turned away, and none has joined since.
        """
        if self._cluster.refusal is not None:
            raise self._cluster.refusal

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
        if isinstance(result, StorageError):
            self._try_storage(number, result)
            return None
        if isinstance(result, HynError):
            raise result.with_traceback(None)
        self._trials.remove(number)
        if isinstance(result, BaseException):
            return self._failed(number, failure_of(result))
        return Ended(read_outcome(number, result, self._failed_reward), result)

    def _charge(self, number: int, begun: bool) -> Ended | None:
        """A worker was lost under the trial: its end, if that was one too many."""
        self._lost(number, begun)
        attempt = self._trials[number].attempt.after_loss(begun)
        if attempt.is_poisonous(self._allowance):
            self._trials.remove(number)
            return self._failed(number, attempt.poison())
        self._trials.carry_on(number, attempt)
        return None

    def _lose_silently(self, key: str) -> Ended | None:
        """A worker was lost, and the scheduler has given its task to another one by itself."""
        number = self._trials.number_of(key)
        if number is None:
            return None
        if key in self._cluster.left:
            self._cluster.left.discard(key)
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
            self._avoided.add(error.worker)
        following = attempt.after_storage_failure(now)
        self._trials.pause(number, following, following.pause(now))

    def _submit_paused(self) -> None:
        """Run again what a storage has kept from ending, where the pause is over."""
        for number in self._trials.resuming():
            self._submit([(number, self._trials[number].attempt)])

    def _failed(self, number: int, failure: Failure) -> Ended:
        outcome = failed_outcome(number, failure, self._failed_reward)
        return Ended(outcome, pickle.dumps(outcome))

    def _overrun(self) -> tuple[int, str] | None:
        """A trial that has run for longer than it may, and its worker's address."""
        for number in self._trials.overdue(self._cluster.started):
            address = self._worker_of(self._trials[number])
            if address:
                return number, address
            self._trials.give_time(number)
        return None

    def _worker_of(self, trial: Submitted) -> str:
        """The address of the worker that runs the trial; empty if none is known to."""
        if trial.key in self._cluster.started:
            return self._cluster.started[trial.key][0]
        if trial.begun is not None:
            return trial.workers[0]
        # A trial that never lets go of the interpreter keeps its worker from announcing it.
        return self._cluster.sole_worker_of(trial.key)

    def _stop(self, number: int, address: str) -> Ended:
        """End a trial with its worker: nothing less stops a thread."""
        trial = self._trials.remove(number)
        self._cluster.forget(trial.key)
        # Other trials on the same worker are lost by our doing, not by theirs.
        self._cluster.left.update(self._trials.keys_at(address, self._cluster.started))
        self._cluster.cancel([trial.future])
        self._cluster.stop_worker(address)
        return self._failed(number, overrun(self._allowance.timeout or 0.0))

    def _look(self) -> Ended | None:
        """See whether anything can come, and whether a trial has to end.

        Raises:
            SchedulerError: scheduler or workers have been away for too long.
        """
        pause = RECONNECT_SECONDS if self._watch.is_scheduler_away else LOOK_SECONDS
        self._look_due = time.monotonic() + pause
        late = self._overrun()
        if late is not None:
            return self._stop(*late)
        if self._cluster.client.status != "running":
            self._miss_scheduler()
        elif self._cluster.addresses():
            self._watch.find_workers()
            self._submit_stalled_again()
            return self._take_from_lost_workers()
        else:
            self._watch.miss_workers(self._cluster.address)
        return None

    def _miss_scheduler(self) -> None:
        self._look_due = min(self._look_due, time.monotonic() + RECONNECT_SECONDS)
        self._watch.miss_scheduler(self._cluster.address, len(self._trials))

    def _submit_stalled_again(self) -> None:
        """A task that no worker has is no trial that takes its time: Dask may have lost it.

        A cluster that is busy with other work has it waiting; then submitting it again is no loss.
        """
        waiting = self._trials.unheard_of(self._cluster.started)
        if not waiting:
            return
        with contextlib.suppress(Exception):  # the next look finds out what is wrong with it
            on_workers = {key for keys in self._cluster.tasks().values() for key in keys}
            for number, trial in waiting.items():
                if trial.future and trial.key not in on_workers and not trial.future.done():
                    self._cluster.cancel([trial.future])
                    self._submit([(number, trial.attempt)])

    def _take_from_lost_workers(self) -> Ended | None:
        """A trial that was given to certain workers, all of which are gone, goes to any other."""
        for number in self._trials.stranded(self._cluster.addresses()):
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
        self._running = None
        self._news.listen(self._cluster)
        numbers = self._trials.numbers()
        self._submit([(number, self._trials[number].attempt) for number in numbers])
