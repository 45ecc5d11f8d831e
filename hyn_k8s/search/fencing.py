"""A storage that is written only while this process drives the run.

A driver that slept through its lease must not write under the driver that took the run over:
neither results nor data nor the end. It need not remember to ask before each write, since the
storage that a session gives to everybody asks for it. ``require`` costs no request while the lease
was renewed a moment ago.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence

from hyn_k8s.search.storage import Piece, Storage


class FencedStorage(Storage):
    """``inner``, of which nothing is changed unless ``require`` returns.

    ``require`` raises RunTakenError when another driver has taken the run over, and StorageError
    when nobody can tell.
    """

    def __init__(self, inner: Storage, require: Callable[[], None]) -> None:
        super().__init__(inner.settings)
        self._inner = inner
        self._require = require

    @property
    def url(self) -> str:
        return self._inner.url

    def rooted(self, path: str) -> str:
        return self._inner.rooted(path)

    def read(self, path: str) -> bytes:
        return self._inner.read(path)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        return self._inner.read_range(path, start, end)

    def size(self, path: str) -> int:
        return self._inner.size(path)

    def read_present(self, paths: Sequence[str]) -> dict[str, bytes]:
        return self._inner.read_present(paths)

    def list(self, path: str) -> builtins.list[str]:
        return self._inner.list(path)

    def list_all(self, path: str) -> builtins.list[str]:
        return self._inner.list_all(path)

    def list_files(self, path: str) -> builtins.list[str]:
        return self._inner.list_files(path)

    def write(self, path: str, data: bytes) -> None:
        self._require()
        self._inner.write(path, data)

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        self._require()
        self._inner.write_pieces(path, pieces)

    def create(self, path: str, data: bytes) -> None:
        self._require()
        self._inner.create(path, data)

    def delete(self, path: str) -> None:
        self._require()
        self._inner.delete(path)

    def delete_all(self, paths: Sequence[str]) -> None:
        self._require()
        self._inner.delete_all(paths)

    def remove_directory(self, path: str) -> None:
        self._require()
        self._inner.remove_directory(path)

    def make_directory(self, path: str) -> None:
        self._require()
        self._inner.make_directory(path)
