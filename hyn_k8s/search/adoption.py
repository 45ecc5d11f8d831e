"""Trials that were begun for a driver that is gone, and how the next driver gets their outcomes.

The scheduler forgets the tasks of a driver that dies, but the threads that run them go on. So a
worker stores the outcome of each trial that ran for a second or more, under the trial's number and
sample. The next driver asks the workers which of its trials they run, and submits each of these to
the worker that runs it. That worker waits for the execution that is under way and returns the
stored outcome. If there is none, because the worker is gone too, the trial is run again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hyn_k8s.errors import StorageError, WorkerError
from hyn_k8s.search import site
from hyn_k8s.search.outcome import FAILED, Outcome
from hyn_k8s.search.site import Site

STORED_AFTER_SECONDS = 1.0
"""How long a trial runs at least whose outcome is stored. To run a shorter one again is cheaper."""

LOOK_SECONDS = 1.0
"""How often a task that waits for another execution looks whether its own driver is gone."""


class Running(NamedTuple):
    """A trial that a worker runs."""

    worker: str
    """The worker's address."""
    ran: float
    """For how many seconds it has run."""


@dataclass
class Shared:
    """What the executions of one trial in this process share: one runs, the others wait."""

    lock: threading.Lock
    begun: float
    """When the one that runs began, on the monotonic clock."""
    count: int = 0


_executions: dict[tuple[str, str], Shared] = {}
_lock = threading.Lock()


def running_here(url: str, directory: str) -> dict[str, float]:
    """By the path of its stored outcome: each trial that runs in this process, and for how long.

    Those of the storage ``url`` that have their outcomes in ``directory``.
    """
    now = time.monotonic()
    with _lock:
        return {
            path: now - shared.begun
            for (its_url, path), shared in _executions.items()
            if its_url == url and path.startswith(f"{directory}/")
        }


@contextlib.contextmanager
def shared_execution(here: Site, path: str) -> Iterator[Shared]:
    """Within, what executions in this process of the trial with the outcome ``path`` share."""
    key = here.storage.url, path
    with _lock:
        shared = _executions.setdefault(key, Shared(threading.Lock(), time.monotonic()))
        shared.count += 1
    try:
        yield shared
    finally:
        with _lock:
            shared.count -= 1
            if not shared.count:
                del _executions[key]


@contextlib.contextmanager
def alone(shared: Shared, run: str) -> Iterator[bool]:
    """Wait until no other execution runs, then be the one; whether there was another.

    Raises:
        WorkerError: this process has left the run with the key ``run`` meanwhile.
    """
    waited = False
    while not shared.lock.acquire(timeout=0.0 if not waited else LOOK_SECONDS):
        waited = True
        if not site.has_joined(run):
            raise WorkerError("of this trial", f"the driver of the run {run} is gone")
    try:
        yield waited
    finally:
        shared.lock.release()


def read_outcome_at(here: Site, path: str) -> bytes | None:
    """The pickled Outcome that an earlier execution stored, None if none did.

    Raises:
        StorageError: it cannot be read.
    """
    with contextlib.suppress(FileNotFoundError):
        return here.patient.read(path)
    return None


def store_outcome(here: Site, path: str, outcome: Outcome, pickled: bytes) -> None:
    """Write the outcome for another driver than the one it is sent to, if the trial was long.

    A failure is not stored. It may be due to the next driver, whose trials run beside this one and
    define the script's classes anew. If the storage fails, too, the trial is run again.
    """
    ran = outcome.ended - outcome.started
    if outcome.status != FAILED and ran >= STORED_AFTER_SECONDS:
        with contextlib.suppress(StorageError):
            here.storage.write(path, pickled)
