"""All ways to a Dask cluster: the script's own ``Client``, an address, or the embedded cluster.

Decided when a search begins, so that a script may make its ``Client`` whenever it likes. Only
what was opened here is closed here: a user's client and a foreign cluster stay as they were,
except that the run's plugin is taken off the workers at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

import distributed
from distributed import Client, Future

from hyn_k8s import contract
from hyn_k8s.errors import HynError, SchedulerError, WorkerError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import site
from hyn_k8s.search.adoption import Running, running_here
from hyn_k8s.search.embedded import EmbeddedCluster
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trouble import Trouble
from hyn_k8s.search.worker import RunPlugin, mismatch, versions

CONNECT_TIMEOUT_SECONDS = 15.0

WORKER_STOP_SECONDS = 30.0


class Cluster:
    """A connection to a Dask cluster whose workers have joined the run under ``key``.

    ``earlier_keys`` are those of drivers that may have been killed, and have left their plugin on
    the scheduler: it would turn away every worker that joins later. ``embed`` gives the embedded
    cluster, without workers, if that is the one; it is closed with this.

    Raises:
        SchedulerError: no scheduler answers at the address.
        WorkerError: a worker that is there has other versions or another storage.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        run: str,
        key: str,
        epoch: int,
        earlier_keys: Sequence[str],
        tell: Callable[[str], None],
        embed: Callable[[], EmbeddedCluster],
    ) -> None:
        self._tell = tell
        self._opened = contextlib.ExitStack()
        self._embed = embed
        self._embedded: EmbeddedCluster | None = None
        self.key = key
        self.started: dict[str, tuple[str, float]] = {}
        """By the key of a task that a worker has begun: its address, and when this was heard.
        Whoever submits a task makes it forget its key, here and in ``left``."""
        self.left: set[str] = set()
        """The keys of tasks on workers that said they leave."""
        self.begun_again: dict[str, Callable[[str], None]] = {}
        """By search: called in the client's event loop with the key of a task that a second worker
        has begun, because the scheduler forgives the loss of the first."""
        self.ended: dict[str, Callable[[str, bytes], None]] = {}
        """By search: called in the client's event loop with the key of a task that has ended, and
        its pickled outcome."""
        self.wanted: dict[str, Callable[[], None]] = {}
        """By search: called in the client's event loop when a trial of it waits for the context."""
        self.refusal: WorkerError | None = None
        """Why a worker was turned away, while none has joined."""
        self.refused: dict[str, Callable[[], None]] = {}
        """By search: called in the client's event loop when ``refusal`` is set."""
        self._has_joined = False
        live = live_client()
        self.is_users = live is not None
        """Whether the script itself made the client."""
        try:
            self.client = live or self._connect(settings)
            self.address = str(self.client.scheduler.address)
            self._dismiss_earlier(earlier_keys)
            self._admit_workers(storage, run, epoch)
            self._start_workers(settings.executors)
        except BaseException:
            self.close()
            raise

    @property
    def dashboard(self) -> str | None:
        """The URL of Dask's dashboard, None while it is unknown."""
        return str(self.client.dashboard_link) or None

    def serves(self) -> bool:
        """Whether it can still be used, and no client the script made since should be."""
        live = live_client()
        return self.client.status == "running" and (live is None or live is self.client)

    def has_lost_scheduler(self, error: BaseException) -> bool:
        """Whether ``error``, which ended a task, means that the scheduler is gone or is another."""
        reason = getattr(error, "reason", None)
        lost = reason in ("scheduler-connection-lost", "scheduler-restart")
        return lost or self.client.status != "running"

    def tasks(self) -> dict[str, list[str]]:
        """The keys of the tasks that each worker has, by its address."""
        processing = self.client.processing().items()
        return {str(address): [str(key) for key in keys] for address, keys in processing}

    def addresses(self) -> list[str]:
        """The workers that are there."""
        return list(self.client.scheduler_info().get("workers", {}))

    def sole_worker_of(self, key: str) -> str:
        """The address of the worker that has this task and nothing else; empty if there is none.

        Before any worker has joined, one that has it has not begun it.
        """
        if not self._has_joined:
            return ""
        with contextlib.suppress(Exception):  # without a scheduler there is nobody to ask
            return next((address for address, keys in self.tasks().items() if keys == [key]), "")
        return ""

    def running_trials(self, url: str, directory: str) -> dict[str, Running]:
        """What workers run, by the path of each trial's outcome on the storage ``url``.

        Those in ``directory``. A worker that does not say counts as one that runs nothing.
        """
        found: dict[str, dict[str, float]] = {}
        with contextlib.suppress(OSError, TimeoutError):  # without a scheduler nobody runs anything
            found = self.client.run(running_here, url, directory, on_error="ignore")
        return {
            path: Running(address, ran)
            for address, trials in found.items()
            for path, ran in trials.items()
        }

    def forget(self, key: str) -> tuple[bool, bool]:
        """Whether a task that is over had begun, and whether its worker said that it leaves."""
        begun = self.started.pop(key, None) is not None
        left = key in self.left
        self.left.discard(key)
        return begun, left

    def cancel(self, futures: Sequence[Future | None]) -> None:
        """Give up the tasks of those ``futures`` that are some."""
        some = [future for future in futures if future is not None]
        if some and self.client.status == "running":
            with contextlib.suppress(Exception):  # the cluster may be gone: then they are too
                self.client.cancel(some, force=True)

    def stop_worker(self, address: str) -> None:
        """Kill the worker process at ``address`` with whatever it does; its nanny starts another.

        One without a nanny is told to end itself, and it is for whoever started it to do so
        again. A worker in this very process cannot be stopped.
        """
        worker = self.client.scheduler_info().get("workers", {}).get(address)
        if worker is None or address.startswith("inproc://"):
            return
        # It may go by itself at this moment.
        with contextlib.suppress(OSError, TimeoutError, KeyError, ValueError):
            if worker.get("nanny"):
                self.client.restart_workers([address], timeout=WORKER_STOP_SECONDS)
            else:
                self.client.run(_end_process, workers=[address], wait=False)

    def close(self) -> None:
        """Take the run off the workers and close what was opened here."""
        self._opened.close()

    def _connect(self, settings: Settings) -> Client:
        address = settings.scheduler
        if address is None:
            self._tell(f"Starting a Dask cluster of {settings.executors} workers on this machine")
            self._embedded = self._embed()
            self._opened.callback(self._embedded.close)
            address = self._embedded.address()
        try:
            client = Client(address, timeout=CONNECT_TIMEOUT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            problem = (
                f"no answer within {CONNECT_TIMEOUT_SECONDS:.0f} s ({type(error).__name__}); "
                f"is it running, and is {contract.SCHEDULER.label} right?"
            )
            raise SchedulerError(address, problem) from None
        self._opened.callback(close_client, client)
        return client

    def _start_workers(self, count: int) -> None:
        """Of the embedded cluster, where it is that: none of another one is ours to start.

        They come last: what is done before would wait for its share of the machine.
        """
        if self._embedded is not None:
            self._embedded.start_workers(count)

    def _admit_workers(self, storage: Storage, run: str, epoch: int) -> None:
        """Bring the run to every worker, those that join later included."""
        self._compare_versions()
        self._warn_of_open_wire(storage)
        token = secrets.token_bytes(16)
        storage.write(RunPaths(run).token(epoch), token)
        plugin = RunPlugin(self.key, run, epoch, storage.settings, token)
        self.client.subscribe_topic(plugin.name, self._hear)
        self._opened.callback(self._dismiss_workers, plugin.name)
        try:
            prepared = self.client.register_plugin(plugin)
        except HynError as error:
            raise error.with_traceback(None) from None
        except Exception as error:
            problem = f"could not be prepared ({type(error).__name__}: {error})"
            raise WorkerError(f"of {self.address}", problem) from error
        if prepared:
            self._join()

    def _dismiss_earlier(self, keys: Sequence[str]) -> None:
        if self._embedded is not None:
            return
        for key in keys:
            with contextlib.suppress(Exception):  # most have gone with their driver
                self.client.unregister_worker_plugin(site.topic(key))

    def _compare_versions(self) -> None:
        """Compare every worker that is there with this process, by Dask's own means.

        The plugin compares too, for workers that join later; but a worker that lacks our package
        could not even read the plugin, and this names it.
        """
        mine = versions()
        found = self.client.get_versions(packages=[name for name in mine if name != "python"])
        for address, worker in found["workers"].items():
            theirs = {name: version or "missing" for name, version in worker["packages"].items()}
            theirs["python"] = ".".join(worker["host"]["python"].split(".")[:2])
            problem = mismatch(mine, theirs)
            if problem is not None:
                raise WorkerError(address, problem)

    def _warn_of_open_wire(self, storage: Storage) -> None:
        local = ("tls://", "inproc://", "tcp://127.", "tcp://localhost", "tcp://[::1]")
        if storage.settings.credentials and not self.address.startswith(local):
            keys = f"{contract.STORAGE_ACCESS_KEY.name} and {contract.STORAGE_SECRET_KEY.name}"
            self._tell(
                f"Warning: the storage's credentials go to the workers of {self.address} "
                f"unencrypted; use a tls:// scheduler, or set {keys} on the workers"
            )

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """A worker speaks; called in the client's event loop."""
        _, message = event
        if "ended" in message:
            self.ended.get(message["search"], _ignore)(message["ended"], message["outcome"])
        if "started" in message:
            key = message["started"]
            if key in self.started:
                self.begun_again.get(message["search"], _ignore)(key)
            self.started[key] = (message["worker"], time.monotonic() - message["ran"])
        if "anew" in message:
            self.started[message["anew"]] = (message["worker"], time.monotonic())
        if "leaving" in message:
            self.left.update(message["leaving"])
        if "wanted" in message:
            self.wanted.get(message["wanted"], _ignore)()
        if "joined" in message:
            self._join()
        if "refused" in message:
            self._turn_away(WorkerError(*message["refused"]))

    def _join(self) -> None:
        self._has_joined = True
        self.refusal = None

    def _turn_away(self, error: WorkerError) -> None:
        self._tell(Trouble(f"A worker was turned away. {error}", error))
        if not self._has_joined:
            self.refusal = error
            for call in list(self.refused.values()):
                call()

    def _dismiss_workers(self, plugin: str) -> None:
        if self.client.status == "running":
            with contextlib.suppress(Exception):  # the cluster may go first; nothing is lost then
                self.client.unsubscribe_topic(plugin)
                self.client.unregister_worker_plugin(plugin)


def live_client() -> Client | None:
    """The client the script itself made and that is usable from here, if there is one."""
    try:
        client = distributed.default_client()
    except ValueError:
        return None
    return client if client.status == "running" and not client.asynchronous else None


async def _end_process() -> None:
    """On a worker: end its process at once, with whatever it does."""
    os._exit(1)


def _ignore(*_: object) -> None:
    """The search is over."""


def close_client(client: Client) -> None:
    """Close ``client`` without a word, whether its scheduler is still there or not."""
    log = logging.getLogger("distributed.client")
    log.addFilter(_is_no_farewell)
    try:
        # The embedded scheduler is about to be killed: a slow good-bye to it helps nobody.
        with contextlib.suppress(Exception):
            client.close(timeout=2)
    finally:
        log.removeFilter(_is_no_farewell)


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """Whether a line of Dask's is more than its having been closed while it tried to reconnect.

    That would be an error with a traceback, of something that was meant.
    """
    return record.exc_info is None or record.exc_info[0] is not asyncio.CancelledError
