"""Trials on a Dask cluster. Each submitted trial ends once, whatever becomes of its workers.

Results and other news come through a queue (``news``), so nothing polls. A trial that lost its
worker is submitted again, for as many attempts as it is allowed (``attempts``).

Trials go only to workers that have joined the run (``roster``). While there are none, they are
held here; when one joins later, trials that have not begun elsewhere may go there, too.

Every wait has an end. A worker stops a trial that is past its time. Every ten seconds the driver
looks whether there is a scheduler, are workers, and whether each trial is where it can still end
(``submissions``). A scheduler that is gone is waited for and given all trials anew.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import time
from collections.abc import Callable
from typing import Any

from distributed import Future

from hyn_k8s.errors import HynError, SchedulerError, StorageError
from hyn_k8s.search.attempts import Allowance, Attempt, overrun
from hyn_k8s.search.avoidance import AvoidedWorkers
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.knowledge import Keeper
from hyn_k8s.search.news import AttemptOver, BegunAgain, Heard, Lost, News, Note
from hyn_k8s.search.outcome import Ended, Failure, failed_outcome, failure_of, read_outcome
from hyn_k8s.search.remote import run_trial_remotely
from hyn_k8s.search.state import InFlight
from hyn_k8s.search.submissions import Submissions
from hyn_k8s.search.trial import SearchTask
from hyn_k8s.search.trial_messages import (
    NotJoinedError,
    SearchCall,
    TrialFailedError,
    TrialProcessError,
    TrialRequest,
)
from hyn_k8s.search.trouble import Trouble
from hyn_k8s.search.watch import ClusterWatch

LOOK_SECONDS = 10.0
"""How often a driver looks whether anything can still come, and who is overdue."""

RECONNECT_SECONDS = 2.0

SETTLE_SECONDS = 2.0
"""How long after a worker has joined trials that have not begun elsewhere may go there."""

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
        self._call = SearchCall(search.key, search.paths, url, allowance.timeout)
        self._allowance = allowance
        self._failed_reward = failed_reward
        self._keeper = keeper
        self._renew = renew
        self._lost = lost
        self._tell = tell
        self._trials = Submissions()
        self._gathered: list[tuple[int, Attempt]] = []
        """Trials that are submitted together, when nothing more is heard or at ``_send_at``."""
        self._send_at = 0.0
        self._tasks = 0
        self._look_due = time.monotonic() + LOOK_SECONDS
        """When to look around next, on the monotonic clock."""
        self._news = News(search.paths.name)
        self._watch = ClusterWatch(cluster_patience, tell)
        self._avoided = AvoidedWorkers()
        self._running: dict[str, str] | None = None
        """The workers that run trials for earlier drivers, without trials that were submitted to
        them; None until that is asked for."""
        self._known: set[str] = set()
        """The workers that were there when trials were submitted last."""
        self._summons: Future | None = None
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
        given_up = self._trials.clear()
        self._cluster.cancel([self._summons, *(trial.future for trial in given_up)])
        if stop:
            self._cluster.stop([trial.key for trial in given_up if trial.key])

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
        joined = self._cluster.joined()
        if not joined:
            self._hold(attempts)
            return
        placed = {number: self._place_of(number, attempt) for number, attempt in attempts}
        others = [each for each in attempts if placed[each[0]] not in joined]
        if others:
            self._submit_to(self._avoided.others(joined) or joined, others)
        for number, attempt in attempts:
            address = placed[number]
            if address in joined:
                self._submit_to([address], [(number, attempt)])

    def _submit_to(self, workers: list[str], attempts: list[tuple[int, Attempt]]) -> None:
        """Submit these attempts to any of ``workers``."""
        client, paths = self._cluster.client, self._search.paths
        requests = [
            TrialRequest(
                self._task,
                number,
                attempt.sample,
                attempt.known,
                attempt.again or number in self._trials,
            )
            for number, attempt in attempts
        ]
        futures = client.map(
            functools.partial(run_trial_remotely, self._call),
            [paths.outcome(number, attempt.sample) for number, attempt in attempts],
            [pickle.dumps(request) for request in requests],
            key=[self._next_key(number) for number, _ in attempts],
            pure=False,
            workers=workers,
        )
        for (number, attempt), future in zip(attempts, futures, strict=True):
            self._trials.add(number, attempt, future, workers)
            self._news.follow(client, number, future)

    def _hold(self, attempts: list[tuple[int, Attempt]]) -> None:
        """Keep these attempts until a worker has joined.

        A task that any worker may run tells a cluster that adapts to its load that one is wanted.
        """
        for number, attempt in attempts:
            self._trials.add(number, attempt, None)
        if self._summons is None:
            key = f"{self._search.key}-{self._search.paths.name}-worker-wanted"
            self._summons = self._cluster.client.submit(int, key=key, pure=False)

    def _submit_held(self) -> None:
        """Submit what waits for a worker, now that one has joined."""
        if self._summons is not None:
            self._cluster.cancel([self._summons])
            self._summons = None
        self._submit([(number, trial.attempt) for number, trial in self._trials.held()])

    def _place_of(self, number: int, attempt: Attempt) -> str | None:
        """Where the trial runs for an earlier driver; once only, since that may come to nothing."""
        if not attempt.again:
            return None
        paths = self._search.paths
        if self._running is None:
            self._running = self._cluster.read_running(self._call.url, paths.outcomes)
        return self._running.pop(paths.outcome(number, attempt.sample), None)

    def _next_key(self, number: int) -> str:
        """The key of another attempt's task."""
        self._tasks += 1
        return f"{self._search.key}-{self._search.paths.name}-trial-{number}-{self._tasks}"

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
        joined = set(self._cluster.joined())
        if joined - self._known:
            self._submit_held()
            self._look_due = min(self._look_due, time.monotonic() + SETTLE_SECONDS)
        self._known = joined
        refusal = self._cluster.refusal()
        if refusal is not None and self._trials.held():
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
        if isinstance(error, NotJoinedError):
            self._cluster.read_workers()
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
        self._lost(number, begun)
        attempt = self._trials[number].attempt.after_loss(begun)
        if attempt.is_poisonous(self._allowance):
            self._trials.remove(number)
            return self._failed(number, attempt.poison())
        self._trials.carry_on(number, attempt)
        return None

    def _charge_process(self, number: int, how: str) -> Ended | None:
        """The trial's process ended under it: the trial's end, or its next attempt."""
        self._lost(number, True)
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
            self._submit_stalled_again()
            self._move_unbegun()
            return self._take_from_lost_workers()
        if not self._cluster.has_workers():
            self._watch.miss_workers(self._cluster.address)
        return None

    def _move_unbegun(self) -> None:
        """Let trials that wait for a worker's thread go to workers that have joined since, too."""
        joined = set(self._cluster.joined())
        unbegun = self._trials.unbegun(self._cluster.started, time.monotonic() - SETTLE_SECONDS)
        moved = {n: trial for n, trial in unbegun.items() if joined - set(trial.workers)}
        if not moved or self._avoided:
            return
        self._cluster.cancel([trial.future for trial in moved.values()])
        self._cluster.stop([trial.key for trial in moved.values()])
        self._submit([(number, trial.attempt) for number, trial in moved.items()])

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
        for number in self._trials.stranded(self._cluster.joined()):
            trial = self._trials[number]
            self._cluster.cancel([trial.future])
            begun, left = self._cluster.forget(trial.key)
            ended = None if left or not begun else self._charge(number, begun)
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
