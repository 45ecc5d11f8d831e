"""The trials that a Dask cluster has been given and that have not ended, and what is due of them.

A table and its questions of time; whoever asks does something about the answers. What workers have
begun, and when, is the cluster's to know and is handed in.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from distributed import Future

from hyn_k8s.search.attempts import Attempt

STALLED_SECONDS = 60.0
"""After how long a trial that no worker has, while there are workers, is submitted again."""

SILENT_SECONDS = 10.0
"""How much longer than its time a trial may take of which nobody has said that it has begun."""

Started = Mapping[str, tuple[str, float]]
"""By the key of a task that a worker has begun: its address, and when this was heard."""


@dataclass(frozen=True)
class Submitted:
    """A trial in its latest attempt."""

    attempt: Attempt
    future: Future | None
    """None while there is no scheduler, or the storage is given a pause."""
    since: float
    """When this attempt was submitted."""
    paused_until: float | None = None
    """When to submit it after a pause."""
    workers: tuple[str, ...] = ()
    """The addresses of the only workers that may run it; none where any may."""
    begun: float | None = None
    """When an earlier driver's execution of it began, which this attempt waits for."""

    @property
    def key(self) -> str:
        """The key of the attempt's task; empty without one."""
        return "" if self.future is None else str(self.future.key)


class Submissions:
    """The trials by their numbers; each may run for ``timeout`` seconds."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._trials: dict[int, Submitted] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> Submitted:
        return self._trials[number]

    def __contains__(self, number: int) -> bool:
        return number in self._trials

    def add(
        self,
        number: int,
        attempt: Attempt,
        future: Future | None,
        workers: Sequence[str] = (),
        ran: float = 0.0,
    ) -> None:
        """The trial's latest attempt begins now, as ``future``, if there is a scheduler.

        Only ``workers`` may run it, if there are any. It waits for an execution that has run for
        ``ran`` seconds already, if that is more than 0.
        """
        now = time.monotonic()
        begun = now - ran if ran else None
        self._trials[number] = Submitted(attempt, future, now, workers=tuple(workers), begun=begun)

    def pause(self, number: int, attempt: Attempt, seconds: float) -> None:
        """The trial's latest attempt is to begin in ``seconds``."""
        now = time.monotonic()
        self._trials[number] = Submitted(attempt, None, now, paused_until=now + seconds)

    def carry_on(self, number: int, attempt: Attempt) -> None:
        """The task of the latest attempt goes on as another ``attempt``."""
        self._trials[number] = dataclasses.replace(self._trials[number], attempt=attempt)

    def remove(self, number: int) -> Submitted:
        """The trial has ended."""
        return self._trials.pop(number)

    def clear(self) -> list[Submitted]:
        """Forget all trials, which are returned."""
        trials = list(self._trials.values())
        self._trials.clear()
        return trials

    def numbers(self) -> list[int]:
        """The trials that have not ended."""
        return list(self._trials)

    def has(self, number: int, future: Future) -> bool:
        """Whether ``future`` is the trial's latest attempt, and not one that was given up."""
        return number in self._trials and self._trials[number].future is future

    def number_of(self, key: str) -> int | None:
        """The trial that has the task ``key``."""
        return next((n for n, trial in self._trials.items() if trial.key == key), None)

    def keys_at(self, address: str, started: Started) -> list[str]:
        """The tasks that the worker at ``address`` has begun."""
        keys = [trial.key for trial in self._trials.values()]
        return [key for key in keys if started.get(key, ("",))[0] == address]

    def times(self, started: Started) -> list[float]:
        """When something is due: a pause is over, or the time that a trial has."""
        pauses = [trial.paused_until for trial in self._trials.values()]
        ends = [end for _, end in self._ends(started)]
        return [*(pause for pause in pauses if pause is not None), *ends]

    def resuming(self) -> list[int]:
        """The trials whose pause is over."""
        now = time.monotonic()
        return [
            number
            for number, trial in self._trials.items()
            if trial.paused_until is not None and trial.paused_until <= now
        ]

    def overdue(self, started: Started) -> list[int]:
        """The trials whose time is over."""
        now = time.monotonic()
        return [number for number, end in self._ends(started) if end <= now]

    def stranded(self, workers: Collection[str]) -> list[int]:
        """The trials that none of ``workers`` may run; Dask would keep them waiting for another."""
        return [
            number
            for number, trial in self._trials.items()
            if trial.workers and not any(each in workers for each in trial.workers)
        ]

    def give_time(self, number: int) -> None:
        """The trial waits for its turn: its time has not begun."""
        now = time.monotonic()
        self._trials[number] = dataclasses.replace(self._trials[number], since=now)

    def unheard_of(self, started: Started) -> dict[int, Submitted]:
        """The trials that were submitted long ago, and that no worker is known to have begun."""
        latest = time.monotonic() - STALLED_SECONDS
        return {
            number: trial
            for number, trial in self._trials.items()
            if trial.since < latest and trial.key not in started
        }

    def _ends(self, started: Started) -> list[tuple[int, float]]:
        """The trials that workers have, and when each has to have ended."""
        if self._timeout is None:
            return []
        return [
            (number, self._end(trial, started, self._timeout))
            for number, trial in self._trials.items()
            if trial.future is not None
        ]

    def _end(self, trial: Submitted, started: Started, timeout: float) -> float:
        if trial.key in started:
            return started[trial.key][1] + timeout
        if trial.begun is not None:  # it may have ended meanwhile, which takes a moment to be heard
            return max(trial.begun + timeout, trial.since + SILENT_SECONDS)
        return trial.since + SILENT_SECONDS + timeout
