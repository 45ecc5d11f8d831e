"""Real Python processes that start in a tenth of a second, because their libraries are there.

Most tests that start ``hyn-k8s``, a driver or Dask do so as a means. Each start costs three
seconds of a processor, nearly all of it to import scikit-learn, pandas, LightGBM and Dask. Here one
process per test process imports these libraries and forks for each start. What it does not import
is Hypernets and our own code: those run from their first line in each process, as for a user.

What has been forked has its own process group, environment, directory, arguments and output, and
is a process like any other: it can be killed, and it tells its exit code. ``can_fork`` says for
which commands this is so; whoever tests how a process begins starts a real one.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from hyn_k8s.search.descendants import STARTUP

_INTERPRETER_READS = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "LD_", "MALLOC_")
"""Beginnings of variables that count when an interpreter or a library starts."""


class Process(Protocol):
    """What tests use of ``subprocess.Popen``."""

    returncode: int | None

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...

    def terminate(self) -> None: ...


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what lets Python processes import Hypernets with our fixes."""
    entries = environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join(each for each in entries if each and each != STARTUP)
    others = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    return {**others, "PYTHONPATH": path} if path else others


def can_fork(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether ``command`` is a Python program that begins the same way in a forked process."""
    first = command[1] if len(command) > 1 else "-i"
    is_python = command[0] == sys.executable and (first in ("-m", "-c") or first[0] != "-")
    is_ours = command[0] == str(pathlib.Path(sys.executable).parent / "hyn-k8s")
    return (is_python or is_ours) and all(
        value == os.environ.get(name)
        for name, value in env.items()
        if name.startswith(_INTERPRETER_READS)
    )


def fork(
    command: Sequence[str], cwd: pathlib.Path, env: Mapping[str, str], stdout: int, stderr: int
) -> Process:
    """Start ``command`` with ``env`` as its whole environment, in a session of its own."""
    sys.audit("subprocess.Popen", command[0], list(command), str(cwd), dict(env))
    return _server().fork(command, cwd, env, stdout, stderr)


class ForkedProcess:
    """A process that the server has forked: its exit code comes through a pipe."""

    def __init__(self, command: Sequence[str], pid: int, status: int) -> None:
        self.returncode: int | None = None
        self.pid = pid
        self._command = command
        self._status = status

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code when it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not within ``timeout`` seconds.
        """
        if self.returncode is None:
            ready, _, _ = select.select([self._status], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired(list(self._command), timeout or 0)
            said = os.read(self._status, 20)
            os.close(self._status)
            assert said, "the fork server has ended before its processes"
            self.returncode = int(said)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it without a chance to do anything."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class ForkServer:
    """The process that forks, for one process of tests; it ends with that one."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=pathlib.Path(__file__).parents[2],
                env=bare(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(
        self,
        command: Sequence[str],
        cwd: pathlib.Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> ForkedProcess:
        """See the function of this name."""
        order = json.dumps({"command": list(command), "cwd": str(cwd), "env": dict(env)})
        status, written = os.pipe()
        try:
            socket.send_fds(self._control, [order.encode()], [stdout, stderr, written])
        finally:
            os.close(written)
        pid = self._control.recv(20)
        assert pid, "the fork server has ended"
        return ForkedProcess(command, int(pid), status)


@functools.cache
def _server() -> ForkServer:
    return ForkServer()
