"""A worker tells the driver which trials it has begun, unless they end right away.

A lost worker is held against the trials that had begun there. The message waits a moment, since
for a trial of milliseconds it would cost as much as the trial; and one look at all trials of the
worker is due at a time, not one for each.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from hyn_k8s.search.trial_messages import SearchCall, topic

ANNOUNCE_AFTER_SECONDS = 0.2
"""How long a trial runs before the driver is told that it has begun."""


class _Begun(NamedTuple):
    due: float
    """When it is to be told, on the monotonic clock."""
    search: SearchCall


class Announcer:
    """What ``worker`` has begun. Trials begin and end in its threads, and it looks in its loop."""

    def __init__(self, worker: Any) -> None:
        self._worker = weakref.proxy(worker)
        self._lock = threading.Lock()
        self._begun: dict[str, _Begun] = {}
        """By task; without those that were told."""
        self._looks = False
        """Whether a look is due."""

    @contextlib.contextmanager
    def announced(self, task: str, search: SearchCall) -> Iterator[None]:
        """Within, the driver is told that ``task`` has begun."""
        due = time.monotonic() + ANNOUNCE_AFTER_SECONDS
        with self._lock:
            self._begun[task] = _Begun(due, search)
            looks, self._looks = self._looks, True
        if not looks:
            loop = self._worker.loop
            loop.add_callback(loop.call_later, ANNOUNCE_AFTER_SECONDS, self._look)
        try:
            yield
        finally:
            with self._lock:
                self._begun.pop(task, None)

    def _look(self) -> None:
        """Tell what is due, and look again when the next one is."""
        now = time.monotonic()
        with self._lock:
            due = {task: each for task, each in self._begun.items() if each.due <= now}
            for task in due:
                del self._begun[task]
            following = min((each.due for each in self._begun.values()), default=None)
            self._looks = following is not None
        for task, each in due.items():
            message = {
                "started": task,
                "worker": self._worker.address,
                "search": each.search.paths.name,
            }
            self._worker.log_event(topic(each.search.key), message)
        if following is not None:
            self._worker.loop.call_later(max(0.0, following - now), self._look)


_announcers: weakref.WeakKeyDictionary[Any, Announcer] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def announcer(worker: Any) -> Announcer:
    """That of ``worker``; in a process with several workers each has its own."""
    with _lock:
        if worker not in _announcers:
            _announcers[worker] = Announcer(worker)
        return _announcers[worker]
