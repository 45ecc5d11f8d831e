"""Counts what a Dask process sends: a preload of scheduler and workers, used by the driver too.

Every message between Dask's processes is written by one method, of one class for TCP, and it says
how long the message was.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from distributed.comm import tcp

sent = 0
"""Bytes that this process has written to others."""


def count() -> None:
    """From now on; the second call does nothing."""
    if hasattr(tcp.TCP.write, "__wrapped__"):
        return
    write = tcp.TCP.write

    @functools.wraps(write)
    async def counting(self: Any, *args: Any, **kwargs: Any) -> int:
        global sent
        written: int = await write(self, *args, **kwargs)
        sent += written
        return written

    tcp.TCP.write = counting


def dask_setup(_server: Any) -> None:
    """Dask calls it in a process that preloads this module."""
    count()


def sent_so_far(dask_scheduler: Any = None, dask_worker: Any = None) -> int:
    """What the process that runs it has sent; for the client's ``run`` and ``run_on_scheduler``."""
    return sent


def read_so_far(dask_worker: Any = None) -> int:
    """Bytes of files and sockets that a worker's process has read, of files all."""
    with open(f"/proc/{os.getpid()}/io") as file:
        figures = dict(line.split(": ") for line in file)
    return int(figures["rchar"])
