"""Standard output and standard error of a trial process: a pipe to its log keeper.

Python's own streams pass on each line at once, also where they write into a pipe; else ``print``
would be seen after 8 kB. ``logging`` writes to standard error as ever.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

from hyn_k8s.search.trial_logs import Begun, Over, encode_mark


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

    def begin(self, trial: Begun) -> None:
        """What is printed from now on belongs to ``trial``."""
        self._write(encode_mark(self._token, trial))

    def _write(self, mark: bytes) -> None:
        try:
            os.write(self._fd, mark)  # at once, being short
        except OSError:  # nobody keeps logs any more, which is no reason for a trial to fail
            for number in (1, 2):
                os.dup2(self._workers_log, number)

    def end(self) -> None:
        """The trial has ended: what it has printed is kept now."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a trial may leave anything there
                stream.flush()
        self._write(self._over)
