"""Dask clusters that a test may hurt: their scheduler comes back at the same address."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.fork_server import Process
from tests.processes import PRELOAD, QUIET, free_port, start, stop
from tests.waiting import until


@dataclass
class FragileCluster:
    """A scheduler and one-thread workers with nannies, each a process."""

    folder: pathlib.Path
    env: Mapping[str, str] = field(default_factory=dict)
    """What steers Dask, in all of its processes."""
    port: int = field(default_factory=free_port)
    workers: dict[str, Process] = field(default_factory=dict)
    scheduler: Process | None = None
    _started: int = 0

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start one that knows nothing, and wait until it listens."""
        command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = self._start("scheduler", command)
        until(self._listens, "the scheduler")

    def add_workers(self, count: int, *options: str) -> None:
        """Start workers under names that none had before."""
        for _ in range(count):
            name = f"node-{len(self.workers) + 1}"
            command = [sys.executable, "-m", "dask", "worker", self.address, "--name", name]
            command += ["--nworkers", "1", "--nthreads", "1", "--host", "127.0.0.1"]
            self.workers[name] = self._start(name, [*command, "--no-dashboard", *PRELOAD, *options])

    def lose_scheduler(self) -> None:
        """Kill it; its workers notice, and leave."""
        assert self.scheduler is not None
        stop(self.scheduler)

    def lose_workers(self) -> None:
        """Kill all workers with their nannies, so that none comes back by itself."""
        for process in self.workers.values():
            stop(process)

    def close(self) -> None:
        self.lose_workers()
        self.lose_scheduler()

    def _start(self, name: str, command: list[str]) -> Process:
        self._started += 1
        home = self.folder / f"{name}-{self._started}"
        home.mkdir(parents=True)
        return start(command, home, {**QUIET, **self.env}, home / "log")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False


@contextlib.contextmanager
def fragile_cluster(
    folder: pathlib.Path, workers: int, *options: str, env: Mapping[str, str] | None = None
) -> Iterator[FragileCluster]:
    """A cluster with so many workers, each started with ``options``."""
    cluster = FragileCluster(folder, env or {})
    try:
        cluster.start_scheduler()
        cluster.add_workers(workers, *options)
        yield cluster
    finally:
        cluster.close()


def worker_of(trial: int) -> int:
    """The id of the Dask worker of the trial process ``trial``, which its trial host has forked."""
    return _parent_of(_parent_of(trial))


def nanny_of(trial: int) -> int:
    """The id of the nanny of the Dask worker of the trial process ``trial``."""
    return _parent_of(worker_of(trial))


def _parent_of(process: int) -> int:
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("PPid:")]
    return int(line.split()[1])


def lives(pid: int) -> bool:
    """Whether the process is there, and no mere entry of one that has ended."""
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Within, the process is stopped, without its noticing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
