"""hyn-k8s, on the client's cluster, its journal on the storage of the order."""

from __future__ import annotations

import pathlib
from typing import Any

from benchmarks.order import Measured, Order


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Run the search as a script does; the storage is in the environment."""
    import hyn_k8s

    hyn_k8s.enable(executors=order.in_flight)
    from benchmarks import search

    return search.measured(order)
