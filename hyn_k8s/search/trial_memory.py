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


def containers_share(threads: int, host: int) -> int | None:
    """What each of a worker's ``threads`` may take of its container; None without a limit there.

    What the process ``host`` has forked are trial processes, perhaps of other runs.
    """
    if psutil.virtual_memory().total <= MEMORY_LIMIT:
        return None
    trials = {each.pid for each in psutil.Process(host).children(recursive=True)}
    own = sum(_resident(each) for each in psutil.process_iter() if each.pid not in trials)
    return max(LEAST_MEMORY, int((MEMORY_LIMIT * _SPARED - own) / threads))


def workers_share(limit: int | None, threads: int, cores: int) -> int | None:
    """What each of the ``threads`` may take of a worker with a limit of its own, in bytes.

    None if it has none, or the one that Dask gives to a worker on a machine with so many ``cores``.
    """
    if not limit or limit == int(MEMORY_LIMIT * min(1, threads / cores)):
        return None
    return max(LEAST_MEMORY, limit // threads)


def takes_more(pid: int, limit: int) -> bool:
    """Whether the process ``pid`` and those it has started take more than ``limit`` bytes.

    Memory that forks share counts once. To find that out takes a while in a large process, so it
    is asked only where the sum that is quickly found is above the limit.
    """
    if _read_sum(pid, "status", ("RssAnon:", "RssShmem:", "VmSwap:")) <= limit:
        return False
    return read_taken(pid) > limit


def read_taken(pid: int) -> int:
    """What the process ``pid`` and those it has started take, without mapped files, in bytes."""
    return _read_sum(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:", "SwapPss:"))


def _read_sum(pid: int, file: str, names: tuple[str, ...]) -> int:
    """The sum of these fields in this file of the process and of all it has started, in bytes."""
    taken = 0
    with contextlib.suppress(OSError, ValueError):
        for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(names):
                taken += int(line.split()[1]) * 1024
    return taken + sum(_read_sum(child, file, names) for child in _children(pid))


def started_by(pid: int) -> list[int]:
    """The processes that the process ``pid`` has started, and what these have, that are alive."""
    return [each for child in _children(pid) for each in (child, *started_by(child))]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
