"""A trial process: it has joined one run, and runs one trial after the other in its main thread.

It was forked by the trial host, so Hypernets is imported and mended already. Nothing of a trial
gets out of it but its answer, and what it writes to the storage: it binds Hypernets' ``fs`` to the
storage of its run, holds the classes of the user's script, and may be killed at any moment.

A trial meets nothing that earlier ones did to the process: signal handlers, alarms, the working
directory, the environment and the standard streams are put back. The hyper model and the data are
loaded afresh for each trial, so that none sees what another one did to them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import os
import pickle
import re
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
import stamina

from hyn_k8s.errors import HynError, StorageError, WorkerError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import hyper_models, knowledge, local_copies, shipping, site
from hyn_k8s.search.mapped_data import load_data
from hyn_k8s.search.memos import write_large_values
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.outcome import FAILED, LARGE_RESULT, Outcome, failure_of, unsendable
from hyn_k8s.search.patience import while_starting
from hyn_k8s.search.seeding import seed_process, seeded_trial
from hyn_k8s.search.settings import worker_storage
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.table_settings import use_settings
from hyn_k8s.search.trial import Materials, SearchTask, run_trial
from hyn_k8s.search.trial_logs import Begun
from hyn_k8s.search.trial_messages import Answer, JoinRun, Said, TrialRequest
from hyn_k8s.search.trial_output import TrialOutput, streams_put_back
from hyn_k8s.search.trial_usage import Usage

STORED_AFTER_SECONDS = 1.0
"""How long a trial runs at least whose outcome is stored. To run a shorter one again is cheaper."""

TOKEN_VISIBLE_WITHIN_SECONDS = 10.0
"""How long a token written by the driver may take to be seen on another node."""

_usage = Usage()


def run_trials(channel: socket.socket, output: int, token: bytes) -> None:
    """Join the run that is sent first, then run what comes on ``channel`` until it is closed.

    What is printed goes to the log keeper, by the pipe ``output`` whose marks have the ``token``.
    """
    worker, printing = Connection(channel.detach()), TrialOutput(output, token)
    seed_process(None)  # a fork has the host's random numbers, like all others
    join: JoinRun = pickle.loads(worker.recv_bytes())
    try:
        here = join_run(join)
    except WorkerError as error:
        _say(worker, Said.REFUSED, error)
        return
    except Exception as error:
        problem = WorkerError(join.worker, failure_of(error).summary)
        _say(worker, Said.REFUSED, problem)
        return
    _say(worker, Said.JOINED, None)
    own = os.getpid()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            request = worker.recv_bytes()
            with streams_put_back(), _as_it_was():
                said, value = answer(
                    here, join.name, request, printing, lambda: _say(worker, Said.WANTED, None)
                )
                if os.getpid() != own:
                    os._exit(1)  # a process that the trial has forked, and that left its code
                printing.end()
            _say(worker, said, value)
    here.forget()
    gc.collect()  # what a trial left may hold copies
    local_copies.remove_unused()


def _say(worker: Connection, said: Said, value: Any) -> None:
    worker.send_bytes(pickle.dumps((said, value)))


def join_run(join: JoinRun) -> Site:
    """Open and prove the run's storage, and let Hypernets' ``fs`` of this process use it.

    Raises:
        WorkerError: it is not the driver's storage, or cannot be used here.
    """
    try:
        local_copies.remove_unused()  # what killed processes of other runs have left
        storage = open_storage(worker_storage(join.storage, os.environ, os.getcwd()))
        prove_storage(while_starting(storage), join)
    except WorkerError:
        raise
    except HynError as error:
        raise WorkerError(join.worker, str(error), not error.retry, of_storage=True) from None
    return site.enter(join.key, storage)


def answer(
    here: Site, worker: str, request: bytes, printing: TrialOutput, ask: Callable[[], None]
) -> Answer:
    """What one trial comes to; ``ask`` is called when it waits for the hyper model's context."""
    try:
        asked: TrialRequest = pickle.loads(request)
        return Said.OUTCOME, _run(here, worker, asked, printing, ask)
    except HynError as error:
        return Said.ERROR, error
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return Said.FAILURE, failure_of(error)


def _run(
    here: Site,
    worker: str,
    asked: TrialRequest,
    printing: TrialOutput,
    ask: Callable[[], None],
) -> bytes:
    """The pickled Outcome of a trial: an earlier one that was stored, or that of a new execution.

    Raises:
        HynError: the storage failed under the trial.
    """
    search = _enter_search(asked.task)
    use_settings(search.table_settings)
    path = search.paths.outcome(asked.number, asked.sample)
    stored = read_outcome_at(here, path) if asked.again else None
    if stored is not None:
        return stored
    _usage.begin()
    log = search.paths.log(asked.number)
    printing.begin(Begun(log, asked.number, worker, asked.again, time.time()))
    with seeded_trial(search.seed, asked.number):
        materials = _materials(search, here, asked.known, ask)
        sample = shipping.loads(asked.sample)
        outcome = run_trial(search, asked.number, sample, materials, worker)
        cpu, peak = _usage.cpu_seconds(), _usage.peak_memory()
        outcome = dataclasses.replace(outcome, cpu=cpu, peak_memory=peak)
        pickled = _pickled(search, here, outcome)
    store_outcome(here, path, outcome, pickled)
    return pickled


def _pickled(search: SearchTask, here: Site, outcome: Outcome) -> bytes:
    """The outcome as it travels: what is large of it stays on the storage.

    It is pickled here, where a failure to do so can be told.
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


def _materials(
    search: SearchTask, here: Site, known: knowledge.Known, ask: Callable[[], None]
) -> Materials:
    """What a trial works with: copies of its own of everything."""
    assert search.data is not None, "trials on workers have their data on the storage"

    def fetch() -> Any:
        return knowledge.read_context(here, search.paths, known, ask)

    light = shipping.loads(here.blob(search.hyper_model))
    history = knowledge.read_history(here, search.paths, known, light.history)
    *arguments, fit_kwargs = load_data(here, search.data)
    hyper_model = hyper_models.bound(light, history, knowledge.RemoteContext(fetch))
    return Materials(hyper_model, tuple(arguments), fit_kwargs)


def module_path(own: Sequence[str], scripts: Sequence[str]) -> list[str]:
    """Where a trial finds modules: where the script does.

    A worker that has libraries elsewhere keeps these first, and what the script has comes after.
    """
    if set(own) <= set(scripts):
        return list(scripts)
    return [*own, *(each for each in scripts if each not in own)]


@functools.lru_cache(maxsize=8)
def _enter_search(task: bytes) -> SearchTask:
    """The search of ``task``; at its first trial here, what an earlier one left is forgotten."""
    search: SearchTask = pickle.loads(task)
    sys.path[:] = module_path(sys.path, search.path)
    here = site.current(search.key)
    here.forget()
    here.patient.make_directory(search.paths.models)
    return search


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back afterwards what belongs to the process and the next trial would meet."""
    folder, environ = _current_folder(), dict(os.environ)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if dict(os.environ) != environ:
            os.environ.clear()
            os.environ.update(environ)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        with contextlib.suppress(OSError):  # it may have been deleted meanwhile
            os.chdir(folder)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # a trial was in it, and deleted it
        return os.sep


def prove_storage(storage: Storage, join: JoinRun) -> None:
    """Show that this process reads what the driver wrote, and may write beside it.

    Raises:
        WorkerError: it does not see the driver's file, so its storage is another one.
        StorageError: it cannot read or write at all.
    """
    paths = RunPaths(join.run)
    looks = stamina.RetryingCaller(
        attempts=None, timeout=TOKEN_VISIBLE_WITHIN_SECONDS, wait_initial=0.1, wait_max=1.0
    )
    token = paths.token(join.epoch)
    try:
        looks((FileNotFoundError, _AnotherToken), _look_for, storage, token, join.token)
    except (FileNotFoundError, _AnotherToken) as error:
        where = storage.rooted(token)
        problem = f"{storage.url} is not the driver's storage there: {where} is "
        problem += "another file" if isinstance(error, _AnotherToken) else "missing"
        problem += "; mount the same storage at the same path"
        raise WorkerError(join.worker, problem, of_storage=True) from None
    name = f"{join.worker}-{os.getpid()}"
    own = paths.worker_token(join.epoch, re.sub(r"[^A-Za-z0-9._-]", "-", name))
    storage.prove(own)


class _AnotherToken(Exception):
    """What is seen may still be the token of an earlier driver of the run."""


def _look_for(storage: Storage, path: str, token: bytes) -> None:
    if storage.read(path) != token:
        raise _AnotherToken


def read_outcome_at(here: Site, path: str) -> bytes | None:
    """The pickled Outcome that an earlier execution stored, None if none did.

    Raises:
        StorageError: it cannot be read.
    """
    with contextlib.suppress(FileNotFoundError):
        return here.patient.read(path)
    return None


def store_outcome(here: Site, path: str, outcome: Outcome, pickled: bytes) -> None:
    """Write the outcome for another driver than the one it is sent to, if the trial was long.

    A failure is not stored: it may be due to what the next driver does otherwise. If the storage
    fails, too, the trial is run again.
    """
    ran = outcome.ended - outcome.started
    if outcome.status != FAILED and ran >= STORED_AFTER_SECONDS:
        with contextlib.suppress(StorageError):
            here.storage.write(path, pickled)
