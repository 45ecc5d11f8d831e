"""What a driver is asked for, and what it has measured: JSON between processes."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from dataclasses import dataclass, field
from typing import Any

BARE, OPTUNA, HYN = "bare-dask", "optuna", "hyn-k8s"
ALONE, UPSTREAM, HISTORY = "hypernets", "hypernets-dask", "hypernets-history"

RANDOM, EVOLUTION = "random", "evolution"


@dataclass(frozen=True)
class Order:
    """One run of one system."""

    system: str
    trials: int
    in_flight: int
    workers: int = 4
    """Worker processes."""
    threads: int = 1
    """Of each worker."""
    seconds: float = 0.0
    """How long a trial sleeps; one that does not do anything takes none."""
    megabytes: int = 0
    """Of data that each trial reads a part of."""
    searcher: str = RANDOM
    storage: str = "file"
    """``file``; or ``s3`` for a server that answers 50 ms later."""

    @property
    def topology(self) -> tuple[int, int]:
        """Runs on the same one take turns."""
        return self.workers, self.threads

    @property
    def look_every(self) -> int:
        """After how many ends the driver's process is looked at, each time."""
        return max(1, self.trials // 20)

    def quick(self) -> Order:
        """The same of little: that it runs can be seen of it, and nothing else."""
        trials = min(self.trials, max(40, 2 * self.in_flight))
        return dataclasses.replace(
            self, trials=trials, seconds=self.seconds / 20, megabytes=self.megabytes // 20
        )


@dataclass(frozen=True)
class Measured:
    """What a run came to."""

    begun: float
    """When the search was begun, on the monotonic clock."""
    ends: list[float]
    """When the driver knew of each trial's end, in that order."""
    memory: list[int] = field(default_factory=list)
    """Bytes of the driver's process, each time that it was looked at."""
    busy: list[float] = field(default_factory=list)
    """Seconds that the driver's process has computed by then."""
    workers_busy: list[float] = field(default_factory=list)
    """Seconds that all workers together have computed by then; 0 where nobody looked at them."""
    sent: int = 0
    """Bytes that Dask's processes and the driver have sent each other."""
    read: int = 0
    """Bytes that workers have read from the storage."""

    def rate(self, first: int, last: int) -> float:
        """Trials a second from the end of trial ``first`` to that of trial ``last``."""
        return (last - first) / (self.ends[last - 1] - self.ends[first - 1])

    @property
    def settled_rate(self) -> float:
        """Trials a second once everything runs: the first tenth does not count."""
        return self.rate(max(1, len(self.ends) // 10), len(self.ends))

    @property
    def seconds(self) -> float:
        """From the beginning of the search to the end of its last trial."""
        return self.ends[-1] - self.begun


@dataclass(frozen=True)
class Run:
    """An order that was carried out."""

    order: Order
    measured: Measured

    def driver_computing(self, first: int, last: int) -> float:
        """Seconds that the driver has computed for each trial from one look at it to another."""
        return self._for_each(self.measured.busy, first, last)

    def worker_computing(self, first: int, last: int) -> float:
        """Seconds that a worker has computed for each trial from one look to another."""
        return self._for_each(self.measured.workers_busy, first, last)

    def _for_each(self, spent: list[float], first: int, last: int) -> float:
        # Hundredths of a second are what Linux counts in, so a short run may seem to take none.
        seconds = max(0.01, spent[last - 1] - spent[first - 1])
        return seconds / ((last - first) * self.order.look_every)

    @property
    def growth(self) -> float:
        """Bytes that the driver's process has grown by for each trial, from the first look on."""
        memory = self.measured.memory
        return (memory[-1] - memory[0]) / ((len(memory) - 1) * self.order.look_every)


def write(path: pathlib.Path, value: Any) -> None:
    """An Order or a Measured, into a file."""
    path.write_text(json.dumps(dataclasses.asdict(value)))


def read_order(path: pathlib.Path) -> Order:
    """The Order that ``write`` has put there."""
    return Order(**json.loads(path.read_text()))


def read_measured(path: pathlib.Path) -> Measured:
    """The Measured that ``write`` has put there."""
    return Measured(**json.loads(path.read_text()))
