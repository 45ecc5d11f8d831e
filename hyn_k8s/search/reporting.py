"""Tells a person how a search goes, by lines of text: for pipes, logs and notebooks.

A line every few seconds while something changes, one now and then while nothing does (a trial may
take an hour, and silence looks like a hang), and one when the search ends. Whoever draws more
than lines implements ``Reporter`` too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from hyn_k8s.search.progress import Progress, progress_line

CHANGED_SECONDS = 5.0
UNCHANGED_SECONDS = 30.0


class Reporter(Protocol):
    """Takes what happens in a session; every call returns at once."""

    def show(self, progress: Progress) -> None:
        """The search's progress changed."""

    def tell(self, sentence: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """The session ends; the second call does nothing."""


class LineReporter:
    """Writes lines with ``write``, from a thread of its own."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._progress: Progress | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._report, name="progress", daemon=True)
        self._thread.start()

    def show(self, progress: Progress) -> None:
        before, self._progress = self._progress, progress
        if before is None or before.search != progress.search:
            where = f"; dashboard {progress.dashboard}" if progress.dashboard else ""
            self._write(f"{progress.search}: {progress.total} trials{where}")
        if progress.ended is not None:
            self._write(progress_line(progress, time.time()))

    def tell(self, sentence: str) -> None:
        self._write(sentence)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _report(self) -> None:
        written: Progress | None = None
        written_at = time.monotonic()
        while not self._closed.wait(CHANGED_SECONDS):
            progress = self._progress
            if progress is None or progress.ended is not None:
                continue
            now = time.monotonic()
            if progress is not written or now - written_at >= UNCHANGED_SECONDS:
                self._write(progress_line(progress, time.time()))
                written, written_at = progress, now
