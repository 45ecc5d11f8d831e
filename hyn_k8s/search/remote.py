"""A trial as a Dask task: a thread of the worker gives it to a trial process, and waits.

While it waits it tells the driver that the trial has begun and where, and that it waits for the
hyper model's context. It keeps the time that the trial has, and kills its process when that is
over. What leaves the worker is bytes, which the worker never loads.
"""

from __future__ import annotations

import math
import time
from typing import Any

from distributed import get_worker

from hyn_k8s.errors import HynError, StorageError, WorkerError
from hyn_k8s.search.adoption import alone, shared_execution
from hyn_k8s.search.announcing import announcer
from hyn_k8s.search.joining import runs_of
from hyn_k8s.search.trial_messages import (
    Answer,
    NotJoinedError,
    Said,
    SearchCall,
    TrialFailedError,
    topic,
)

SAID_BYTES = 16 * 1024
"""Up to which size a worker says an outcome to the driver at once; a larger one is fetched.

Dask's scheduler keeps the last thousand messages.
"""


def run_trial_remotely(call: SearchCall, path: str, request: bytes) -> bytes:
    """Run a trial in a trial process of this worker; its Outcome, pickled.

    ``path`` is where its outcome would be stored. Another execution of the trial may run here, for
    an earlier driver: then this one waits for it, and finds what that one has stored.

    Raises:
        NotJoinedError: this worker does not take part in the run.
        StorageError: the storage failed here; it names this worker.
        TimeoutError: the trial has run for as long as it may.
        TrialFailedError: the trial failed outside of Hypernets.
        TrialProcessError: its process ended under it.
        WorkerError: this worker cannot run trials any more; it names this worker.
    """
    worker = get_worker()
    try:
        return _run_on(worker, call, path, request)
    except NotJoinedError:
        raise NotJoinedError(worker.address) from None


def _run_on(worker: Any, call: SearchCall, path: str, request: bytes) -> bytes:
    key, runs = worker.get_current_task(), runs_of(worker)
    run = runs.find(call.key)

    def hear(_: Answer) -> None:
        message = {"wanted": call.paths.name}
        worker.loop.add_callback(worker.log_event, topic(call.key), message)

    def check_other() -> None:
        """Another execution runs, for an earlier driver: it has no more time than this one."""
        if not runs.has_joined(call.key):
            raise NotJoinedError
        if time.monotonic() >= shared.begun + timeout:
            if shared.stop is not None:
                shared.stop()
            raise TimeoutError

    timeout = math.inf if call.timeout is None else call.timeout
    with (
        shared_execution(call.url, path) as shared,
        announcer(worker).announced(key, call),
        alone(shared, check_other),
    ):
        if shared.stopped_after >= timeout:
            raise TimeoutError
        try:
            with run.process() as process, runs.executing(key, process):
                shared.begun, shared.stop = time.monotonic(), process.kill
                said, value = process.ask(request, shared.begun + timeout, hear)
        except TimeoutError:
            shared.stopped_after = timeout
            raise
        except WorkerError as error:
            raise _of_replaced_process(error, call.url, worker.address) from None
        finally:
            shared.stop = None
    outcome = _outcome(said, value, worker.address)
    if len(outcome) <= SAID_BYTES:
        message = {"ended": key, "outcome": outcome, "search": call.paths.name}
        worker.log_event(topic(call.key), message)
    return outcome


def _of_replaced_process(error: WorkerError, url: str, address: str) -> HynError:
    """What it means for a trial that no process can start in the place of one that has ended."""
    if error.of_storage and error.retry:
        away = StorageError(url, error.problem)
        away.worker = address
        return away
    error.address = address
    return error


def _outcome(said: Said, value: Any, address: str) -> bytes:
    if said is Said.FAILURE:
        raise TrialFailedError(value)
    if said is Said.ERROR:
        if isinstance(value, StorageError):
            value.worker = address
        raise value
    outcome: bytes = value
    return outcome
