"""Storages for tests, on a directory and in S3, and one that remembers all that was done to it.

What a driver leaves that is killed at some moment is what it had written until then. ``Logged``
notes every change, so a test can put that together for each moment of a driver's life.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.s3 import S3Storage
from hyn_k8s.search.settings import Settings, StorageSettings
from hyn_k8s.search.storage import Piece, Storage
from tests.processes import S3Server

Opener = Callable[[], Storage]
"""Gives a new storage object on the same place, as another process has it."""

Change = tuple[str, bytes | None]
"""A path and what was put there; None for its removal."""


def on_directory(root: pathlib.Path) -> Opener:
    """Storages on the directory ``root``."""
    return lambda: FileStorage(StorageSettings("file", str(root)))


def in_bucket(server: S3Server) -> Opener:
    """Storages on a new bucket of ``server``."""
    environ = {**server.env, "HYN_STORAGE_ROOT": f"/b-{uuid.uuid4().hex}/prefix"}
    settings = Settings.from_env(environ, "/").storage
    storage = open_storage(settings)
    assert isinstance(storage, S3Storage)
    ensure_bucket(storage)
    return lambda: open_storage(settings)


class Logged(FileStorage):
    """A directory that notes every change made to it, in the order in which they happened."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.changes: list[Change] = []
        self._noting = threading.RLock()

    def write(self, path: str, data: bytes) -> None:
        with self._noting:
            super().write(path, data)
            self.changes.append((path, data))

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        with self._noting:
            super().write_pieces(path, pieces)
            self.changes.append((path, b"".join(pieces)))

    def create(self, path: str, data: bytes) -> None:
        with self._noting:
            super().create(path, data)
            self.changes.append((path, data))

    def delete(self, path: str) -> None:
        with self._noting:
            super().delete(path)
            self.changes.append((path, None))


def left_after(
    changes: Iterable[Change], root: pathlib.Path, said: Mapping[str, Any] | None = None
) -> None:
    """Put at ``root`` what a driver leaves that is killed after these ``changes``.

    ``said`` is what its claim says instead.
    """
    root.mkdir(parents=True, exist_ok=True)
    for path, data in changes:
        full = root / path
        if data is not None:
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(as_of_a_dead_driver(data, said) if "/drivers/" in path else data)
        elif full.is_dir():
            shutil.rmtree(full)
        else:
            full.unlink(missing_ok=True)


def as_of_a_dead_driver(claim: bytes, said: Mapping[str, Any] | None = None) -> bytes:
    """A claim of this process as one of a process that had its pid before and is no more."""
    document = {**json.loads(claim), **(said or {})}
    document["holder"]["started"] = 0.0
    return json.dumps(document).encode()
