"""Trials that were begun for a driver that is gone, and how the next driver gets their outcomes.

The scheduler forgets the tasks of a driver that dies, but the threads that wait for their trials
go on. A trial process stores the outcome of each trial that ran for a second or more, under the
trial's number and sample. The next driver asks the workers which of its trials they run, and
submits each of these to the worker that runs it. That worker waits for the execution that is under
way and returns the stored outcome. If there is none, because the process or the worker is gone too,
the trial is run again.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LOOK_SECONDS = 1.0
"""How often a task that waits for another execution looks whether it still has to."""


@dataclass
class Shared:
    """What the executions of one trial in this process share: one runs, the others wait."""

    lock: threading.Lock
    begun: float
    """When the one that runs began, on the monotonic clock; infinite before any has."""
    count: int = 0
    stop: Callable[[], None] | None = None
    """Stops the one that runs."""
    stopped_after: float = 0.0
    """After how many seconds the last one was stopped; 0 if none was."""


_executions: dict[tuple[str, str], Shared] = {}
_lock = threading.Lock()


def running_here(url: str, directory: str) -> list[str]:
    """The paths of the outcomes of the trials that run in this process.

    Those of the storage ``url`` that have their outcomes in ``directory``.
    """
    with _lock:
        return [
            path
            for its_url, path in _executions
            if its_url == url and path.startswith(f"{directory}/")
        ]


@contextlib.contextmanager
def shared_execution(url: str, path: str) -> Iterator[Shared]:
    """Within, what executions of a trial in this process share.

    It is the trial with the outcome ``path`` on the storage ``url``.
    """
    key = url, path
    with _lock:
        shared = _executions.setdefault(key, Shared(threading.Lock(), math.inf))
        shared.count += 1
    try:
        yield shared
    finally:
        with _lock:
            shared.count -= 1
            if not shared.count:
                del _executions[key]


@contextlib.contextmanager
def alone(shared: Shared, check: Callable[[], None]) -> Iterator[bool]:
    """Wait until no other execution runs, then be the one; whether there was another.

    ``check`` is called now and then, and raises when there is nothing to wait for any more.
    """
    waited = False
    while not shared.lock.acquire(timeout=0.0 if not waited else LOOK_SECONDS):
        waited = True
        check()
    try:
        yield waited
    finally:
        shared.lock.release()
