"""Who hears what a trial came to: Hypernets' callbacks, and the trial store.

All of them are users' code. An exception of theirs is logged and does no harm, as in process; only
Hypernets' EarlyStoppingError means something, and ends the search.
"""

from __future__ import annotations

import logging
from typing import Any

from hyn_k8s.search.state import ENDED, ERRED, SKIPPED_OVER, Report

logger = logging.getLogger("hyn_k8s")


def told_at_end(report: Report) -> tuple[Any, ...]:
    """What ``on_trial_end`` hears of a trial after the hyper model."""
    return report.sample, report.row.trial, report.reward, report.improved, report.elapsed


def told_at_skip(report: Report, reason: str) -> tuple[Any, ...]:
    """What ``on_skip_trial`` hears after the hyper model of a trial skipped for ``reason``."""
    return report.sample, report.row.trial, reason, report.reward, report.improved, report.elapsed


class Listeners:
    """The callbacks of ``hyper_model``, and the store of the trials on ``dataset_id``, if any."""

    def __init__(self, hyper_model: Any, dataset_id: Any, trial_store: Any) -> None:
        self._hyper_model = hyper_model
        self._dataset_id = dataset_id
        self._trial_store = trial_store

    def hear(self, report: Report) -> None:
        """Tell them what one number came to.

        Raises:
            EarlyStoppingError: one of them ends the search; the others hear nothing of it.
        """
        if report.kind == ENDED:
            self.fire("on_trial_end", *told_at_end(report))
            self._store(report.trial)
        elif report.kind == ERRED:
            self.fire("on_trial_error", report.sample, report.row.trial)
        elif report.kind == SKIPPED_OVER:
            self.fire("on_skip_trial", *told_at_skip(report, report.reason))

    def fire(self, event: str, *args: Any) -> None:
        """Call ``event`` of each callback; only an EarlyStoppingError comes out of it."""
        from hypernets.core.callbacks import EarlyStoppingError

        for callback in self._hyper_model.callbacks:
            try:
                getattr(callback, event)(self._hyper_model, *args)
            except EarlyStoppingError:
                raise
            except Exception:
                logger.exception("%s.%s failed", type(callback).__name__, event)

    def stored(self, sample: Any) -> Any:
        """The store's trial of ``sample``, if there is one and its model is there."""
        from hypernets.utils import fs

        if self._trial_store is None:
            return None
        try:
            hit = self._trial_store.get(self._dataset_id, sample)
            return hit if hit and hit.model_file and fs.exists(hit.model_file) else None
        except Exception:  # the sample can still be trained
            logger.exception("The trial store failed to look a sample up")
            return None

    def _store(self, trial: Any) -> None:
        if self._trial_store is not None:
            try:
                self._trial_store.put(self._dataset_id, trial)
            except Exception:
                logger.exception("The trial store failed to take trial %s", trial.trial_no)
