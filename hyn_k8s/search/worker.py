"""What happens on a Dask worker before its first trial, early workers and late ones alike.

One Dask ``WorkerPlugin`` brings a run to a worker: versions are compared with the driver's, the
storage is proved (the run's token read, an own one written), and Hypernets is imported with its
fixes and bound to that storage. A worker that fails says so and takes no trial: if it was there
when the search began, the search is refused with its sentence; if it joins later it is turned
away, its waiting trials go elsewhere, and the driver is told. Nothing else is asked of a foreign
cluster: no preload flag, no environment.

The plugin holds the storage's credentials, in memory of scheduler and workers only, and a worker
whose own environment has credentials uses those.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import stamina
from distributed.core import Status
from distributed.diagnostics.plugin import WorkerPlugin

from hyn_k8s.errors import HynError, WorkerError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import compat, site
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.patience import while_starting
from hyn_k8s.search.settings import StorageSettings, worker_storage
from hyn_k8s.search.storage import Storage

if TYPE_CHECKING:
    from distributed import Worker

COMPARED = ("hyn-k8s", "dask", "distributed", "hypernets", "cloudpickle")
"""Distributions whose versions must be the driver's; so must Python's first two numbers."""

TOKEN_VISIBLE_WITHIN_SECONDS = 10.0
"""How long a token written by the driver may take to be seen on another node."""


def versions() -> dict[str, str]:
    """What a worker must share with the driver, as found in this process."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in COMPARED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def mismatch(driver: Mapping[str, str], worker: Mapping[str, str]) -> str | None:
    """A sentence on what differs, None when nothing does."""
    differing = [name for name in driver if driver[name] != worker.get(name, "missing")]
    if not differing:
        return None
    found = ", ".join(f"{name} {worker.get(name, 'missing')}" for name in differing)
    wanted = ", ".join(f"{name} {driver[name]}" for name in differing)
    return f"it has {found}; the driver has {wanted}; install the same on both"


class _AnotherToken(Exception):
    """What is seen may still be the token of an earlier driver of the run."""


def _look_for(storage: Storage, path: str, token: bytes) -> None:
    if storage.read(path) != token:
        raise _AnotherToken


def prove_storage(storage: Storage, paths: RunPaths, epoch: int, token: bytes, worker: str) -> None:
    """Show that this process reads what the driver, ``epoch``, wrote and may write beside it.

    Raises:
        WorkerError: it does not see the driver's file, so its storage is another one.
        StorageError: it cannot read or write at all.
    """
    looks = stamina.RetryingCaller(
        attempts=None, timeout=TOKEN_VISIBLE_WITHIN_SECONDS, wait_initial=0.1, wait_max=1.0
    )
    try:
        looks((FileNotFoundError, _AnotherToken), _look_for, storage, paths.token(epoch), token)
    except (FileNotFoundError, _AnotherToken) as error:
        where = storage.rooted(paths.token(epoch))
        problem = f"{storage.url} is not the driver's storage there: {where} is "
        problem += "another file" if isinstance(error, _AnotherToken) else "missing"
        problem += "; mount the same storage at the same path"
        raise WorkerError(worker, problem, of_storage=True) from None
    own = paths.worker_token(epoch, re.sub(r"[^A-Za-z0-9._-]", "-", worker))
    storage.prove(own)


class RunPlugin(WorkerPlugin):  # type: ignore[misc, unused-ignore]
    """Brings one run to each worker, and takes it away again when it is unregistered."""

    def __init__(
        self, key: str, run: str, epoch: int, storage: StorageSettings, token: bytes
    ) -> None:
        self.name = site.topic(key)
        self._key = key
        self._paths = RunPaths(run)
        self._epoch = epoch
        self._storage = storage
        self._token = token
        self._versions = versions()

    async def setup(self, worker: Worker) -> None:
        """Join the run; an early worker that cannot raises, a late one leaves the cluster."""
        name = f"{worker.name} ({worker.address})"
        try:
            # In a thread: a mount may hang, and importing Hypernets takes seconds.
            await asyncio.to_thread(self._join, name)
        except Exception as error:
            told = error if isinstance(error, WorkerError) else WorkerError(name, _line(error))
            if worker.periodic_callbacks["heartbeat"].is_running():
                raise told from None
            await self._turn_away(worker, name, told)
        else:
            worker.log_event(self.name, {"joined": name})

    def teardown(self, worker: Worker) -> None:
        """Forget the run and its credentials; a worker that is closed says so while it can."""
        site.leave(self._key)
        if worker.status is Status.closing:
            mine = [key for key in worker.state.tasks if str(key).startswith(self._key)]
            worker.log_event(self.name, {"leaving": mine})

    def _join(self, name: str) -> None:
        problem = mismatch(self._versions, versions())
        if problem is not None:
            raise WorkerError(name, problem)
        storage = open_storage(worker_storage(self._storage, os.environ, os.getcwd()))
        try:
            prove_storage(while_starting(storage), self._paths, self._epoch, self._token, name)
        except WorkerError:
            raise
        except HynError as error:
            raise WorkerError(name, str(error), not error.retry, of_storage=True) from None
        compat.apply()
        site.enter(self._key, storage)

    async def _turn_away(self, worker: Worker, name: str, error: WorkerError) -> None:
        """Leave without harm: the scheduler is told first that the leaving is meant.

        Dask catches what a late worker's plugin raises and lets the worker join; and a worker
        that merely disappears costs each trial that waits for it one of its attempts.
        """
        await worker.scheduler.log_event(topic=self.name, msg={"refused": error.args})
        await worker.scheduler.unregister(
            address=worker.address, expected=True, close=False, stimulus_id=f"refused-{name}"
        )
        # Not awaited here: closing waits for this very plugin's setup to end.
        worker.loop.add_callback(worker.close, reason=f"{self.name}: {error}")


def _line(error: BaseException) -> str:
    if isinstance(error, HynError):
        return str(error)
    return f"{type(error).__name__}: {error}".partition("\n")[0]
