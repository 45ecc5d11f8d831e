"""As many Dask tasks at a time as are to be in flight, and another one whenever one ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distributed import as_completed

from benchmarks.order import Measured, Order
from benchmarks.work import Clock


def run_in_window(
    order: Order, submit: Callable[[], Any], take: Callable[[Any], object]
) -> Measured:
    """``submit`` gives a future, each of which ``take`` is given when it has ended."""
    clock = Clock(order)
    first = min(order.in_flight, order.trials)
    left = order.trials - first
    running = as_completed([submit() for _ in range(first)])
    for future in running:
        take(future)
        clock.note()
        if left:
            left -= 1
            running.add(submit())
    return clock.measured()
