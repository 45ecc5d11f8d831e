"""Which worker gets which trial, and when.

Trials go only to workers that have joined the run (``roster``). Dask chooses among these by their
load. While there are none, trials are held here; when one joins later, trials that have not begun
elsewhere may go there, too. A trial that runs for an earlier driver goes to the worker that runs
it (``adoption``), and one whose storage failed goes to another worker for a while (``avoidance``).
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import time
from collections.abc import Callable, Iterable
from typing import Any

from distributed import Future

from hyn_k8s.search.attempts import Attempt
from hyn_k8s.search.avoidance import AvoidedWorkers
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.remote import run_trial_remotely
from hyn_k8s.search.submissions import Submissions, Submitted
from hyn_k8s.search.trial import SearchTask
from hyn_k8s.search.trial_messages import SearchCall, TrialRequest

SETTLE_SECONDS = 2.0
"""How long a worker may take to say that a trial has begun; one that has not may go elsewhere."""

Attempts = list[tuple[int, Attempt]]
"""Attempts at trials, with the trials' numbers."""


class Placement:
    """The trials of ``search`` on ``cluster``, kept in the table ``trials``.

    ``follow`` is called with the Dask client, the number and the future of each attempt that is
    submitted.
    """

    def __init__(
        self,
        cluster: Cluster,
        search: SearchTask,
        call: SearchCall,
        trials: Submissions,
        follow: Callable[[Any, int, Future], None],
    ) -> None:
        self.cluster = cluster
        """Another one, once the scheduler was away."""
        self._paths = search.paths
        self._task = pickle.dumps(search)
        self._call = call
        self._trials = trials
        self._follow = follow
        self._submitted = 0
        self._avoided = AvoidedWorkers()
        self._running: dict[str, str] | None = None
        """The workers that run trials for earlier drivers, without trials that were submitted to
        them; None until that is asked for."""
        self._known: set[str] = set()
        """The workers that had joined when this was looked at last."""
        self._summons: Future | None = None

    def submit(self, attempts: Attempts) -> None:
        """Give these attempts to workers, or hold them while there is none."""
        joined = self.cluster.joined()
        if not joined:
            self._hold(attempts)
            return
        placed = {number: self._read_place(number, attempt) for number, attempt in attempts}
        others = [each for each in attempts if placed[each[0]] not in joined]
        if others:
            self._submit_to(self._avoided.others(joined) or joined, others)
        for number, attempt in attempts:
            address = placed[number]
            if address in joined:
                self._submit_to([address], [(number, attempt)], adopted=True)

    def submit_again(self, numbers: Iterable[int]) -> None:
        """Give the latest attempts at these trials to workers once more."""
        attempts = [(number, self._trials[number].attempt) for number in numbers]
        if attempts:
            self.submit(attempts)

    def move(self, trials: dict[int, Submitted]) -> None:
        """Take these trials, none of which is known to have begun, from the workers they are on."""
        if trials:
            self.cluster.cancel([trial.future for trial in trials.values()])
            self.cluster.stop([trial.key for trial in trials.values()])
            self.submit_again(trials)

    def avoid(self, address: str) -> None:
        """Give nothing to this worker for a while, if there are others."""
        self._avoided.add(address)

    def reconnect(self, cluster: Cluster) -> None:
        """Go on with ``cluster``, which has none of the trials."""
        self.cluster, self._running, self._summons = cluster, None, None
        self.submit_again(self._trials.numbers())

    def take_change(self) -> bool:
        """Give what was held to workers that have joined; whether any has since the last call."""
        joined = set(self.cluster.joined())
        new, self._known = bool(joined - self._known), joined
        held = [number for number, _ in self._trials.held()]
        if joined and held:
            self._cancel_summons()
            self.submit_again(held)
        return new

    def move_unbegun(self) -> None:
        """Let trials that wait for a worker's thread go to workers that have joined since, too."""
        joined = set(self.cluster.joined())
        latest = time.monotonic() - SETTLE_SECONDS
        unbegun = self._trials.unbegun(self.cluster.started, latest)
        if not self._avoided:
            self.move({n: trial for n, trial in unbegun.items() if joined - set(trial.workers)})

    def submit_stalled(self) -> None:
        """A task that no worker has is no trial that takes its time: Dask may have lost it.

        A cluster that is busy with other work has it waiting; then submitting it again is no loss.
        """
        waiting = self._trials.unheard_of(self.cluster.started)
        if not waiting:
            return
        with contextlib.suppress(Exception):  # the next look finds out what is wrong with it
            on_workers = {key for keys in self.cluster.tasks().values() for key in keys}
            for number, trial in waiting.items():
                if trial.future and trial.key not in on_workers and not trial.future.done():
                    self.move({number: trial})

    def cancel(self, stop: bool) -> None:
        """Give up all trials; those that run are killed only on ``stop``."""
        given_up = self._trials.clear()
        self._cancel_summons()
        self.cluster.cancel([trial.future for trial in given_up])
        if stop:
            self.cluster.stop([trial.key for trial in given_up if trial.key])

    def _submit_to(self, workers: list[str], attempts: Attempts, adopted: bool = False) -> None:
        """Give these attempts to any of ``workers``."""
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
        futures = self.cluster.client.map(
            functools.partial(run_trial_remotely, self._call),
            [self._paths.outcome(number, attempt.sample) for number, attempt in attempts],
            [pickle.dumps(request) for request in requests],
            key=[self._next_key(number) for number, _ in attempts],
            pure=False,
            workers=workers,
        )
        for (number, attempt), future in zip(attempts, futures, strict=True):
            self._trials.add(number, attempt, future, workers, adopted)
            self._follow(self.cluster.client, number, future)

    def _next_key(self, number: int) -> str:
        """The key of another attempt's task."""
        self._submitted += 1
        return f"{self._call.key}-{self._paths.name}-trial-{number}-{self._submitted}"

    def _hold(self, attempts: Attempts) -> None:
        """Keep these attempts until a worker has joined.

        A task that any worker may run tells a cluster that adapts to its load that one is wanted.
        """
        for number, attempt in attempts:
            self._trials.add(number, attempt, None)
        if self._summons is None:
            key = f"{self._call.key}-{self._paths.name}-worker-wanted"
            self._summons = self.cluster.client.submit(int, key=key, pure=False)

    def _cancel_summons(self) -> None:
        self.cluster.cancel([self._summons])
        self._summons = None

    def _read_place(self, number: int, attempt: Attempt) -> str | None:
        """Where the trial runs for an earlier driver; once only, since that may come to nothing."""
        if not attempt.again:
            return None
        if self._running is None:
            self._running = self.cluster.read_running(self._call.url, self._paths.outcomes)
        return self._running.pop(self._paths.outcome(number, attempt.sample), None)
