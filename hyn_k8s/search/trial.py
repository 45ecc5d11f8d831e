"""``run_trial``: one trial, in whatever process, and what it comes to.

It runs Hypernets' own ``_run_trial``. Each execution saves its model under a path of its own, so
a twin of the same trial on a worker that was believed lost can never overwrite a model that was
accepted.

A trial fails by its own code only: the failure comes back as data, with its traceback. When the
storage fails under it, a ``StorageError`` is raised instead, and the trial has not failed.
"""

from __future__ import annotations

import contextlib
import errno
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hyn_k8s.errors import HynError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import binding, private_names, site
from hyn_k8s.search.binding import Watched
from hyn_k8s.search.file_errors import file_error
from hyn_k8s.search.mapped_data import SentData
from hyn_k8s.search.outcome import (
    FAILED,
    PRUNED,
    SUCCEEDED,
    Failure,
    Outcome,
    failed_reward,
    failure_of,
    summary_of,
)
from hyn_k8s.search.s3 import is_s3_away, s3_code, s3_error
from hyn_k8s.search.site import Blob, Site

_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EIO}


@dataclass(frozen=True)
class SearchTask:
    """What all trials of one search share; it travels with each of them, so it is small."""

    key: str
    """The run's key, under which a worker keeps its storage."""
    paths: SearchPaths
    epoch: int
    """The driver's, among those of the run."""
    hyper_model: Blob
    data: SentData | None
    """None where trials run in this process and use its own objects."""
    cv: bool
    num_folds: int
    seed: int | None
    """What the random numbers of trials on workers derive from."""
    table_settings: dict[str, Any]
    """How the script set Hypernets' work on tables."""
    path: tuple[str, ...]
    """Where the script finds modules: its ``sys.path``, absolute."""


@dataclass(frozen=True)
class Materials:
    """What a trial works with, beside its sample: objects of its own, or of this process."""

    hyper_model: Any
    """The user's own, or a stripped one that is bound to a history and a context."""
    arguments: tuple[Any, ...]
    """``X, y, X_eval, y_eval, X_test``."""
    fit_kwargs: dict[str, Any]


def run_trial(
    search: SearchTask, number: int, space_sample: Any, materials: Materials, worker: str
) -> Outcome:
    """Run the trial ``number`` of ``search``, on this process's site for the run.

    Raises:
        StorageError: the storage failed under the trial.
        WorkerError: this process never joined the run.
    """
    here = site.current(search.key)
    model = search.paths.model(number, uuid.uuid4().hex[:12])
    started = time.time()
    hyper_model = materials.hyper_model
    rooted = here.storage.rooted(model)
    with _noted_failure() as noted, binding.watching(rooted) as watched:
        try:
            trial = private_names.run_trial(
                hyper_model,
                space_sample,
                number,
                *materials.arguments,
                search.cv,
                search.num_folds,
                rooted,
                **materials.fit_kwargs,
            )
            failure = noted.failure
            saved = trial.succeeded and _is_saved(here, rooted, watched)
        except (Exception, SystemExit) as error:
            _blame_storage(error, here)
            trial, failure, saved = None, failure_of(error), False
    status, reward = _verdict(hyper_model, trial, failure)
    return Outcome(
        number=number,
        status=status,
        reward=reward,
        elapsed=time.time() - started if trial is None else trial.elapsed,
        started=started,
        ended=time.time(),
        worker=worker,
        model_file=trial.model_file if status == SUCCEEDED else None,
        model=model if saved else None,
        memo=dict(trial.memo or {}) if trial is not None else {},
        iteration_scores=trial.iteration_scores if trial is not None else {},
        failure=failure if status == FAILED else None,
    )


def _verdict(hyper_model: Any, trial: Any, failure: Failure | None) -> tuple[str, Any]:
    if trial is None:
        return FAILED, failed_reward(hyper_model)
    if trial.succeeded:
        return SUCCEEDED, trial.reward
    # A discriminator that stops a trial leaves no exception behind; a failure leaves one.
    return (FAILED if failure else PRUNED), trial.reward


def _is_saved(here: Site, model_file: str, watched: Watched) -> bool:
    """Whether there is a model. An estimator may save none, and S3 takes three requests to say no.

    What is not on the machine can be written through ``fs`` only, and by this process only.
    """
    from hypernets.utils import fs

    may_be = here.storage.settings.kind == "file" or watched.is_named
    return may_be and bool(fs.exists(model_file))


def _blame_storage(error: BaseException, here: Site) -> None:
    """Raise a StorageError when ``error``, raised outside training, is the storage's fault."""
    if isinstance(error, HynError):
        raise error
    if isinstance(error, OSError) and error.errno in _STORAGE_ERRNOS:
        raise file_error(here.storage, error) from error
    if isinstance(error, Exception) and is_s3_away(error):
        raise s3_error(here.storage, s3_code(error)) from error
    if isinstance(error, OSError) or type(error).__module__.startswith("botocore"):
        here.storage.prove(f".storage-proof-{uuid.uuid4().hex}")


class _Noted(threading.local):
    """The last exception that Hypernets swallowed in this thread."""

    failure: Failure | None = None


class _NotingTraceback:
    """Stands for the ``traceback`` module inside Hypernets' hyper_model module.

    ``_run_trial`` catches what training raises and only logs ``traceback.format_exc()``; that
    call is where the exception can still be seen.
    """

    def __init__(self) -> None:
        self.noted = _Noted()

    def format_exc(self, *args: Any, **kwargs: Any) -> str:
        text = traceback.format_exc(*args, **kwargs)
        error = sys.exception()
        if error is not None:
            self.noted.failure = Failure(summary_of(error), text)
        return text

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)


_noting = _NotingTraceback()


@contextlib.contextmanager
def _noted_failure() -> Iterator[_Noted]:
    """Within, what Hypernets swallows in this thread can be read from the value given."""
    from hypernets.model import hyper_model

    hyper_model.traceback = _noting
    _noting.noted.failure = None
    yield _noting.noted
