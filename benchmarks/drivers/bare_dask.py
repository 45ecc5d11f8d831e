"""Dask with nothing around it."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from benchmarks.drivers.window import run_in_window
from benchmarks.order import Measured, Order
from benchmarks.work import table, work


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Submit tasks, each with a number that was drawn."""
    data = client.scatter(table(order)) if order.megabytes else None
    draw = np.random.default_rng(1)

    def submit() -> Any:
        return client.submit(work, draw.random(), order.seconds, data, pure=False)

    return run_in_window(order, submit, lambda future: future.result())
