"""The embedded cluster: a Dask scheduler and one-thread workers as subprocesses of the driver.

Made of ``dask scheduler`` and ``dask worker`` commands, never of multiprocessing: a LocalCluster
imports the user's script again in each worker, fails without a ``__main__`` guard, and runs the
script's body once more whenever a worker is replaced. distributed's own SubprocessCluster comes
close, but it leaves its processes behind when the driver is killed, and its scheduler stops for
good once it has logged more than a pipe holds. Each process here has a group of its own (Ctrl-C in
the terminal is the driver's to handle), logs to a file, and dies with the driver (``lifeline``).
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from hyn_k8s.errors import SchedulerError
from hyn_k8s.search import lifeline, preload

START_TIMEOUT_SECONDS = 60.0
_LOG_TAIL = 2000

_ENVIRONMENT = {
    # The driver counts lost workers itself; Dask gives each loss back at once.
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    # A trial may train with processes of its own, as it may in the script's process.
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
}


class EmbeddedCluster:
    """A scheduler on this machine that begins to start now, until ``close``; nothing waits for it.

    It takes a second, in which its driver may import Hypernets.
    """

    def __init__(self) -> None:
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="hyn-k8s-dask-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            self._scheduler = self._start(
                "scheduler",
                ["scheduler", "--host", "127.0.0.1", "--port", "0"]
                + ["--dashboard-address", "127.0.0.1:0"]
                + ["--scheduler-file", str(self._identity), "--preload", lifeline.__name__],
            )
        except BaseException:
            self.close()
            raise

    def address(self) -> str:
        """The scheduler's address, once it listens.

        Raises:
            SchedulerError: it did not come up within START_TIMEOUT_SECONDS.
        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self._scheduler.poll() is None and time.monotonic() < deadline:
            try:
                return str(json.loads(self._identity.read_text())["address"])
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.02)  # its file is the only sign the scheduler gives of itself
        log = (self._folder / "scheduler.log").read_text()[-_LOG_TAIL:]
        raise SchedulerError("of the embedded cluster", f"it did not start; its log ends:\n{log}")

    def start_workers(self, count: int) -> None:
        """Begin to start a worker that runs ``count`` trials at a time, each in its process."""
        self._start(
            "worker",
            ["worker", self.address(), "--name", "worker", "--nworkers", "1"]
            + ["--nthreads", str(count), "--memory-limit", "0"]
            + ["--host", "127.0.0.1", "--no-dashboard"]
            + ["--local-directory", str(self._folder), "--preload-nanny", lifeline.__name__]
            + ["--preload", preload.__name__],
        )

    def close(self) -> None:
        """Kill every process of the cluster and remove its files; the second call does nothing."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes:
            process.wait()
            if process.stdin:
                process.stdin.close()
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)  # of mkdtemp, so nobody else's

    @property
    def _identity(self) -> pathlib.Path:
        """Where the scheduler writes its address."""
        return self._folder / "scheduler.json"

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with open(self._folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **_ENVIRONMENT},
            )
        self._processes.append(process)
        return process
