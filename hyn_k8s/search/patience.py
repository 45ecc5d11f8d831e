"""A storage that outlasts a short absence of what is behind it.

A server restarts, a mount hangs, a bucket answers 503, a disk is full until somebody makes room:
none of that should end a search that has run for hours. Each operation is tried again, with
growing pauses, until the storage has been away for as long as the settings allow; then the last
error says so. What was wrong from the beginning, such as rejected keys, is not waited for.
"""

from __future__ import annotations

import builtins
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import stamina

from hyn_k8s.errors import StorageError
from hyn_k8s.search.storage import Piece, Storage
from hyn_k8s.search.trouble import Trouble

# It reports each pause; without a logging configuration Python prints that on standard error.
logging.getLogger("stamina").addHandler(logging.NullHandler())

T = TypeVar("T")


class PatientStorage(Storage):
    """``inner``, asked again and again while it fails in a way that may pass.

    Each operation for ``patience`` seconds, by default those of its settings. ``tell`` hears of
    the first failure of an operation, since waiting in silence looks like a hang.
    """

    def __init__(
        self, inner: Storage, tell: Callable[[str], None], patience: float | None = None
    ) -> None:
        super().__init__(inner.settings)
        self._inner = inner
        self._tell = tell
        self._patience = inner.settings.patience if patience is None else patience
        self._impatient = 0
        """How many threads do not want to wait."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def exclusive_feature(self) -> str:  # type: ignore[override]
        return self._inner.exclusive_feature

    def rooted(self, path: str) -> str:
        return self._inner.rooted(path)

    def prove(self, path: str) -> None:
        self._patiently(lambda: self._inner.prove(path))

    def read(self, path: str) -> bytes:
        return self._patiently(lambda: self._inner.read(path))

    def read_range(self, path: str, start: int, end: int) -> bytes:
        return self._patiently(lambda: self._inner.read_range(path, start, end))

    def size(self, path: str) -> int:
        return self._patiently(lambda: self._inner.size(path))

    def read_present(self, paths: Sequence[str]) -> dict[str, bytes]:
        return self._patiently(lambda: self._inner.read_present(paths))

    def write(self, path: str, data: bytes) -> None:
        self._patiently(lambda: self._inner.write(path, data))

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        self._patiently(lambda: self._inner.write_pieces(path, pieces))

    def create(self, path: str, data: bytes) -> None:
        """As ``Storage.create``; the very same data there are its own, of a try whose answer was
        lost, also inside a client that tries again by itself.
        """

        def create() -> None:
            try:
                self._inner.create(path, data)
            except FileExistsError:
                if self._inner.read(path) != data:
                    raise

        self._patiently(create)

    def list(self, path: str) -> builtins.list[str]:
        return self._patiently(lambda: self._inner.list(path))

    def list_all(self, path: str) -> builtins.list[str]:
        return self._patiently(lambda: self._inner.list_all(path))

    def list_files(self, path: str) -> builtins.list[str]:
        return self._patiently(lambda: self._inner.list_files(path))

    def delete(self, path: str) -> None:
        self._patiently(lambda: self._inner.delete(path))

    def delete_all(self, paths: Sequence[str]) -> None:
        self._patiently(lambda: self._inner.delete_all(paths))

    def remove_directory(self, path: str) -> None:
        self._patiently(lambda: self._inner.remove_directory(path))

    def make_directory(self, path: str) -> None:
        self._patiently(lambda: self._inner.make_directory(path))

    @contextlib.contextmanager
    def impatience(self) -> Iterator[None]:
        """Within, nothing is tried twice: the storage is known to be away."""
        with self._lock:  # several searches of a script may end at once
            self._impatient += 1
        try:
            yield
        finally:
            with self._lock:
                self._impatient -= 1

    def _patiently(self, operation: Callable[[], T]) -> T:
        told, patience = False, 0.0 if self._impatient else self._patience

        def passes(error: Exception) -> bool:
            nonlocal told
            if not isinstance(error, StorageError) or error.lasting:
                return False
            if not told and patience:
                self._tell(Trouble(f"{error}; trying again for {patience:.0f} s", error))
                told = True
            return True

        return patiently(operation, patience, passes)


def while_starting(storage: Storage) -> PatientStorage:
    """``storage``, tried for a few seconds only, without a word."""
    return PatientStorage(storage, lambda _: None, storage.settings.startup_patience)


def may_pass(error: Exception) -> bool:
    """Whether ``error`` is a storage's that may work again by itself."""
    return isinstance(error, StorageError) and error.retry


def patiently(
    operation: Callable[[], T], patience: float, passes: Callable[[Exception], bool] = may_pass
) -> T:
    """What ``operation`` returns, which is tried for ``patience`` seconds while it ``passes``."""
    if patience <= 0:
        return operation()
    tries = stamina.retry_context(
        on=passes, attempts=None, timeout=patience, wait_initial=0.2, wait_max=5.0
    )
    for attempt in tries:
        with attempt:
            return operation()
    raise AssertionError("retry_context raises the last error itself")
