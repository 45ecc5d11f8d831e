"""``run_trial``: one trial, and what it comes to; on a worker, with objects loaded for it alone.

It runs Hypernets' own ``_run_trial`` and brings back a plain value, because a pickled Hypernets
``Trial`` loses its memo. On a worker the hyper model and the data are loaded afresh each time, so
that no trial sees what another one did to them. Each execution saves its model under a path of
its own, so a twin of the same trial on a worker that was believed lost can never overwrite a
model that was accepted.

A trial fails by its own code only: the failure comes back as data, with its traceback. When the
storage fails under it, a ``StorageError`` is raised instead, and the trial has not failed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import pickle
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
from distributed import get_worker

from hyn_k8s.contract import SearchPaths
from hyn_k8s.errors import HynError
from hyn_k8s.search import hyper_models, knowledge, shipping, site
from hyn_k8s.search.knowledge import EarlierScores
from hyn_k8s.search.seeding import seeded_trial
from hyn_k8s.search.site import Blob, Site
from hyn_k8s.search.storage import file_error

SUCCEEDED = "succeeded"
FAILED = "failed"
PRUNED = "pruned"
SKIPPED = "skipped"

ANNOUNCE_AFTER_SECONDS = 0.2
"""How long a trial runs before the driver is told that it has begun."""

_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EIO}


@dataclass(frozen=True)
class SearchTask:
    """What all trials of one search share; it travels with each of them, so it is small."""

    key: str
    """The run's key, under which a worker keeps its storage."""
    paths: SearchPaths
    hyper_model: Blob
    data: Blob
    """``(X, y, X_eval, y_eval, X_test, fit_kwargs)``, in one pickle: shared parts stay shared."""
    cv: bool
    num_folds: int
    seed: int | None
    """What the random numbers of trials on workers derive from."""


@dataclass(frozen=True)
class Failure:
    """Why a trial failed: the exception's last line, and the whole traceback of the user's code."""

    summary: str
    traceback: str


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


@dataclass(frozen=True)
class Materials:
    """What a trial works with, beside its sample: objects of its own, or of this process."""

    hyper_model: Any
    """A stripped one, bound to a history and a context."""
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
    with _noted_failure() as noted:
        try:
            trial = hyper_model._run_trial(
                space_sample,
                number,
                *materials.arguments,
                search.cv,
                search.num_folds,
                here.storage.rooted(model),
                **materials.fit_kwargs,
            )
            failure = noted.failure
        except (Exception, SystemExit) as error:
            _blame_storage(error, here)
            trial, failure = None, failure_of(error)
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
        model=model if status == SUCCEEDED and _saved(here.storage.rooted(model)) else None,
        memo=dict(trial.memo or {}) if trial is not None else {},
        iteration_scores=trial.iteration_scores if trial is not None else {},
        failure=failure if status == FAILED else None,
    )


def run_trial_remotely(task: bytes, number: int, sample: bytes, known: EarlierScores) -> bytes:
    """``run_trial`` as a Dask task: everything comes as bytes, and the Outcome leaves as bytes.

    It is pickled here, where a failure to do so can be told: what Dask cannot pickle it reports
    as a broken connection, and never says why.
    """
    search = _search_task(task)
    here = site.current(search.key)
    worker = get_worker()
    with _announced(worker, site.topic(search.key)), seeded_trial(search.seed, number):
        materials = _materials(search, here, known, worker)
        outcome = run_trial(search, number, shipping.loads(sample), materials, str(worker.name))
        try:
            pickled: bytes = cloudpickle.dumps(outcome)
            return pickled
        except Exception as error:
            return pickle.dumps(_unsendable(outcome, error))


def _materials(search: SearchTask, here: Site, known: EarlierScores, worker: Any) -> Materials:
    """What a trial works with on a worker: copies of its own of everything."""

    def context() -> Any:
        _say(worker, site.topic(search.key), {"wanted": search.paths.name})
        return knowledge.read_context(here, search.paths)

    light = shipping.loads(here.blob(search.hyper_model))
    history = knowledge.read_earlier_trials(here, search.paths, known)
    *arguments, fit_kwargs = shipping.loads(here.blob(search.data))
    hyper_model = hyper_models.bound(light, history, knowledge.RemoteContext(context))
    return Materials(hyper_model, tuple(arguments), fit_kwargs)


def _say(worker: Any, topic: str, message: dict[str, Any]) -> None:
    """Tell the driver something, from a trial's thread."""
    worker.loop.add_callback(worker.log_event, topic, message)


def _unsendable(outcome: Outcome, error: Exception) -> Outcome:
    """``outcome`` as a failed one that can be pickled."""
    failure = failure_of(error)
    summary = f"its result cannot be sent to the driver: {failure.summary}"
    return dataclasses.replace(
        outcome,
        status=FAILED,
        reward=0,
        model=None,
        model_file=None,
        memo={},
        iteration_scores={},
        failure=Failure(summary, failure.traceback),
    )


@contextlib.contextmanager
def _announced(worker: Any, topic: str) -> Iterator[None]:
    """Within, the driver is told that this task has begun, unless it ends right away.

    A lost worker is held against the trials that had begun there. The message waits a moment,
    since for a trial of milliseconds it would cost as much as the trial.
    """
    task = worker.get_current_task()
    ended = threading.Event()

    def announce() -> None:
        if not ended.is_set():
            worker.log_event(topic, {"started": task})

    loop = worker.loop
    loop.add_callback(loop.call_later, ANNOUNCE_AFTER_SECONDS, announce)
    try:
        yield
    finally:
        ended.set()


def failure_of(error: BaseException) -> Failure:
    """``error`` as a Failure; the frames of this module are left out of its traceback."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return Failure(_summary(error), "".join(lines))


def _summary(error: BaseException) -> str:
    """The exception in one line: its name, and the first line of what it says."""
    return traceback.format_exception_only(error)[-1].strip().partition("\n")[0]


def failed_reward(hyper_model: Any) -> Any:
    """The reward Hypernets gives a failed trial: 0, or a None for each objective."""
    from hypernets.utils import const

    if hyper_model.searcher.kind() == const.SEARCHER_MOO:
        return [None] * len(hyper_model.searcher.objectives)
    return 0


@functools.lru_cache(maxsize=8)
def _search_task(task: bytes) -> SearchTask:
    search: SearchTask = pickle.loads(task)
    here = site.current(search.key)
    here.forget()
    here.storage.make_directory(search.paths.models)
    return search


def _verdict(hyper_model: Any, trial: Any, failure: Failure | None) -> tuple[str, Any]:
    if trial is None:
        return FAILED, failed_reward(hyper_model)
    if trial.succeeded:
        return SUCCEEDED, trial.reward
    # A discriminator that stops a trial leaves no exception behind; a failure leaves one.
    return (FAILED if failure else PRUNED), trial.reward


def _saved(model_file: str) -> bool:
    from hypernets.utils import fs

    return bool(fs.exists(model_file))


def _blame_storage(error: BaseException, here: Site) -> None:
    """Raise a StorageError when ``error``, raised outside training, is the storage's fault."""
    if isinstance(error, HynError):
        raise error
    if isinstance(error, OSError) and error.errno in _STORAGE_ERRNOS:
        raise file_error(here.storage.url, error) from error
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
            self.noted.failure = Failure(_summary(error), text)
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
