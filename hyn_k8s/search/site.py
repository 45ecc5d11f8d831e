"""What a process that runs trials keeps for a run: its storage, and each search's bytes.

A worker process may serve several runs, of several drivers, one after the other. Each has a site
here under the run's key: entered when the worker joins (or by the driver itself, when trials run
in its process), left when the run ends. The hyper model, the data and what else trials of a search
share are read from the storage once per process and kept as bytes, so that each trial loads a copy
of its own and none can spoil the next one's; a worker that is born late or again simply reads them
again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import stamina

from hyn_k8s.errors import StorageError, WorkerError
from hyn_k8s.search import binding
from hyn_k8s.search.patience import PatientStorage
from hyn_k8s.search.storage import Storage

T = TypeVar("T")

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
    """One run's storage in this process, and what its latest search reads from it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        """As it is: whoever asks whether it works has to know at once."""
        self.patient = PatientStorage(storage, _nobody)
        self._kept: dict[Blob | str, Any] = {}
        self._lock = threading.Lock()

    def blob(self, blob: Blob) -> bytes:
        """The bytes of ``blob``, read at the first call only.

        Raises:
            StorageError: they are not there, or not whole, within VISIBLE_WITHIN_SECONDS.
        """
        kept: bytes = self._once(blob, lambda: self._until_visible(lambda: self._look(blob)))
        return kept

    def awaited(self, path: str, load: Callable[[bytes], Any] = bytes) -> Any:
        """What ``load`` makes of the bytes at ``path``, which somebody writes once.

        Read and loaded at the first call only.

        Raises:
            StorageError: nothing is there within VISIBLE_WITHIN_SECONDS.
        """
        return self._once(path, lambda: load(self._until_visible(lambda: self._read(path))))

    def await_whole(self, blob: Blob) -> None:
        """Return when ``blob`` is there, by its size.

        Raises:
            StorageError: it is not there, or not whole, within VISIBLE_WITHIN_SECONDS.
        """
        self._until_visible(lambda: self._measure(blob))

    def keeping(self, key: Blob, make: Callable[[], T]) -> T:
        """What ``make`` returned at the first call; kept until a next search begins here."""
        kept: T = self._once(key, make)
        return kept

    def knows(self, path: str) -> bool:
        """Whether ``awaited`` would read ``path`` from memory."""
        return path in self._kept

    def forget(self) -> None:
        """Drop what earlier searches of the run left; called when a search begins here."""
        with self._lock:
            self._kept.clear()

    def _once(self, key: Blob | str, read: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = read()
            return self._kept[key]

    def _until_visible(self, look: Callable[[], T]) -> T:
        looks = stamina.RetryingCaller(
            attempts=None, timeout=VISIBLE_WITHIN_SECONDS, wait_initial=0.05, wait_max=2.0
        )
        try:
            return looks(_NotYetVisible, look)
        except _NotYetVisible as error:
            raise StorageError(self.storage.url, str(error)) from None

    def _look(self, blob: Blob) -> bytes:
        data = self._read(blob.path)
        if hashlib.sha256(data).hexdigest() != blob.sha256:
            raise _NotYetVisible(f"{blob.path} has {len(data)} bytes, not the {blob.size} written")
        return data

    def _measure(self, blob: Blob) -> None:
        size = self.patient.size(blob.path)
        if size != blob.size:
            raise _NotYetVisible(f"{blob.path} has {size} bytes, not the {blob.size} written")

    def _read(self, path: str) -> bytes:
        try:
            return self.patient.read(path)
        except FileNotFoundError:
            raise _NotYetVisible(f"{path} is not there") from None


def _nobody(_sentence: str) -> None:
    """A worker has no user to tell."""


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
