"""How many attempts a trial is given, and what each one costs it. Decisions only.

A lost worker is not a failed trial. Dask blames a lost worker on every trial that was assigned to
it, also on those that only waited there; a loss counts when the trial is known to have begun, and
not at all if the worker said that it leaves. A trial under which too many workers were lost is
taken for the cause. A storage that fails under a trial is nobody's fault, and is given time.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hyn_k8s.search.knowledge import Known
from hyn_k8s.search.outcome import Failure

UNLUCKY_PER_LOSS = 4
"""How many losses before a known beginning weigh as one: a trial may kill too fast to announce."""

LONGEST_PAUSE_SECONDS = 15.0
"""The longest pause before a trial is run again whose worker's storage failed."""


@dataclass(frozen=True)
class Allowance:
    """What a trial may cost before it counts as failed."""

    losses: int
    """Workers lost under it, at least 1."""
    timeout: float | None
    """Seconds it may run; None for as long as it takes."""
    storage_patience: float
    """Seconds for which its worker's storage may fail."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a trial: what every attempt is given, and what earlier ones met with."""

    sample: bytes
    known: Known
    again: bool = False
    """Whether the trial was begun before: it may have ended since, or be running."""
    lost: int = 0
    """Workers lost after the trial had begun there."""
    unlucky: int = 0
    """Workers lost, the trial not known to have begun."""
    storage_failed_since: float | None = None
    """When, on the monotonic clock, its worker's storage first failed."""

    def after_loss(self, begun: bool) -> Attempt:
        """The next attempt, after a worker was lost under this one."""
        lost, unlucky = self.lost + begun, self.unlucky + (not begun)
        return dataclasses.replace(self, lost=lost, unlucky=unlucky)

    def after_storage_failure(self, now: float) -> Attempt:
        """The next attempt, after its worker's storage failed under this one."""
        since = now if self.storage_failed_since is None else self.storage_failed_since
        return dataclasses.replace(self, storage_failed_since=since)

    def is_poisonous(self, allowance: Allowance) -> bool:
        """Whether so many workers were lost that the trial is taken for the cause."""
        return self.lost + self.unlucky // UNLUCKY_PER_LOSS >= allowance.losses

    def storage_has_time(self, now: float, allowance: Allowance) -> bool:
        """Whether its worker's storage may still come back."""
        since = self.storage_failed_since
        return since is None or now - since < allowance.storage_patience

    def pause(self, now: float) -> float:
        """Seconds to give the storage before this attempt: as long as it has been away, or so."""
        away = now - (self.storage_failed_since or now)
        return min(max(1.0, away), LONGEST_PAUSE_SECONDS)

    def poison(self) -> Failure:
        """What is said of a trial that took so many workers with it."""
        losses = self.lost + self.unlucky
        times = "once" if losses == 1 else f"{losses} times"
        text = f"the trial lost its worker {times}; it may have run out of memory"
        return Failure(f"KilledWorker: {text}", text)

    def fatal(self, how: str) -> Failure:
        """What is said of a trial under which too many processes ended, the last one as ``how``."""
        times = "" if self.lost == 1 else f" This happened {self.lost} times."
        return Failure(f"TrialProcessError: {how}", f"{how}.{times}")


def overrun(timeout: float) -> Failure:
    """What is said of a trial that was stopped after ``timeout`` seconds."""
    text = f"the trial timed out: it had not ended after {timeout:g} s"
    return Failure(f"TimeoutError: {text}", text)
