"""The log keeper: a process beside each trial process, which keeps what trials print.

It is the trial host's child, and reads the pipe that the trial process prints into. Why a process:

- A trial process may be killed, or hold its interpreter for hours, and its output is kept still.
- The Dask worker stays light, and holds no storage; the host never waits for a storage.
- It is a fork, so it costs a few MB, and each keeps its own process's output: trials do not mix.

A log is written when its trial ends, and while it runs SAVE_SECONDS after something new was
printed. Nothing is polled. A trial that prints nothing costs the storage nothing, unless it may
have been begun before: the storage is opened at the first line. Output is read also while the
storage is slow or away, so no trial waits for it; what is kept of one trial takes MOST_BYTES at
most, here and there, and no disk.

Several attempts at a trial write one file, one below the other. Of two that run at the same time,
because one's worker was believed lost, the last one to write remains.

It also goes to the worker's own log, if that is read, for those who look there (``kubectl logs``).
That log may be a file on a small disk, so no more than MOST_BYTES of a trial do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import select
import socket
import threading
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection

from hyn_k8s import contract
from hyn_k8s.errors import HynError
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.settings import StorageSettings, worker_storage
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trial_logs import MOST_BYTES, Begun, Log, Marked, Over, Redactor
from hyn_k8s.search.trial_messages import JoinRun

SAVE_SECONDS = 3.0
"""How long after something was printed the log is written; readers are 5 s behind at most."""

LAST_SECONDS = 5.0
"""How long a storage that fails is tried again when the process has ended."""

MOST_PENDING = 16 * MOST_BYTES
"""How many bytes of logs wait for a storage that is slow or away; then the oldest is given up."""

PIPE_BYTES = 1024 * 1024
"""How much a trial may print before it waits until that is read."""

READ_BYTES = 64 * 1024
"""How much is read at once; more would be slow to allocate, where mostly little is printed."""

SILENT_SECONDS = 0.05
"""For how long it is not read when nothing was printed: of short trials, many end meanwhile."""

_LOST = "its worker ended, or was lost"

_SECRET_VARIABLES = (
    contract.STORAGE_ACCESS_KEY.name,
    contract.STORAGE_SECRET_KEY.name,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


def keep_logs(orders: socket.socket, printed: int, token: bytes) -> None:
    """Keep what comes from ``printed`` until ``orders`` are closed or say why; then end.

    The first of the ``orders`` is a pickled JoinRun, a second one what has ended the trial.
    """
    with contextlib.suppress(OSError):  # more than a user may have
        fcntl.fcntl(printed, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(printed, False)
    worker = Connection(orders.detach())
    try:
        join: JoinRun = pickle.loads(worker.recv_bytes())
    except (EOFError, OSError):
        return
    try:
        settings = worker_storage(join.storage, os.environ, os.getcwd())
    except HynError:
        return  # the trial process meets with the same, and says so
    secrets = secrets_of([join.storage, settings])
    _Keeper(settings, secrets, worker, printed, token).serve()


def secrets_of(settings: Iterable[StorageSettings]) -> list[str]:
    """The keys of these storages, and those in this process's environment."""
    found = [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    for each in settings:
        if each.credentials is not None:
            keys = each.credentials
            found += [keys.access_key, keys.secret_key, keys.session_token or ""]
    return found


class _Keeper:
    """Reads in the process's main thread, and writes logs in another."""

    def __init__(
        self,
        settings: StorageSettings,
        secrets: Iterable[str],
        orders: Connection,
        printed: int,
        token: bytes,
    ) -> None:
        self._orders = orders
        self._printed = printed
        self._marked = Marked(token)
        self._redactor = Redactor(secrets)
        self._log: Log | None = None
        self._is_running = False
        """Whether the trial of the log has begun and not ended."""
        self._is_silent = True
        """Whether what was read last are marks only."""
        self._echoed = 0
        """How much of its output is in the worker's own log."""
        self._saver = _Saver(settings)

    def serve(self) -> None:
        """Until the worker closes its end, or says what has ended the process."""
        poll, orders = select.poll(), self._orders.fileno()
        for each in (orders, self._printed):
            poll.register(each, select.POLLIN)
        while all(ready != orders for ready, _ in poll.poll()):
            if not self._read():
                poll.unregister(self._printed)  # nobody can print any more
            elif self._is_silent:
                time.sleep(SILENT_SECONDS)
        cause = _LOST
        with contextlib.suppress(EOFError, OSError):
            cause = self._orders.recv_bytes().decode()
        left = PIPE_BYTES
        while left > 0 and (size := self._read()):
            left -= size
        self._finish(cause)
        self._saver.close()

    def _read(self) -> int:
        """Take what has been printed; how many bytes that is."""
        try:
            data = os.read(self._printed, READ_BYTES)
        except BlockingIOError:
            return 0
        self._is_silent = True
        for each in self._marked.split(data):
            if isinstance(each, Begun):
                self._flush()
                self._log, self._is_running, self._echoed = Log(each), True, 0
            elif isinstance(each, Over):
                self._flush()
                self._is_running = False
                self._saver.hurry(self._log)
            else:
                self._is_silent = False
                self._take(self._redactor.take(each))
        return len(data)

    def _take(self, data: bytes) -> None:
        if data:
            self._echo(data)
        if data and self._log is not None:
            self._saver.add(self._log, data)

    def _flush(self) -> None:
        self._take(self._redactor.rest())

    def _finish(self, cause: str) -> None:
        self._flush()
        if self._is_running and self._log is not None:
            self._saver.end(self._log, cause)

    def _echo(self, data: bytes) -> None:
        """Into the worker's own log."""
        shown = data[: max(0, MOST_BYTES - self._echoed)]
        if len(shown) < len(data) and self._echoed <= MOST_BYTES:
            shown += b"\n--- what this trial prints from here on is in its own log only ---\n"
        self._echoed += len(data)
        own = select.poll()
        own.register(2, select.POLLOUT)
        with contextlib.suppress(OSError):
            while shown and own.poll(0):  # where nobody reads it, nothing waits for that
                shown = shown[os.write(2, shown[: select.PIPE_BUF]) :]


class _Saver:
    """Writes logs, each a while after something was added to it."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._storage: Storage | None = None
        self._pending: dict[Log, float] = {}
        """The logs that are to be written, and when, on the monotonic clock."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closes_at: float | None = None

    def add(self, log: Log, data: bytes) -> None:
        """Add ``data`` to ``log``, which is written some time later."""
        with self._changed:
            log.add(data)
            self._want(log, time.monotonic() + SAVE_SECONDS)

    def end(self, log: Log, cause: str) -> None:
        """Add to ``log`` what has ended the trial."""
        with self._changed:
            log.close(cause)
            self._want(log, time.monotonic())

    def hurry(self, ended: Log | None = None) -> None:
        """Write now what is to be written; the trial of ``ended`` has printed all it will."""
        with self._changed:
            now = time.monotonic()
            self._pending = dict.fromkeys(self._pending, now)
            if ended is not None and ended.earlier != b"" and not ended.has_any:
                self._want(ended, now)  # else the log would end with what an earlier attempt met
            self._changed.notify()

    def close(self) -> None:
        """Write what is to be written, if that works soon."""
        self.hurry()
        with self._changed:
            self._closes_at = time.monotonic() + LAST_SECONDS
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2 * LAST_SECONDS)

    def _want(self, log: Log, due: float) -> None:
        self._pending[log] = min(due, self._pending.get(log, due))
        while len(self._pending) > 1 and sum(each.held for each in self._pending) > MOST_PENDING:
            given_up = next(iter(self._pending))
            del self._pending[given_up]
            _say_lost(given_up, "too much waits for the storage")
        if self._thread is None:
            thread = threading.Thread(target=self._save_in_time, daemon=True)
            with contextlib.suppress(RuntimeError):  # too many threads now; the next line may have
                thread.start()
                self._thread = thread
        self._changed.notify()

    def _save_in_time(self) -> None:
        while True:
            with self._changed:
                log = self._await_due()
            if log is None:
                return
            try:
                self._save(log)
            except Exception as error:
                self._retry(log, error)

    def _await_due(self) -> Log | None:
        """The next log to write, when it is time for it; None when that was the last one."""
        while True:
            if not self._pending and self._closes_at is not None:
                return None
            left = None
            if self._pending:
                first = min(self._pending, key=self._pending.__getitem__)
                left = self._pending[first] - time.monotonic()
                if left <= 0:
                    del self._pending[first]
                    return first
            self._changed.wait(left)

    def _save(self, log: Log) -> None:
        if self._storage is None:
            self._storage = open_storage(self._settings)
        if log.earlier is None:
            try:
                log.earlier = self._storage.read(log.begun.path)
            except FileNotFoundError:
                log.earlier = b""
        with self._changed:
            if not log.has_any and not log.earlier:
                return
            text = log.text()
        self._storage.write(log.begun.path, text)

    def _retry(self, log: Log, error: Exception) -> None:
        """Write it later, unless there is no later."""
        with self._changed:
            now, pause = time.monotonic(), SAVE_SECONDS if self._closes_at is None else 0.5
            if self._closes_at is None or now + pause < self._closes_at:
                self._want(log, now + pause)
                return
        _say_lost(log, error)


def _say_lost(log: Log, reason: object) -> None:
    """Tell whoever reads the worker's own log that one of a trial is lost, in part or whole."""
    sentence = f"The log of trial {log.begun.number} is not kept: {reason}\n"
    with contextlib.suppress(OSError):
        os.write(2, sentence.encode(errors="backslashreplace"))
