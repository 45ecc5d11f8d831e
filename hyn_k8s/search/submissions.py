"""The trials that a Dask cluster has been given and that have not ended, and what is due of them.

A table and its questions of time; whoever asks does something about the answers. What workers have
begun, and when, is the cluster's to know and is handed in.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from distributed import Future

from hyn_k8s.search.attempts import Attempt

STALLED_SECONDS = 60.0
"""After how long a trial that no worker has, while there are workers, is submitted again."""


@dataclass(frozen=True)
class Submitted:
    """A trial in its latest attempt."""

    attempt: Attempt
    future: Future | None
    """None while there is no scheduler or no worker, or the storage is given a pause."""
    since: float
    """When this attempt was submitted."""
    paused_until: float | None = None
    """When to submit it after a pause."""
    workers: tuple[str, ...] = ()
    """The addresses of the workers that may run it."""
    adopted: bool = False
    """Whether its only worker runs it for an earlier driver: its task begins after that."""

    @property
    def key(self) -> str:
        """The key of the attempt's task; empty without one."""
        return "" if self.future is None else str(self.future.key)


class Submissions:
    """The trials by their numbers."""

    def __init__(self) -> None:
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
        adopted: bool = False,
    ) -> None:
        """The trial's latest attempt is ``future`` from now on, if it could be submitted.

        One of ``workers`` runs it, and has begun it for an earlier driver if it is ``adopted``.
        """
        now = time.monotonic()
        self._trials[number] = Submitted(
            attempt, future, now, workers=tuple(workers), adopted=adopted
        )

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

    def times(self) -> list[float]:
        """When something is due: a pause is over."""
        pauses = [trial.paused_until for trial in self._trials.values()]
        return [pause for pause in pauses if pause is not None]

    def held(self) -> list[tuple[int, Submitted]]:
        """The trials that wait for a worker."""
        return [
            (number, trial)
            for number, trial in self._trials.items()
            if trial.future is None and trial.paused_until is None
        ]

    def resuming(self) -> list[int]:
        """The trials whose pause is over."""
        now = time.monotonic()
        return [
            number
            for number, trial in self._trials.items()
            if trial.paused_until is not None and trial.paused_until <= now
        ]

    def stranded(self, workers: Collection[str]) -> list[int]:
        """The trials that none of ``workers`` may run; Dask would keep them waiting for another."""
        return [
            number
            for number, trial in self._trials.items()
            if trial.workers and not any(each in workers for each in trial.workers)
        ]

    def unbegun(self, started: Container[str], latest: float) -> dict[int, Submitted]:
        """The trials that were submitted until ``latest``, and of which nobody says they run."""
        return {
            number: trial
            for number, trial in self._trials.items()
            if trial.future is not None
            and trial.since < latest
            and trial.key not in started
            and not trial.adopted
        }

    def unheard_of(self, started: Container[str]) -> dict[int, Submitted]:
        """The trials that were submitted long ago, and that no worker is known to have begun."""
        return self.unbegun(started, time.monotonic() - STALLED_SECONDS)
