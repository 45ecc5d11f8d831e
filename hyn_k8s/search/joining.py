"""What a driver lets Dask workers do, by ``Client.run``: take part in a run, or no more.

A worker that takes part in runs asks the scheduler, now and then and only while it is idle, whether
it still knows the drivers' clients. So a driver that was killed leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import weakref
from typing import TYPE_CHECKING, Any

from dask.system import CPU_COUNT

from hyn_k8s.errors import WorkerError
from hyn_k8s.search import trial_memory
from hyn_k8s.search.trial_messages import JoinRun
from hyn_k8s.search.worker_runs import IDLE_SECONDS, WorkerRuns

if TYPE_CHECKING:
    from distributed import Worker

_workers: weakref.WeakKeyDictionary[Any, WorkerRuns] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def runs_of(worker: Any) -> WorkerRuns:
    """Those of the Dask worker ``worker``; in a process with several each has its own."""
    with _lock:
        if worker not in _workers:
            _workers[worker] = WorkerRuns()
        return _workers[worker]


async def join_run(client: str, request: JoinRun, dask_worker: Worker) -> WorkerError | None:
    """On a worker, by ``Client.run``: take part in a run; a WorkerError if it does not fit."""
    runs = runs_of(dask_worker)
    name = str(dask_worker.name)
    worker = f"{name} ({dask_worker.address})"
    memory = request.memory or _memory(dask_worker, runs.is_ours)
    named = dataclasses.replace(request, memory=memory, worker=worker, name=name)
    try:
        await asyncio.to_thread(runs.join, client, named, dask_worker.state.nthreads)
    except WorkerError as error:
        return error
    if not runs.is_watched:
        runs.is_watched = True
        _leave_forgotten_later(dask_worker)
    return None


def _memory(worker: Worker, is_ours: bool) -> int | None:
    """How much memory a trial may take on ``worker``, in bytes, where the user does not say."""
    threads = worker.state.nthreads
    if is_ours:
        return trial_memory.containers_share(threads, runs_of(worker).host_id())
    limit = worker.memory_manager.memory_limit
    return trial_memory.workers_share(limit, threads, CPU_COUNT)


async def leave_run(key: str, dask_worker: Worker) -> None:
    """On a worker, by ``Client.run``: take part in the run no more."""
    await asyncio.to_thread(runs_of(dask_worker).leave, key)


async def stop_trials(tasks: list[str], dask_worker: Worker) -> None:
    """On a worker, by ``Client.run``: kill the processes that run the trials of these tasks."""
    runs_of(dask_worker).stop(tasks)


def _leave_forgotten_later(worker: Worker) -> None:
    loop = worker.loop
    loop.call_later(IDLE_SECONDS, loop.add_callback, _leave_forgotten, worker)


async def _leave_forgotten(worker: Worker) -> None:
    """Leave each run whose driver the scheduler does not know any more."""
    runs = runs_of(worker)
    for key, run in runs.idle().items():
        events = ()
        with contextlib.suppress(Exception):  # without a scheduler there is no driver either
            events = await worker.scheduler.events(topic=run.client)
        if _is_gone(events):
            await asyncio.to_thread(runs.leave, key)
    runs.is_watched = runs.has_any
    if runs.is_watched:
        _leave_forgotten_later(worker)


def _is_gone(events: Any) -> bool:
    """Whether a client of which the scheduler has logged these ``events`` is not there."""
    actions = [event.get("action") for _, event in events if isinstance(event, dict)]
    known = [action for action in actions if action in ("add-client", "remove-client")]
    return not actions or known[-1:] == ["remove-client"]
