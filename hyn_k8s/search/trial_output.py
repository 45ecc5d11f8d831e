"""Standard output and standard error of a trial process: a pipe to its log keeper.

Python's own streams, and those of C code, pass on each line at once, also where they write into a
pipe; else what is printed would be seen after 8 kB, perhaps in the log of a later trial.
``logging`` writes to standard error as ever.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from hyn_k8s.search.trial_logs import Begun, Over, encode_mark

_LINE_BUFFERED = 1
"""_IOLBF of C."""


class TrialOutput:
    """Where the trial process prints; ``fd`` is the end of the pipe to write to."""

    def __init__(self, fd: int, token: bytes) -> None:
        self._fd = fd
        self._token = token
        self._over = encode_mark(token, Over())
        self._workers_log = os.dup(2)
        for number in (1, 2):
            os.dup2(fd, number)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)
        self._libc = ctypes.CDLL(None)
        with contextlib.suppress(ValueError):  # a C library with another name for it
            stdout = ctypes.c_void_p.in_dll(self._libc, "stdout")
            self._libc.setvbuf(stdout, None, _LINE_BUFFERED, ctypes.c_size_t(0))

    def begin(self, trial: Begun) -> None:
        """What is printed from now on belongs to ``trial``."""
        self._write(encode_mark(self._token, trial))

    def _write(self, mark: bytes) -> None:
        try:
            os.write(self._fd, mark)  # at once, being short
        except OSError:  # a trial has closed it, which is no reason for the next one to fail
            for number in (1, 2):
                os.dup2(self._workers_log, number)

    def end(self) -> None:
        """The trial has ended: what it has printed is kept now."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a trial may leave anything there
                stream.flush()
        self._libc.fflush(None)
        self._write(self._over)


@contextlib.contextmanager
def streams_put_back() -> Iterator[None]:
    """Within, the standard streams may be closed or replaced, and their descriptors, too."""
    copies = [(fd, os.dup(fd)) for fd in (0, 1, 2)]
    streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
    try:
        yield
    finally:
        for fd, copy in copies:
            os.dup2(copy, fd)
            os.close(copy)
        for fd, (name, stream) in enumerate(streams.items()):
            mode = "w" if fd else "r"
            is_closed = _is_closed(stream)
            setattr(sys, name, os.fdopen(fd, mode, 1, closefd=False) if is_closed else stream)


def _is_closed(stream: Any) -> bool:
    try:
        return bool(stream is not None and stream.closed)
    except ValueError:  # it has been detached from what is below it
        return True
