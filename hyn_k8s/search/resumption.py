"""What callbacks hear of trials that an earlier driver ran.

A callback of this process has seen none of them. Each is told to it as skipped, for the reason
``resumed``, in the way in which Hypernets tells of results from a trial store; that moves progress
bars on and trains nothing. An ``EarlyStoppingCallback`` counts trials without improvement, so it
sees each of them as it ended, and its clock is set to the time the search has had.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from hyn_k8s.search.listeners import told_at_end, told_at_skip
from hyn_k8s.search.state import ENDED, Report

RESUMED = "resumed"

logger = logging.getLogger("hyn_k8s")


def inform_of_past(
    hyper_model: Any, reports: Sequence[tuple[int, Report]], elapsed: float
) -> int | None:
    """Tell all callbacks of ``reports``, which took ``elapsed`` seconds of search.

    If one of them ends the search at a report: how many events there were then. What came after
    it was reported to nobody.
    """
    from hypernets.core.callbacks import EarlyStoppingCallback

    stops, others = [], []
    for callback in hyper_model.callbacks if reports else ():
        if isinstance(callback, EarlyStoppingCallback):
            stops.append(_count(callback, hyper_model, reports, elapsed))
        else:
            others.append(callback)
    stopped_at = min((stop for stop in stops if stop is not None), default=None)
    for callback in others:
        _skip(callback, hyper_model, until(reports, stopped_at))
    return stopped_at


def until(reports: Sequence[tuple[int, Report]], stopped_at: int | None) -> list[Report]:
    """The reports that count if a callback ended the search after so many events."""
    return [report for index, report in reports if stopped_at is None or index <= stopped_at]


def _count(
    callback: Any, hyper_model: Any, reports: Sequence[tuple[int, Report]], elapsed: float
) -> int | None:
    """Let an EarlyStoppingCallback see the trials; where it ends the search, if it does."""
    from hypernets.core.callbacks import EarlyStoppingError

    limit, callback.time_limit = callback.time_limit, None  # these trials did not run now
    started = callback.start_time  # by an earlier search of the script that it was given to, too
    try:
        for index, report in reports:
            try:
                if report.kind == ENDED:
                    callback.on_trial_end(hyper_model, *told_at_end(report))
            except EarlyStoppingError:
                return index
            except Exception:
                logger.exception("%s.on_trial_end failed", type(callback).__name__)
    finally:
        callback.time_limit = limit
        callback.start_time = (started or time.time()) - elapsed
    return None


def _skip(callback: Any, hyper_model: Any, reports: Sequence[Report]) -> None:
    for report in reports:
        try:
            callback.on_skip_trial(hyper_model, *told_at_skip(report, RESUMED))
        except Exception:
            logger.exception("%s.on_skip_trial failed", type(callback).__name__)
            return
