"""How far a search is: counts, best, rate, time left. Values only; showing them is for others.

The dispatcher replaces the value as trials are asked and told; a renderer in another thread reads
whichever is current, so neither waits for the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hyn_k8s.search.outcome import FAILED, PRUNED, SKIPPED, SUCCEEDED
from hyn_k8s.search.ranking import may_be_best, rank


@dataclass(frozen=True)
class Best:
    """The best trial so far, as ``ranking`` decides it."""

    trial: int
    rewards: tuple[float, ...]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """As the space assigned them, by their names there."""
    model: str | None = None
    """Below the storage's root."""


@dataclass(frozen=True)
class Progress:
    """The state of one search at one moment."""

    search: str
    """``heart-1/search-1``."""
    total: int
    """``max_trials``."""
    directions: tuple[str, ...]
    """Of each reward ``max`` or ``min``."""
    reward: str
    """The first reward's name."""
    begun: float
    """Seconds since the epoch, by this machine's clock."""
    succeeded: int = 0
    failed: int = 0
    pruned: int = 0
    skipped: int = 0
    running: int = 0
    workers_lost: int = 0
    """How often a worker was lost under a trial, which was then run again; no trial's failure."""
    processes_lost: int = 0
    """How often the process of a trial ended under it, and the trial was run again or failed."""
    resumed: int = 0
    """How many of the trials done an earlier driver did."""
    best: Best | None = None
    last_error: str | None = None
    """One line about the trial that failed last."""
    dashboard: str | None = None
    """The URL of Dask's dashboard."""
    ended: float | None = None
    pareto: int | None = None
    """How many trials no other one beats in every reward; known at the end, and only where there
    are several rewards."""

    @property
    def done(self) -> int:
        """Trials that have come to something."""
        return self.succeeded + self.failed + self.pruned + self.skipped

    def rate(self, now: float) -> float | None:
        """Trials done per second since this driver began; None before the first."""
        elapsed, done = (self.ended or now) - self.begun, self.done - self.resumed
        return done / elapsed if done and elapsed > 0 else None

    def eta_seconds(self, now: float) -> float | None:
        """Seconds until ``total`` trials are done, at the rate so far; None before the first."""
        rate = self.rate(now)
        return None if rate is None else max(0, self.total - self.done) / rate

    def with_running(self, running: int) -> Progress:
        """The same with ``running`` trials in flight."""
        return replace(self, running=running)

    def with_loss(self, process: bool) -> Progress:
        """The same with another worker lost under a trial, or only a trial's ``process``."""
        if process:
            return replace(self, processes_lost=self.processes_lost + 1)
        return replace(self, workers_lost=self.workers_lost + 1)

    def with_trial(
        self,
        number: int,
        status: str,
        rewards: Sequence[float] | None,
        error: str | None = None,
        *,
        hyperparameters: Mapping[str, Any] | None = None,
        model: str | None = None,
    ) -> Progress:
        """The same with one more trial done. ``rewards`` is None unless it succeeded."""
        counted = {SUCCEEDED: "succeeded", FAILED: "failed", PRUNED: "pruned", SKIPPED: "skipped"}
        name = counted[status]
        best = self.best
        if rewards and self._betters(rewards):
            best = Best(number, tuple(rewards), hyperparameters or {}, model)
        changes = {name: getattr(self, name) + 1}
        return replace(self, best=best, last_error=error or self.last_error, **changes)

    def finished(self, pareto: int | None = None) -> Progress:
        """The same, ended now, with so many trials that no other one beats."""
        return replace(self, ended=time.time(), running=0, pareto=pareto)

    def _betters(self, rewards: Sequence[float]) -> bool:
        if not may_be_best(rewards):
            return False
        best = self.best
        return best is None or rank(rewards, self.directions) < rank(best.rewards, self.directions)


def progress_line(progress: Progress, now: float) -> str:
    """One line of text: what a log or a pipe shows."""
    parts = [f"{progress.search}: {progress.done}/{progress.total} done"]
    parts.append(f"{progress.running} running")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    parts.extend(losses(progress.workers_lost, progress.processes_lost))
    parts.append(f"best {best_text(progress)}")
    rate = progress.rate(now)
    if rate is not None:
        parts.append(rate_text(rate))
    eta = progress.eta_seconds(now)
    if eta is not None and progress.ended is None:
        parts.append(f"{duration_text(eta)} left")
    return ", ".join(parts)


def best_text(progress: Progress) -> str:
    """The best first reward and its trial, or a dash."""
    best = progress.best
    return "–" if best is None else f"{progress.reward} {best.rewards[0]:.5g} (trial {best.trial})"


def losses(workers: int, processes: int) -> list[str]:
    """What was lost under trials, in words."""
    counts = {"worker{} lost": workers, "trial process{} died": processes}
    plurals = {"worker{} lost": "s", "trial process{} died": "es"}
    return [
        f"{count} {words.format(plurals[words] if count > 1 else '')}"
        for words, count in counts.items()
        if count
    ]


def rate_text(rate: float) -> str:
    """A rate in the unit a reader can picture."""
    if rate >= 1:
        return f"{rate:.1f} trials/s"
    return f"{rate * 60:.1f} trials/min" if rate * 60 >= 1 else f"{rate * 3600:.1f} trials/h"


def duration_text(seconds: float) -> str:
    """A duration as h, min and s, the two greatest of them."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"
