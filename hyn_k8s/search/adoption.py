"""A trial that was begun for a driver that is gone, and what the next driver makes of it.

Tasks of a driver that dies are forgotten by the scheduler, and the threads that run them go on. So
the outcome of a trial that took its time is left on the storage, where it is known by the trial's
number and sample. The next driver submits the trial again, to the worker that was heard to run it:
that waits for the execution that is there, and hands over its outcome. If there is none, because
the worker is gone too, the trial is run anew.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hyn_k8s.errors import StorageError
from hyn_k8s.search.outcome import FAILED, Outcome
from hyn_k8s.search.site import Site

LEFT_AFTER_SECONDS = 1.0
"""How long a trial takes at least whose outcome is left. To run a shorter one again is cheaper."""


class Running(NamedTuple):
    """A trial that a worker was heard to have begun, and not to have ended."""

    worker: str
    """The worker's address."""
    begun: float
    """When, in seconds since the epoch by the scheduler's clock."""


def still_running(
    events: Iterable[tuple[float, Mapping[str, Any]]], workers: Collection[str]
) -> dict[str, Running]:
    """By the path of its ``left_outcome``: each trial that one of ``workers`` still runs.

    ``events`` is what workers said to earlier drivers, each with the scheduler's time.
    """
    begun: dict[str, tuple[str, Running]] = {}
    for at, said in events:
        if "started" in said and said["worker"] in workers:
            begun[said["started"]] = said["trial"], Running(said["worker"], at - said["ran"])
        if "ended" in said:
            begun.pop(said["ended"], None)
    return dict(begun.values())


@dataclass
class _Shared:
    """What executions of one trial in this process share: one runs, others wait."""

    lock: threading.Lock
    begun: float
    """When the first of those that are here began, on the monotonic clock."""
    count: int = 0


_executions: dict[tuple[str, str], _Shared] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def shared_execution(here: Site, path: str) -> Iterator[_Shared]:
    """Within, what executions in this process of the trial with the outcome ``path`` share."""
    key = here.storage.url, path
    with _lock:
        shared = _executions.setdefault(key, _Shared(threading.Lock(), time.monotonic()))
        shared.count += 1
    try:
        yield shared
    finally:
        with _lock:
            shared.count -= 1
            if not shared.count:
                del _executions[key]


def read_left(here: Site, path: str) -> bytes | None:
    """The outcome that an earlier execution left, None if none did.

    Raises:
        StorageError: it cannot be read.
    """
    with contextlib.suppress(FileNotFoundError):
        return here.patient.read(path)
    return None


def leave(here: Site, path: str, outcome: Outcome, pickled: bytes) -> None:
    """Write the outcome for another driver than the one it is sent to, if it took its time.

    A failure is not left. It may be due to the next driver, whose trials run beside this one and
    define the script's classes anew. If the storage fails, too, the trial is run again.
    """
    took = outcome.ended - outcome.started
    if outcome.status != FAILED and took >= LEFT_AFTER_SECONDS:
        with contextlib.suppress(StorageError):
            here.storage.write(path, pickled)
