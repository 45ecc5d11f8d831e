"""Dask with nothing around it: as many tasks at a time as are to be in flight."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
from distributed import as_completed

from benchmarks.order import Measured, Order
from benchmarks.work import Clock, table, work


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Submit a window of tasks, and another one whenever one ends."""
    data = client.scatter(table(order)) if order.megabytes else None
    draw = np.random.default_rng(1)
    clock = Clock(order)

    def submit() -> Any:
        return client.submit(work, draw.random(), order.seconds, data, pure=False)

    first = min(order.in_flight, order.trials)
    left = order.trials - first
    running = as_completed([submit() for _ in range(first)])
    for future in running:
        future.result()
        clock.note()
        if left:
            left -= 1
            running.add(submit())
    return clock.measured()
