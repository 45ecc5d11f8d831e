"""How much memory a trial may take on a worker, and how much one takes.

A Dask worker's own limit does not concern trials, which run in other processes. And Dask's default,
the machine's memory times threads over cores, has little to do with how many trials run at a time.
The limit of a trial is, in this order:

1. what the user says (``HYN_SEARCH_MEMORY``);
2. on a worker that is there for runs only, in a container that has a limit: what is left of that,
   over the worker's threads;
3. on another worker that was started with a limit of its own: that, over its threads.

Without any of these there is none. For the embedded cluster, the driver says what the machine has
over the number of trials at a time.
"""

from __future__ import annotations

import contextlib
import pathlib

import psutil
from distributed.system import MEMORY_LIMIT

from hyn_k8s.search.settings import LEAST_MEMORY

_SPARED = 0.95
"""Which part of a container's limit trials may take together, before the kernel ends one of its
processes, or all."""


def machines_share(trials: int) -> int:
    """What each of ``trials`` may take that run on this machine at a time, in bytes."""
    return max(LEAST_MEMORY, int(MEMORY_LIMIT) // trials)


def containers_share(threads: int) -> int | None:
    """What each of a worker's ``threads`` may take of its container; None without a limit there."""
    if psutil.virtual_memory().total <= MEMORY_LIMIT:
        return None
    own = sum(_resident(process) for process in psutil.process_iter())
    return max(LEAST_MEMORY, int((MEMORY_LIMIT * _SPARED - own) / threads))


def workers_share(limit: int | None, threads: int, cores: int) -> int | None:
    """What each of the ``threads`` may take of a worker with a limit of its own, in bytes.

    None if it has none, or the one that Dask gives to a worker on a machine with so many ``cores``.
    """
    if not limit or limit == int(MEMORY_LIMIT * min(1, threads / cores)):
        return None
    return max(LEAST_MEMORY, limit // threads)


def read_taken(pid: int) -> int:
    """What the process ``pid`` and those it has started have for themselves, in bytes.

    Without files that are mapped, which processes share.
    """
    taken = 0
    with contextlib.suppress(OSError, ValueError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:")):
                taken += int(line.split()[1]) * 1024
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                taken += read_taken(int(child))
    return taken


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
