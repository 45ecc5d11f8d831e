"""A Dask preload that ends a scheduler or worker of the embedded cluster with its driver.

The driver holds the other end of this process's standard input. When the driver goes, however it
goes, the kernel closes that end, and the whole process group of this process is killed at once:
no cluster outlives a driver that was killed with SIGKILL, and nobody has to poll for a parent.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any


def dask_setup(_service: Any) -> None:
    """Called by Dask when the process starts."""
    threading.Thread(target=_die_with_driver, name="lifeline", daemon=True).start()


def _die_with_driver() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)
