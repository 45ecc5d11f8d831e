"""What passes between the operator and a driver: three JSON documents, and who reads them.

::

    RunConfig   operator -> driver   a file that is mounted into the driver's pod
    Progress    driver -> operator   GET /progress, while the driver lives
    Outcome     driver -> operator   the pod's termination message, and a file of the run

Values only, and the standard library only: operator and driver share no other code. A reader
ignores what it does not know, so that driver and operator need not be of one version; what it
needs and does not find is an error.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import itertools
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

VERSION = 1

OUTCOME_BYTES = 4096
"""The longest termination message that Kubernetes keeps."""

_MOST_MESSAGE = 1500
"""Bytes of a message in an Outcome; what is left out of the middle is marked."""

_LEFT_OUT = " [...] "


class Stage(enum.StrEnum):
    """How far a driver is."""

    SCHEDULER = "scheduler"
    """It waits for Dask's scheduler."""
    WORKER = "worker"
    """It waits for the first worker."""
    STORAGE = "storage"
    """It looks whether the storage can be used."""
    SCRIPT = "script"
    """The script runs, and has begun no search."""
    SEARCH = "search"
    """A search has begun: a worker and the driver have proved the storage to each other."""
    ENDED = "ended"
    """The script is over."""


class Cause(enum.StrEnum):
    """What a problem is about."""

    SETTINGS = "settings"
    SCRIPT = "script"
    RUN = "run"
    """The run cannot be opened: it is not there, or is another search's."""
    TAKEN = "taken"
    """Another driver has the run at the moment."""
    STORAGE = "storage"
    SCHEDULER = "scheduler"
    WORKER = "worker"
    SEARCH = "search"


@dataclass(frozen=True)
class Problem:
    """What is wrong; the message has no secrets and no line breaks that matter."""

    cause: Cause
    message: str

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> Self | None:
        """The problem in a document, None where there is none.

        A cause that this version does not know is read as SEARCH; the message says what it was.
        """
        if document is None:
            return None
        causes = [cause for cause in Cause if cause == document["cause"]]
        return cls(causes[0] if causes else Cause.SEARCH, document["message"])


@dataclass(frozen=True)
class TrialCounts:
    """How many trials of all searches that have begun came to what."""

    total: int = 0
    """The sum of ``max_trials``."""
    succeeded: int = 0
    failed: int = 0
    pruned: int = 0
    skipped: int = 0
    running: int = 0

    @property
    def done(self) -> int:
        """Trials that have come to something."""
        return self.succeeded + self.failed + self.pruned + self.skipped


@dataclass(frozen=True)
class BestTrial:
    """The best trial of a search, by the first reward."""

    trial: int
    rewards: tuple[float, ...]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    """Below the storage's root."""


@dataclass(frozen=True)
class Standing:
    """What there is of a run: what a status shows, whether it goes on or is over."""

    results: str | None = None
    """Where the run is: a path, or a URL of S3."""
    ordinal: int | None = None
    """Which search of the script is the latest, counted from 1."""
    search: str | None = None
    """The latest search's directory below the run's."""
    trials: TrialCounts = TrialCounts()
    best: BestTrial | None = None
    """Of the latest search."""
    pareto: int | None = None
    """Of the latest search, once it has ended: how many trials no other one beats."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The standing in a document."""
        best = document.get("best")
        known = _known(cls, document)
        counts = document.get("trials", {})
        return cls(
            **known
            | {
                "trials": TrialCounts(**_known(TrialCounts, counts)),
                "best": best
                and BestTrial(**_known(BestTrial, best) | {"rewards": tuple(best["rewards"])}),
            }
        )


@dataclass(frozen=True)
class RunConfig:
    """What a driver is to do; everything else is in its environment (``contract``)."""

    script: str
    """The script's path in the driver's pod."""
    arguments: tuple[str, ...] = ()
    startup_timeout_seconds: float = 600.0
    """How long scheduler and first worker may take to come."""
    must_exist: bool = False
    """Whether the environment's run has to be there already."""

    def to_json(self) -> str:
        """The document."""
        return _encode(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the document; ValueError if it is none."""
        document = _decode(text)
        with _complete():
            arguments = tuple(document.get("arguments", ()))
            return cls(**_known(cls, document) | {"arguments": arguments})


@dataclass(frozen=True)
class Progress:
    """How a driver's run stands at this moment."""

    stage: Stage
    standing: Standing = Standing()
    eta_seconds: float | None = None
    """Until the latest search has all its trials, at its rate so far."""
    workers_wanted: int = 0
    """How many workers the trials that are left can keep busy; 0 where none takes part."""
    idle_workers: tuple[str, ...] = ()
    """Workers, by Dask's names, that have nothing to do and are more than are wanted: all of
    these may go. A trial that comes to one at that moment is run again elsewhere."""
    problem: Problem | None = None
    """What the driver waits for, or what it was told last of a worker or the storage."""

    def to_json(self) -> str:
        """The document."""
        return _encode(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the document; ValueError if it is none."""
        document = _decode(text)
        with _complete():
            return cls(
                **_known(cls, document)
                | {
                    "stage": Stage(document["stage"]),
                    "standing": Standing.read(document.get("standing", {})),
                    "idle_workers": tuple(document.get("idle_workers", ())),
                    "problem": Problem.read(document.get("problem")),
                }
            )


@dataclass(frozen=True)
class Outcome:
    """What a driver came to; at most OUTCOME_BYTES long."""

    exit_code: int
    """The driver's, of ``contract.DriverExit``."""
    standing: Standing = Standing()
    problem: Problem | None = None
    """Why it is no success."""
    pod: str | None = None
    """The uid of the driver's pod, None outside of Kubernetes; so with"""
    job: str | None = None
    """the uid of its Job. What a storage has kept may be another driver's than the last one's."""

    def to_json(self) -> str:
        """The document; hyper-parameters that leave no room are left out, the last ones first."""
        shortened = self
        if self.problem is not None:
            message = _shorten(self.problem.message)
            shortened = replace(self, problem=replace(self.problem, message=message))
        best = shortened.standing.best
        if best is None:
            return _encode(dataclasses.asdict(shortened))
        text = _encode(dataclasses.asdict(shortened))
        names = list(best.hyperparameters)
        while names and len(text.encode()) > OUTCOME_BYTES:
            names.pop()
            fewer = {name: best.hyperparameters[name] for name in names}
            standing = replace(shortened.standing, best=replace(best, hyperparameters=fewer))
            text = _encode(dataclasses.asdict(replace(shortened, standing=standing)))
        return text

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the document; ValueError if it is none."""
        document = _decode(text)
        with _complete():
            return cls(
                exit_code=document["exit_code"],
                standing=Standing.read(document.get("standing", {})),
                problem=Problem.read(document.get("problem")),
                pod=document.get("pod"),
                job=document.get("job"),
            )


def finite(rewards: Sequence[float]) -> tuple[float, ...]:
    """``rewards`` as JSON has numbers: infinity is the greatest one, and from the first that is
    no number at all on there are none.
    """
    most = sys.float_info.max
    numbers = itertools.takewhile(lambda reward: not math.isnan(reward), rewards)
    return tuple(max(-most, min(most, float(reward))) for reward in numbers)


def _shorten(message: str) -> str:
    """``message`` with something in its middle left out, if it is too long for an Outcome."""
    kept = message
    while len(json.dumps(kept, ensure_ascii=False).encode(errors="replace")) > _MOST_MESSAGE:
        half = len(kept.replace(_LEFT_OUT, "")) * 9 // 20
        kept = f"{message[:half]}{_LEFT_OUT}{message[-half:]}"
    return kept


@contextlib.contextmanager
def _complete() -> Iterator[None]:
    """Within, what a document lacks or has in another form is a ValueError."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no whole document of hyn-k8s ({error})") from None


def _encode(document: Mapping[str, Any]) -> str:
    text = json.dumps({"version": VERSION, **document}, ensure_ascii=False, allow_nan=False)
    # A file name that is no UTF-8 is halves of characters in Python, and nothing in JSON.
    return text.encode(errors="replace").decode()


def _decode(text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
        version = document["version"]
    except (ValueError, TypeError, KeyError):
        raise ValueError("it is no document of hyn-k8s") from None
    if not isinstance(document, dict):
        raise ValueError("it is no document of hyn-k8s")
    if version != VERSION:
        raise ValueError(f"it is of version {version}; this hyn-k8s reads {VERSION}")
    return document


def _known(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``document`` is a field of ``kind``."""
    names = {each.name for each in dataclasses.fields(kind)}
    return {name: value for name, value in document.items() if name in names}
