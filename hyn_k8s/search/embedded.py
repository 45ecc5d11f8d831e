"""The embedded cluster: a Dask scheduler and one worker as subprocesses of the driver.

The worker has a thread for each trial at a time, and each trial a process of its own. All is made
of Dask's commands, never of multiprocessing: a LocalCluster imports the user's script again in each
worker, fails without a ``__main__`` guard, and runs the script's body once more whenever a worker
is replaced. distributed's own SubprocessCluster comes close, but it leaves its processes behind
when the driver is killed, and its scheduler stops for good once it has logged more than a pipe
holds.

Each process here has a group of its own (Ctrl-C in the terminal is the driver's to handle), logs to
a file, and dies with the driver (``lifeline``). They talk by TLS with a key that is made for this
cluster, since any user of the machine can reach a port. They import modules from where the driver
does, without the script's directory and the current one: a ``secrets.py`` there is no module of
Python's.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from distributed.security import Security

from hyn_k8s.errors import HynError, SchedulerError, WorkerError
from hyn_k8s.search import lifeline, preload, shipping
from hyn_k8s.search.dask_process import LAUNCH, configuration, defaults

START_TIMEOUT_SECONDS = 60.0
_LOG_TAIL = 2000


class EmbeddedCluster:
    """A scheduler on this machine that begins to start now, until ``close``; nothing waits for it.

    It takes a second, in which its driver may import Hypernets.
    """

    def __init__(self) -> None:
        self.failure: WorkerError | None = None
        """Why no trial can run: the worker has ended without having joined the run."""
        self.on_failure: Callable[[], None] | None = None
        """Called, in a thread of its own, when there is a ``failure``."""
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="hyn-k8s-dask-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self.has_joined = False
        """Whether the worker has joined the run."""
        self._count = 0
        self._is_closed = False
        self._lock = threading.Lock()
        try:
            self._scheduler = self._start(
                "scheduler",
                ["scheduler", "--host", "tls://127.0.0.1", "--port", "0"]
                + ["--dashboard-address", "127.0.0.1:0"]
                + ["--scheduler-file", str(self._identity), "--preload", lifeline.__name__],
            )
            with defaults():
                self.security = Security.temporary()
            """By which a client may talk to the scheduler."""
            self._configure(self._scheduler)
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
        problem = f"it did not start; {self._end_of_log('scheduler')}"
        raise SchedulerError("of the embedded cluster", problem)

    def start_worker(self, count: int) -> None:
        """Begin to start a worker that runs ``count`` trials at a time, each in its process."""
        self._count = count
        process = self._start(
            "worker",
            ["worker", self.address(), "--name", "worker", "--nworkers", "1"]
            + ["--nthreads", str(count), "--memory-limit", "0"]
            + ["--host", "tls://127.0.0.1", "--no-dashboard"]
            + ["--local-directory", str(self._folder), "--preload-nanny", lifeline.__name__]
            + ["--preload", preload.__name__],
        )
        self._configure(process)
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()

    def close(self) -> None:
        """Kill every process of the cluster and remove its files; the second call does nothing."""
        with self._lock:
            self._is_closed = True
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

    def _configure(self, process: subprocess.Popen[bytes]) -> None:
        """Send ``process`` its configuration, keys included, for which it waits."""
        tls = {"ca-file": self.security.tls_ca_file}
        for role in ("scheduler", "worker", "client"):
            tls[f"{role}.cert"] = getattr(self.security, f"tls_{role}_cert")
            tls[f"{role}.key"] = getattr(self.security, f"tls_{role}_key")
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its log explains
            process.stdin.write(json.dumps(configuration(tls)).encode() + b"\n")
            process.stdin.flush()

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        path = json.dumps(_library_path())
        with self._lock, open(self._folder / f"{name}.log", "wb") as log:
            if self._is_closed:
                raise SchedulerError("of the embedded cluster", "it is closed")
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", LAUNCH, path, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._processes.append(process)
        return process

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """In a thread: wait until the worker ends. Start another, if that is of any use."""
        code = process.wait()
        if self._is_closed or self._scheduler.poll() is not None:
            return  # it is meant, or the driver will notice that the scheduler is gone
        if self.has_joined:
            self.has_joined = False
            with contextlib.suppress(HynError):  # the scheduler has gone meanwhile
                self.start_worker(self._count)
            return
        problem = f"it ended with exit code {code}; {self._end_of_log('worker')}"
        self.failure = WorkerError("of the embedded cluster", problem)
        if self.on_failure is not None:
            self.on_failure()

    def _end_of_log(self, name: str) -> str:
        try:
            text = (self._folder / f"{name}.log").read_text(errors="replace")
        except FileNotFoundError:
            text = ""
        return f"its log ends:\n{text[-_LOG_TAIL:]}"


def _library_path() -> list[str]:
    """Where the driver finds modules, without what Python put first: the script's directory.

    A directory that is there once more was asked for, by ``PYTHONPATH`` or an editable install.
    """
    main = sys.modules["__main__"]
    is_script = getattr(main, "__spec__", None) is None and hasattr(main, "__file__")
    first = shipping.script_folder() if is_script else os.getcwd()
    path = [each for each in sys.path if each]
    if first in path:
        path.remove(first)
    return path
