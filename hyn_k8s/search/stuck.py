"""A trial in this very process that waits in the kernel for a storage that does not answer.

Its code opens files itself, so nothing bounds it. On a hard mount it returns when the server is
back, and until then neither an exception nor a signal reaches it but SIGKILL. The thread that
renews the lease sees both: that the storage is away, and where the trial stands. A script that
``hyn-k8s run`` runs is ended then, as if the storage's error had reached it; a notebook is left to
its user.
"""

from __future__ import annotations

import os
import pathlib
import sys
import time

from hyn_k8s.contract import ExitCode
from hyn_k8s.errors import HynError, StorageError
from hyn_k8s.search.reporting import Reporter

LOOK_SECONDS = 0.2


def is_in_kernel(thread: int) -> bool:
    """Whether a thread, by its native id, waits where no signal interrupts it; Linux only."""
    try:
        stat = pathlib.Path(f"/proc/{thread}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "D"


def stays_in_kernel(thread: int, seconds: float) -> bool:
    """Whether it is found there at each look for so many seconds."""
    until = time.monotonic() + seconds
    while is_in_kernel(thread):
        if time.monotonic() >= until:
            return True
        time.sleep(LOOK_SECONDS)  # nobody tells
    return False


def end_if_stuck(thread: int, error: HynError, seconds: float, reporter: Reporter) -> None:
    """End this process, to be called again later, if ``thread`` cannot hear of ``error``."""
    if not isinstance(error, StorageError) or not stays_in_kernel(thread, seconds):
        return
    reporter.close()
    sys.stdout.flush()
    waits = "a trial in this process waits for it and cannot be interrupted; the run can be resumed"
    print(f"Error: {error}; {waits}", file=sys.stderr, flush=True)
    os._exit(ExitCode.LATER)
