"""What a trial does, and the clock that a driver notes its end with; nothing of Hypernets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil

from benchmarks.order import Measured, Order

COLUMNS = 50
REALS = ("x", "y", "z")
"""Numbers from 0 to 1, so that no sample is drawn twice; the first one is the reward."""
KINDS = ("a", "b", "c")


def work(x: float, seconds: float, data: Any) -> float:
    """A trial, as every system does it: nothing, a sleep, or a look at its data; its reward."""
    if seconds:
        time.sleep(seconds)  # a trial that takes so long
    if data is not None and len(data) > 1:
        return x + 0 * float(data[: len(data) // 2].sum())
    return x


def table(order: Order) -> Any:
    """The data of a search: float64, 50 columns; a single number where none are asked for."""
    if not order.megabytes:
        return np.zeros((1, 1))
    rows = order.megabytes * 1_000_000 // (COLUMNS * 8)
    return np.random.default_rng(1).random((rows, COLUMNS))


class Clock:
    """Notes when trials end, and at looks what the driver's process and ``workers`` have used."""

    def __init__(self, order: Order, workers: Sequence[psutil.Process] = ()) -> None:
        self._look_every = order.look_every
        self._process = psutil.Process()
        self._workers = workers
        self._ends: list[float] = []
        self._memory: list[int] = []
        self._busy: list[float] = []
        self._workers_busy: list[float] = []
        self._begun = time.monotonic()

    def note(self) -> None:
        """A trial has ended."""
        self._ends.append(time.monotonic())
        if len(self._ends) % self._look_every == 0:
            self._memory.append(int(self._process.memory_info().rss))
            self._busy.append(_computed(self._process))
            self._workers_busy.append(sum(map(_computed, self._workers)))

    def measured(self) -> Measured:
        """All of it."""
        return Measured(self._begun, self._ends, self._memory, self._busy, self._workers_busy)


def _computed(process: psutil.Process) -> float:
    """Seconds that it has computed so far."""
    times = process.cpu_times()
    return float(times.user + times.system)
