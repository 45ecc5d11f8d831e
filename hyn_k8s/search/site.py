"""What a process that runs trials keeps for a run: its storage, and each search's bytes.

A worker process may serve several runs, of several drivers, one after the other. Each has a site
here under the run's key: entered when the worker joins (or by the driver itself, when trials run
in its process), left when the run ends. The hyper model and the data of a search are read from
the storage once per process and kept as bytes, so that each trial loads a copy of its own and
none can spoil the next one's; a worker that is born late or again simply reads them again.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

import stamina

from hyn_k8s.errors import StorageError, WorkerError
from hyn_k8s.search import binding
from hyn_k8s.search.storage import Storage

VISIBLE_WITHIN_SECONDS = 60.0
"""How long a file written by another node may take to be seen here (attribute caches)."""

_sites: dict[str, Site] = {}


@dataclass(frozen=True)
class Blob:
    """Bytes on the storage that do not change: where, how many, and their SHA-256."""

    path: str
    size: int
    sha256: str


class _NotYetVisible(Exception):
    """The blob is absent or partly seen; another look may find it whole."""


class Site:
    """One run's storage in this process, and the blobs of its latest search."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._blobs: dict[Blob, bytes] = {}
        self._lock = threading.Lock()

    def blob(self, blob: Blob) -> bytes:
        """The bytes of ``blob``, read at the first call only.

        Raises:
            StorageError: they are not there, or not whole, within VISIBLE_WITHIN_SECONDS.
        """
        with self._lock:
            if blob not in self._blobs:
                self._blobs[blob] = self._read(blob)
            return self._blobs[blob]

    def forget_blobs(self) -> None:
        """Drop what earlier searches of the run left; called when a search begins here."""
        with self._lock:
            self._blobs.clear()

    def _read(self, blob: Blob) -> bytes:
        looks = stamina.RetryingCaller(
            attempts=None, timeout=VISIBLE_WITHIN_SECONDS, wait_initial=0.05, wait_max=2.0
        )
        try:
            return looks(_NotYetVisible, self._look, blob)
        except _NotYetVisible as error:
            raise StorageError(self.storage.url, str(error)) from None

    def _look(self, blob: Blob) -> bytes:
        try:
            data = self.storage.read(blob.path)
        except FileNotFoundError:
            raise _NotYetVisible(f"{blob.path} is not there") from None
        if hashlib.sha256(data).hexdigest() != blob.sha256:
            raise _NotYetVisible(f"{blob.path} has {len(data)} bytes, not the {blob.size} written")
        return data


def topic(key: str) -> str:
    """The Dask event topic on which workers of the run ``key`` speak to its driver."""
    return f"hyn-k8s-{key}"


def write_blob(storage: Storage, path: str, data: bytes) -> Blob:
    """Put ``data`` at ``path`` for other processes to read with ``Site.blob``."""
    storage.write(path, data)
    return Blob(path, len(data), hashlib.sha256(data).hexdigest())


def enter(key: str, storage: Storage) -> Site:
    """Keep ``storage`` for the run ``key`` and bind Hypernets' ``fs`` to it."""
    site = _sites[key] = Site(storage)
    binding.bind(storage.settings)
    return site


def leave(key: str) -> None:
    """Forget the run ``key``, its credentials with it."""
    _sites.pop(key, None)


def current(key: str) -> Site:
    """The site of the run ``key``, with Hypernets' ``fs`` bound to its storage.

    Raises:
        WorkerError: this process never joined the run.
    """
    site = _sites.get(key)
    if site is None:
        raise WorkerError("of this trial", f"it never joined the run {key}; restart it")
    binding.bind(site.storage.settings)
    return site
