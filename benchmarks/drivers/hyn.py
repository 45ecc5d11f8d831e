"""hyn-k8s, on the client's cluster, its journal on the storage of the order."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import psutil

from benchmarks.order import Measured, Order


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Run the search as a script does; the storage is in the environment."""
    import hyn_k8s

    hyn_k8s.enable(executors=order.in_flight)
    from benchmarks import search

    workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    return search.measured(order, workers=workers)
