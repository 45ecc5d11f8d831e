"""A Dask worker's trial host, and what the worker knows of each trial process.

The worker's threads talk to trial processes through sockets, one thread to one process at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait

from hyn_k8s import contract
from hyn_k8s.search.log_orders import LogOrders
from hyn_k8s.search.trial_host import KEEPERS_SECONDS, KILL, LIMIT, LIMIT_FORMAT, READY, START
from hyn_k8s.search.trial_messages import Answer, Said, TrialProcessError

START_SECONDS = 120.0
"""How long a host may take to import Hypernets, on a busy machine or a slow disk."""

REPORT_SECONDS = 10.0
"""How long a host may take to report that a trial process has ended."""

LONGEST_WAIT_SECONDS = 3600.0
"""How long one wait may be; the system's have a limit."""

_MAIN = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from hyn_k8s.search.trial_host import main
main(int(sys.argv[1]))
"""


class HostError(Exception):
    """The trial host of this worker cannot start. Its argument says why, in one line."""


class TrialProcess:
    """A trial process of this worker."""

    def __init__(
        self, channel: socket.socket, reports: socket.socket, orders: socket.socket
    ) -> None:
        self.logs = LogOrders(orders)
        """What keeps the logs of its trials."""
        self._channel = Connection(channel.detach())
        self._reports = reports
        self._is_killed = False

    def ask(
        self, request: bytes, until: float, hear: Callable[[Answer], None] | None = None
    ) -> Answer:
        """Its answer to ``request``; ``hear`` is called with what it says before.

        Raises:
            TimeoutError: it had not answered ``until`` that time on the monotonic clock, which may
                be infinite. It is killed.
            TrialProcessError: it has ended.
        """
        begun = time.monotonic()
        try:
            self._channel.send_bytes(request)
        except OSError:
            raise self._end() from None
        while True:
            left = max(0.0, until - time.monotonic())
            ready = wait([self._channel, self._reports], min(left, LONGEST_WAIT_SECONDS))
            if not ready and left > LONGEST_WAIT_SECONDS:
                continue
            if not ready:
                self.kill()
                seconds = round(until - begun, 1)
                self.logs.end(f"it was stopped, since it had not ended after {seconds:g} s")
                raise TimeoutError
            if self._channel not in ready:
                raise self._end()
            try:
                answer: Answer = pickle.loads(self._channel.recv_bytes())
            except (EOFError, OSError):
                raise self._end() from None
            if answer[0] is not Said.WANTED:
                return answer
            if hear is not None:
                hear(answer)

    @property
    def has_ended(self) -> bool:
        """Whether it ended while nobody asked it for anything."""
        return bool(wait([self._channel, self._reports], 0))

    def limit_memory(self, limit: int) -> None:
        """Let the host kill it when it takes more than ``limit`` bytes."""
        self._reports.send(LIMIT + struct.pack(LIMIT_FORMAT, limit))

    def kill(self) -> None:
        """Kill it, from any thread, with all processes it has started."""
        self._is_killed = True
        with contextlib.suppress(OSError):
            self._reports.send(KILL)

    def close(self) -> None:
        """Let it end; what it has started is killed."""
        self._channel.close()
        self._reports.close()
        self.logs.close()

    def _end(self) -> TrialProcessError:
        """How it has ended."""
        report = b""
        if wait([self._reports], REPORT_SECONDS):
            with contextlib.suppress(OSError):
                report = self._reports.recv(4096)
        how = _sentence(report, self._is_killed)
        self.logs.end(how)
        return TrialProcessError(how)


def _sentence(report: bytes, is_killed: bool) -> str:
    """What a host's ``report`` says of a trial process."""
    if not report:
        return "its process ended together with the trial host"
    found = json.loads(report)
    if found["limit"]:
        return (
            f"it took more than {found['limit'] / 1e9:.1f} GB of memory, which is all a trial may "
            f"take; raise that with {contract.MEMORY.label}, or run fewer trials at a time"
        )
    code = os.waitstatus_to_exitcode(found["status"])
    peak = f"; its memory was {found['peak'] / 1e9:.1f} GB at most"
    if code >= 0:
        return f"its process ended with exit code {code}{peak}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    said = f"its process was ended by {name}{peak}"
    if code == -signal.SIGKILL and not is_killed:
        said += "; it may have run out of memory"
    return said


class Host:
    """A trial host. It begins to start now, and nothing waits for it until it is needed."""

    def __init__(self) -> None:
        self._commands, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._said = b""
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), json.dumps(sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # A signal to the worker's process group is for the worker to handle.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked for trial processes."""
        return self._process.poll() is None

    def start_process(self) -> TrialProcess:
        """Start a trial process, once the host is ready.

        Raises:
            HostError: the host could not start, or has ended.
        """
        with self._lock:
            self._await_ready()
            ours, channel = socket.socketpair()
            reports, hosts = socket.socketpair()
            orders, keepers = socket.socketpair()
            with channel, hosts, keepers:
                theirs = [each.fileno() for each in (channel, hosts, keepers)]
                try:
                    socket.send_fds(self._commands, [START], theirs)
                except OSError:
                    for each in (ours, reports, orders):
                        each.close()
                    raise HostError(self._how_it_ended()) from None
            return TrialProcess(ours, reports, orders)

    def close(self) -> None:
        """End it, and kill its trial processes."""
        self._commands.close()
        try:
            self._process.wait(KEEPERS_SECONDS + REPORT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_ready(self) -> None:
        if self._said != READY:
            self._commands.settimeout(START_SECONDS)
            try:
                self._said = self._commands.recv(4096)
            except TimeoutError:
                raise HostError(f"Hypernets was not imported after {START_SECONDS:.0f} s") from None
            self._commands.settimeout(None)
        if self._said != READY:
            raise HostError(self._said.decode(errors="replace") or self._how_it_ended())

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(REPORT_SECONDS)
            return f"its trial host ended with exit code {code}; the worker's log says why"
        return "its trial host does not answer"
