"""A trial as a Dask task: what it is given, and what leaves the worker, is bytes.

The hyper model and the data are loaded afresh for each trial, so that none sees what another one
did to them. While it runs, a trial says two things to the driver: that it has begun and where, and
that it waits for the hyper model's context.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
import time
import uuid
from typing import Any

import cloudpickle
from distributed import get_worker

from hyn_k8s.errors import HynError, StorageError
from hyn_k8s.search import hyper_models, knowledge, shipping, site
from hyn_k8s.search.adoption import (
    alone,
    read_outcome_at,
    shared_execution,
    store_outcome,
)
from hyn_k8s.search.announcing import announcer
from hyn_k8s.search.knowledge import Known
from hyn_k8s.search.memos import write_large_values
from hyn_k8s.search.outcome import FAILED, LARGE_RESULT, Failure, Outcome, failure_of
from hyn_k8s.search.seeding import seeded_trial
from hyn_k8s.search.site import Site
from hyn_k8s.search.table_settings import use_settings
from hyn_k8s.search.trial import Materials, SearchTask, run_trial

SAID_BYTES = 16 * 1024
"""Up to which size a worker says an outcome to the driver at once; a larger one is fetched.

Dask's scheduler keeps the last thousand messages.
"""


def run_trial_remotely(task: bytes, number: int, sample: bytes, known: Known, again: bool) -> bytes:
    """``run_trial`` on this worker; the Outcome, pickled.

    A trial that is begun ``again`` may have an outcome by now, or be running here: then that one's
    outcome is returned.

    Raises:
        StorageError: the storage failed here; it names this worker.
    """
    worker = get_worker()
    try:
        return _run_trial_on(worker, task, number, sample, known, again)
    except StorageError as error:
        error.worker = worker.address
        raise


def _run_trial_on(
    worker: Any, task: bytes, number: int, sample: bytes, known: Known, again: bool
) -> bytes:
    search = _enter_search(task)
    here = site.current(search.key)
    use_settings(search.table_settings)
    key, path = worker.get_current_task(), search.paths.outcome(number, sample)
    with (
        shared_execution(here, path) as shared,
        announcer(worker).announced(key, search, shared.begun) as announced,
        alone(shared, search.key) as waited,
    ):
        pickled = read_outcome_at(here, path) if again else None
        if pickled is None:
            if waited:
                shared.begun = time.monotonic()
                announced.begin_anew()
            with seeded_trial(search.seed, number):
                materials = _materials(search, here, known, worker)
                told = shipping.loads(sample)
                outcome = run_trial(search, number, told, materials, str(worker.name))
                pickled = _pickled(search, here, outcome)
            store_outcome(here, path, outcome, pickled)
    if len(pickled) <= SAID_BYTES:
        message = {"ended": key, "outcome": pickled, "search": search.paths.name}
        worker.log_event(site.topic(search.key), message)
    return pickled


def _pickled(search: SearchTask, here: Site, outcome: Outcome) -> bytes:
    """The outcome as it travels: what is large of it stays on the storage.

    It is pickled here, where a failure to do so can be told: what Dask cannot pickle it reports as
    a broken connection, and never says why.
    """
    try:
        pickled: bytes = cloudpickle.dumps(outcome)
        if len(pickled) < LARGE_RESULT:
            return pickled
        path = search.paths.values(outcome.number, uuid.uuid4().hex[:12])
        return bytes(cloudpickle.dumps(write_large_values(here.patient, path, outcome)))
    except HynError:
        raise
    except Exception as error:
        return pickle.dumps(unsendable(outcome, error))


def _materials(search: SearchTask, here: Site, known: Known, worker: Any) -> Materials:
    """What a trial works with on a worker: copies of its own of everything."""
    assert search.data is not None, "trials on workers have their data on the storage"

    def ask() -> None:
        message = {"wanted": search.paths.name}
        worker.loop.add_callback(worker.log_event, site.topic(search.key), message)

    def fetch() -> Any:
        return knowledge.read_context(here, search.paths, known, ask)

    light = shipping.loads(here.blob(search.hyper_model))
    history = knowledge.read_history(here, search.paths, known, light.history)
    *arguments, fit_kwargs = shipping.loads(here.blob(search.data))
    hyper_model = hyper_models.bound(light, history, knowledge.RemoteContext(fetch))
    return Materials(hyper_model, tuple(arguments), fit_kwargs)


def unsendable(outcome: Outcome, error: Exception) -> Outcome:
    """``outcome``, which ``error`` says cannot be pickled, as a failed one that can."""
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


@functools.lru_cache(maxsize=8)
def _enter_search(task: bytes) -> SearchTask:
    """The search of ``task``; at its first trial here, what an earlier one left is forgotten."""
    search: SearchTask = pickle.loads(task)
    here = site.current(search.key)
    here.forget()
    here.patient.make_directory(search.paths.models)
    return search
