"""The trial host: a process that has imported Hypernets, and forks the trial processes.

To import Hypernets takes seconds and 200 MB. A fork of this process has it in milliseconds, and
shares the memory. Each Dask worker starts one host of its own (``hosting``), and gives it a socket
for commands. The host does nothing but fork, wait and kill, in a single thread, so it always
answers, whatever its trial processes do.

With each command the worker sends three sockets: the trial process talks to the worker by the
first, the host reports the end of the trial process on the second, and its log keeper
(``log_keeper``) hears of the worker on the third. Each trial process leads a session, so the host
can kill it with the processes it has started. Those that have left its group are killed with it,
too, but not if it ends by itself: then nobody knows whose they are. A log keeper outlives all that,
and ends by itself.

When the worker is gone, however it went, the kernel closes the command socket, and the host kills
all trial processes and ends. When the host is killed, the kernel kills the trial processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import struct
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from hyn_k8s.search.trial_memory import started_by, takes_more

START = b"s"
"""Command: fork a trial process and its log keeper; comes with their three sockets."""

KILL = b"k"
"""On the second socket of a trial process: kill it now."""

LIMIT = b"m"
"""On the second socket of a trial process, before its memory limit (``LIMIT_FORMAT``)."""

LIMIT_FORMAT = "<Q"
"""Bytes; a process that takes more, together with those it has started, is killed."""

READY = b"ready"
"""What the host says first; anything else is the reason why it cannot start."""

END_SECONDS = 3.0
"""How long a trial process has to end after the worker has closed both sockets."""

KEEPERS_SECONDS = 12.0
"""How long log keepers have at the end; they take 10 s where the storage is away."""

LOOK_SECONDS = 0.2
"""How often the host looks how much memory trial processes with a limit take."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_EXPECTED_VICTIM = "1000"
"""An oom_score_adj: for want of memory, the kernel ends a trial process before any other."""


@dataclass
class Child:
    """A trial process, as the host knows it."""

    pid: int
    reports: socket.socket
    """Where its end is reported, and where commands about it come from."""
    printed: int
    """The end of its pipe that its log keeper reads."""
    limit: int | None = None
    """How much memory it may take, in bytes."""
    exceeded: bool = False
    """Whether it was killed because it took more."""
    ends_at: float | None = None
    """When it is killed if it has not ended by then, on the monotonic clock."""


class TrialHost:
    """Forks trial processes as ``commands`` says, and reports how each one ends."""

    def __init__(self, commands: socket.socket) -> None:
        self._commands = commands
        self._children: dict[int, Child] = {}
        """By process id; without those that were reported."""
        self._keepers: dict[int, Child] = {}
        """By process id: the log keepers that are alive, and whose each is."""
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        for each in (self._woken, self._wake):
            each.setblocking(False)
        self._selector.register(commands, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        # What a trial process leaves behind is this process's to reap; in a container nobody may.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())

    def serve(self) -> Callable[[], None] | None:
        """Serve until the worker is gone. In a process that was forked: what it is there for."""
        while True:
            for key, _ in self._selector.select(self._look()):
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                    self._report_ended()
                elif key.fileobj is self._commands:
                    command, sockets, _, _ = socket.recv_fds(self._commands, 1, 3)
                    if not command:
                        self._kill_all()
                        return None
                    task = self._start(*(socket.socket(fileno=fd) for fd in sockets))
                    if task is not None:
                        return task
                elif key.data.pid in self._children:  # else it was reported in this very turn
                    self._obey(key.data)

    def _start(
        self, channel: socket.socket, reports: socket.socket, orders: socket.socket
    ) -> Callable[[], None] | None:
        host, token = os.getpid(), os.urandom(16).hex().encode()
        printed, output = os.pipe()
        keeper = _fork()
        if keeper == 0:
            for each in (channel, reports):
                each.close()
            os.close(output)
            self._leave_host()
            return functools.partial(_keep_logs, orders, printed, token)
        orders.close()
        pid = None if keeper is None else _fork()
        if keeper is None or pid is None:  # the worker finds the sockets closed
            channel.close()
            reports.close()
            os.close(output)
            os.close(printed)
            return None
        if pid == 0:
            reports.close()
            os.close(printed)
            self._become_trial_process(host)
            return functools.partial(_run_trials, channel, output, token)
        channel.close()
        os.close(output)
        self._children[pid] = Child(pid, reports, printed)
        self._keepers[keeper] = self._children[pid]
        self._selector.register(reports, selectors.EVENT_READ, self._children[pid])
        return None

    def _become_trial_process(self, host: int) -> None:
        """Right after the fork: end with the host, and before any other process."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != host:
            os._exit(1)  # it has been killed meanwhile
        self._leave_host()
        _write("/proc/self/oom_score_adj", _EXPECTED_VICTIM)

    def _leave_host(self) -> None:
        """Right after the fork: leave everything that is the host's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for each in (self._commands, self._woken, self._wake):
            each.close()
        for child in self._children.values():
            child.reports.close()
            os.close(child.printed)

    def _obey(self, child: Child) -> None:
        """The worker says something about ``child``, or has closed its socket."""
        command = child.reports.recv(1)
        if command == KILL:
            _kill(child)
        elif command == LIMIT:
            size = struct.calcsize(LIMIT_FORMAT)
            (child.limit,) = struct.unpack(LIMIT_FORMAT, child.reports.recv(size))
        else:
            # It is told to end by the end of its own socket, and gets a moment to do so.
            self._selector.unregister(child.reports)
            child.ends_at = time.monotonic() + END_SECONDS

    def _look(self) -> float | None:
        """Kill what takes too much memory or too long to end; when to look again, in seconds."""
        now, following = time.monotonic(), []
        for child in self._children.values():
            if child.ends_at is not None:
                if child.ends_at <= now:
                    _kill(child)
                following.append(max(LOOK_SECONDS, child.ends_at - now))
            elif child.limit is not None and not child.exceeded:
                child.exceeded = takes_more(child.pid, child.limit)
                if child.exceeded:
                    _kill(child)
                following.append(LOOK_SECONDS)
        return min(following, default=None)

    def _report_ended(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            kept = self._keepers.pop(pid, None)
            if kept is not None and kept.pid in self._children and kept.ends_at is None:
                self._read_on(kept)
            child = self._children.pop(pid, None)
            if child is not None:
                _kill(child)  # what it has started ends with it
                report = {
                    "status": status,
                    "peak": usage.ru_maxrss * 1024,
                    "limit": child.limit if child.exceeded else None,
                }
                self._forget(child, json.dumps(report).encode())

    def _forget(self, child: Child, report: bytes) -> None:
        if child.reports.fileno() in self._selector.get_map():
            self._selector.unregister(child.reports)
        with contextlib.suppress(OSError):  # the worker may not be interested any more
            child.reports.send(report)
        child.reports.close()
        os.close(child.printed)

    def _read_on(self, child: Child) -> None:
        """Its log keeper is gone: let another process read what it prints, or it would wait."""
        if _fork() == 0:
            printed = os.dup(child.printed)
            self._leave_host()
            try:
                pass_on(printed)
            finally:
                os._exit(0)

    def _kill_all(self) -> None:
        for child in self._children.values():
            _kill(child)
        for pid in self._children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._await_keepers()

    def _await_keepers(self) -> None:
        """Whoever gets them when this process has ended may never reap them."""
        deadline = time.monotonic() + KEEPERS_SECONDS
        self._report_ended()
        while self._keepers and (left := deadline - time.monotonic()) > 0:
            if select.select([self._woken], [], [], left)[0]:
                self._woken.recv(4096)
            self._report_ended()


def pass_on(printed: int) -> None:
    """Write what comes from ``printed`` to this process's standard error, as far as that goes."""
    os.set_blocking(printed, True)
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    with contextlib.suppress(OSError):
        while data := os.read(printed, select.PIPE_BUF):
            if poll.poll(0):
                os.write(2, data)


def _fork() -> int | None:
    """As ``os.fork``; None if there are too many processes, or no memory."""
    try:
        return os.fork()
    except OSError:
        return None


def _kill(child: Child) -> None:
    """Kill ``child``, the session that it leads, and what it has started in others."""
    started = started_by(child.pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        pass  # a system without it, or one that forbids it


def _run_trials(channel: socket.socket, output: int, token: bytes) -> None:
    from hyn_k8s.search.trial_process import run_trials

    run_trials(channel, output, token)


def _keep_logs(orders: socket.socket, printed: int, token: bytes) -> None:
    from hyn_k8s.search.log_keeper import keep_logs

    keep_logs(orders, printed, token)


def main(fileno: int) -> None:
    """Be the host whose commands come on ``fileno``, and each process that it forks."""
    commands = socket.socket(fileno=fileno)
    try:
        from hyn_k8s.search import compat

        compat.apply()
        # With what they need for storages that is a second for each process, if it is not here.
        importlib.import_module("hyn_k8s.search.trial_process")
        importlib.import_module("hyn_k8s.search.log_keeper")
    except BaseException as error:
        lines = traceback.format_exception_only(error)
        commands.sendall("".join(lines).strip().encode())
        raise
    gc.collect()
    gc.freeze()  # what is never collected is never copied
    commands.sendall(READY)
    task = TrialHost(commands).serve()
    if task is None:
        from hyn_k8s.search import local_copies

        local_copies.remove_unused()
    else:
        task()
