"""All ways to a Dask cluster: the script's own ``Client``, an address, or the embedded cluster.

Decided when a search begins, so that a script may make its ``Client`` whenever it likes. Only
what was opened here is closed here: a user's client and a foreign cluster stay as they were.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import distributed
from distributed import Client, Future

from hyn_k8s import contract
from hyn_k8s.errors import WorkerError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import trial_memory
from hyn_k8s.search.adoption import running_here
from hyn_k8s.search.connecting import connect
from hyn_k8s.search.dask_process import defaults
from hyn_k8s.search.embedded import EmbeddedCluster
from hyn_k8s.search.roster import Roster
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trial_messages import JoinRun, topic
from hyn_k8s.search.trouble import Trouble

READ_SECONDS = 30.0
"""How long workers may take to say what they run."""


class Cluster:
    """A connection to a Dask cluster whose workers have joined the run under ``key``.

    ``embed`` gives the embedded cluster, without workers, if that is the one; it is closed with
    this.

    Raises:
        SchedulerError: no scheduler answers at the address.
        WorkerError: none of the workers that are there has the driver's versions and storage.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        run: str,
        key: str,
        epoch: int,
        tell: Callable[[str], None],
        embed: Callable[[], EmbeddedCluster],
    ) -> None:
        self._tell = tell
        self._opened = contextlib.ExitStack()
        self._embed = embed
        self._embedded: EmbeddedCluster | None = None
        self.key = key
        self.started: dict[str, str] = {}
        """By the key of a task that a worker has begun: the worker's address.
        Whoever submits a task makes it forget its key."""
        self.begun_again: dict[str, Callable[[str, bool], None]] = {}
        """By search: called in the client's event loop with the key of a task that a second worker
        has begun, because the scheduler forgives the loss of the first; and whether the first was
        asked to leave."""
        self.ended: dict[str, Callable[[str, bytes], None]] = {}
        """By search: called in the client's event loop with the key of a task that has ended, and
        its pickled outcome."""
        self.wanted: dict[str, Callable[[], None]] = {}
        """By search: called in the client's event loop when a trial of it waits for the context."""
        self.changed: dict[str, Callable[[], None]] = {}
        """By search: called in the client's event loop when a worker has come, joined or gone."""
        live = live_client()
        self.is_users = live is not None
        """Whether the script itself made the client."""
        try:
            self.client = live or self._connect(settings)
            self.address = str(self.client.scheduler.address)
            self._admit_workers(storage, run, epoch, self._memory(settings))
            self._start_worker(settings.executors)
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

    def has_workers(self) -> bool:
        """Whether the cluster has any worker, of whatever kind."""
        return bool(self.client.scheduler_info().get("workers"))

    def joined(self) -> list[str]:
        """The addresses of the workers that may be given trials."""
        return self._roster.joined()

    def refusal(self) -> WorkerError | None:
        """Why no worker takes part, and none will: those that are there do not fit the run."""
        failure = None if self._embedded is None else self._embedded.failure
        return failure or self._roster.refusal()

    def refuse(self, address: str, error: WorkerError) -> None:
        """Give the worker at ``address`` no more trials, and name it to the user."""
        self._roster.refuse(address, error)

    def ask_again(self, address: str) -> None:
        """Ask the worker at ``address``, which takes no part in the run any more, to do so."""
        self._roster.ask_again(address)

    def read_workers(self) -> None:
        """Look which workers there are, in case that was not heard; nothing waits for it."""
        self.client.loop.add_callback(self._roster.read_workers)

    def read_running(self, url: str, directory: str) -> dict[str, str]:
        """The address of the worker that runs a trial, by the path of its outcome on ``url``.

        Those in ``directory``. A worker that does not say counts as one that runs nothing.
        """
        found: dict[str, list[str]] = {}
        with contextlib.suppress(Exception):  # without a scheduler nobody runs anything
            found = self.client.run(
                running_here,
                url,
                directory,
                workers=self.joined(),
                on_error="ignore",
                callback_timeout=READ_SECONDS,
            )
        return {path: address for address, paths in found.items() for path in paths}

    def forget(self, key: str) -> tuple[bool, bool]:
        """Whether a task that is over had begun, and whether its worker was asked to leave."""
        address = self.started.pop(key, "")
        return bool(address), self._roster.is_leaving(address)

    def cancel(self, futures: Sequence[Future | None]) -> None:
        """Give up the tasks of those ``futures`` that are some."""
        some = [future for future in futures if future is not None]
        if some and self.client.status == "running":
            with contextlib.suppress(Exception):  # the cluster may be gone: then they are too
                self.client.cancel(some, force=True)

    def stop(self, keys: Sequence[str]) -> None:
        """Kill the trials of these tasks, wherever they run."""
        self._roster.stop(list(keys))

    def close(self) -> None:
        """Take the run off the workers and close what was opened here."""
        self._opened.close()

    def _connect(self, settings: Settings) -> Client:
        address, security = settings.scheduler, None
        if address is None:
            self._tell("Starting a Dask cluster on this machine")
            self._embedded = self._embed()
            self._opened.callback(self._embedded.close)
            self._embedded.on_failure = self._note_change
            address, security = self._embedded.address(), self._embedded.security
        with contextlib.nullcontext() if security is None else defaults():
            client = connect(address, security)
        self._opened.callback(close_client, client)
        return client

    def _start_worker(self, count: int) -> None:
        """Of the embedded cluster, where it is that: none of another one is ours to start.

        They come last: what is done before would wait for its share of the machine.
        """
        if self._embedded is not None:
            self._embedded.start_worker(count)

    def _memory(self, settings: Settings) -> int | None:
        """How much memory a trial may take, where the driver can say."""
        if settings.memory is None and self._embedded is not None:
            return trial_memory.machines_share(settings.executors)
        return settings.memory

    def _admit_workers(self, storage: Storage, run: str, epoch: int, memory: int | None) -> None:
        """Bring the run to every worker, those that come later included."""
        self._warn_of_open_wire(storage)
        token = secrets.token_bytes(16)
        storage.write(RunPaths(run).token(epoch), token)
        request = JoinRun(self.key, run, epoch, storage.settings, token, memory)
        roster = Roster(self.client, request, self._tell_refused, self._note_change)
        self._roster = roster
        self.client.subscribe_topic(topic(self.key), self._hear)
        self._opened.callback(self._dismiss_workers, roster)
        roster.begin()

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
                left = self._roster.is_leaving(self.started[key])
                self.begun_again.get(message["search"], _ignore)(key, left)
            self.started[key] = message["worker"]
        if "wanted" in message:
            self.wanted.get(message["wanted"], _ignore)()

    def _note_change(self) -> None:
        if self._embedded is not None and self._roster.joined():
            self._embedded.has_joined = True
        for call in list(self.changed.values()):
            call()

    def _tell_refused(self, error: WorkerError) -> None:
        self._tell(Trouble(f"A worker gets no trials. {error}", error))

    def _dismiss_workers(self, roster: Roster) -> None:
        if self.client.status == "running" and self._embedded is None:
            with contextlib.suppress(Exception):  # the cluster may go first; nothing is lost then
                self.client.unsubscribe_topic(topic(self.key))
                roster.leave()


def live_client() -> Client | None:
    """The client the script itself made and that is usable from here, if there is one."""
    try:
        client = distributed.default_client()
    except ValueError:
        return None
    return client if client.status == "running" and not client.asynchronous else None


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
