"""What a trial comes to: a plain value, because a pickled Hypernets ``Trial`` loses its memo."""

from __future__ import annotations

import os
import pickle
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import Any

from hyn_k8s.search.site import Blob

SUCCEEDED = "succeeded"
FAILED = "failed"
PRUNED = "pruned"
SKIPPED = "skipped"

LARGE_RESULT = 256 * 1024
"""From how many pickled bytes an outcome is large; out-of-fold predictions have millions."""

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(frozen=True)
class Failure:
    """Why a trial failed: the exception's last line, and the whole traceback of the user's code."""

    summary: str
    traceback: str


@dataclass(frozen=True)
class StoredValues:
    """Values of a memo that are in a file of their own."""

    blob: Blob
    """A pickled dict of them, each of them pickled."""
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What one trial came to."""

    number: int
    status: str
    """SUCCEEDED, FAILED or PRUNED."""
    reward: Any
    """Hypernets' reward: a list of floats; of a failed trial 0, or a list of None."""
    elapsed: float
    """Seconds of training, as Hypernets counts them."""
    started: float
    """Seconds since the epoch, by the worker's clock."""
    ended: float
    worker: str
    model_file: str | None = None
    """The model as Hypernets' ``fs`` names it."""
    model: str | None = None
    """The model relative to the storage root; None when ``save`` wrote nothing there."""
    memo: dict[str, Any] = field(default_factory=dict)
    iteration_scores: Any = None
    failure: Failure | None = None
    stored: StoredValues | None = None
    """Where values of the memo are that are too large to travel; the memo has None for them."""
    peak_memory: int | None = None
    """The most memory that was resident in its process, in bytes; None where nobody looked."""
    cpu: float | None = None
    """Seconds of processor time; None where nobody looked."""


@dataclass(frozen=True)
class Ended:
    """An Outcome as it has come to the driver."""

    outcome: Outcome
    pickled: bytes
    """What ``read_outcome`` makes the outcome of."""


def read_outcome(number: int, pickled: bytes, failed_reward: Any) -> Outcome:
    """The Outcome in ``pickled``; a failed one, if this process cannot make sense of it."""
    try:
        outcome: Outcome = pickle.loads(pickled)
    except Exception as error:  # a class of the script that only the worker knows
        return failed_outcome(number, failure_of(error), failed_reward)
    if outcome.status == FAILED:
        return replace(outcome, reward=failed_reward)
    return outcome


def unsendable(outcome: Outcome, error: Exception) -> Outcome:
    """``outcome``, which ``error`` says cannot be pickled, as a failed one that can."""
    failure = failure_of(error)
    summary = f"its result cannot be sent to the driver: {failure.summary}"
    return replace(
        outcome,
        status=FAILED,
        reward=0,
        model=None,
        model_file=None,
        memo={},
        iteration_scores={},
        failure=Failure(summary, failure.traceback),
    )


def failed_outcome(number: int, failure: Failure, failed_reward: Any) -> Outcome:
    """A trial that came to nothing on its worker, as the driver sees it."""
    now = time.time()
    return Outcome(number, FAILED, failed_reward, 0.0, now, now, "unknown", failure=failure)


def failure_of(error: BaseException) -> Failure:
    """``error`` as a Failure; our own frames, down to the user's code, are left out."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return Failure(summary_of(error), "".join(lines))


def summary_of(error: BaseException) -> str:
    """The exception in one line: its name, and the first line of what it says."""
    told = traceback.TracebackException(type(error), error, None)
    told.__notes__ = None  # they come after what the exception says
    return list(told.format_exception_only())[-1].strip().partition("\n")[0]


def failed_reward(hyper_model: Any) -> Any:
    """The reward Hypernets gives a failed trial: 0, or a None for each objective."""
    from hypernets.utils import const

    if hyper_model.searcher.kind() == const.SEARCHER_MOO:
        return [None] * len(hyper_model.searcher.objectives)
    return 0
