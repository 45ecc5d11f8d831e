"""A storage on a directory that answers within a bound, or says that it does not.

A hard mount whose server is gone, or no longer exports the directory, never fails: whoever calls
waits in the kernel, where nobody reaches it. So each call is made in a thread of its own, and
given up after a while. The kernel may still carry it out, when the server is back. Later calls
must not be overtaken by one that changes something, so none begins while such a one is under way.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hyn_k8s.errors import StorageError
from hyn_k8s.search import files
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.storage import Piece, Storage

T = TypeVar("T")

BYTES_PER_SECOND = 250_000.0
"""A storage that moves less takes as long as one that does not answer."""

LOOK_SECONDS = 1.0
"""How long a call waits for one that was given up before."""


class _Call:
    """An operation under way in a thread, which ends with the process at the latest."""

    def __init__(self, operation: Callable[[_Call], Any], seconds: float) -> None:
        self._operation = operation
        self._seconds = seconds
        self._ended = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        try:
            threading.Thread(target=self._run, name="storage", daemon=True).start()
        except RuntimeError as error:
            if "shutdown" not in str(error):
                raise  # there are too many
            self._run()  # when the process ends Python starts none any more

    def allow(self, size: int) -> None:
        """So many bytes are moved, which takes time."""
        self._seconds += size / BYTES_PER_SECOND

    def has_ended(self, within: float | None = None) -> bool:
        """Whether it ends within so many seconds, by default those that it is allowed.

        Seconds in which this process does not run, on a machine that is suspended, do not count.
        """
        waited = 0.0
        while (left := (self._seconds if within is None else within) - waited) > 0:
            if self._ended.wait(min(left, 1.0)):
                return True
            waited += min(left, 1.0)
        return self._ended.is_set()

    def outcome(self) -> Any:
        """What the operation has returned, or raised."""
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._operation(self)
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()


class BoundedStorage(Storage):
    """``inner``, each call of which ends within ``seconds``, by default those of its settings, and
    longer by one for each ``BYTES_PER_SECOND`` that it moves.
    """

    def __init__(self, inner: FileStorage, seconds: float | None = None) -> None:
        super().__init__(inner.settings)
        self._inner = inner
        self._seconds = inner.settings.answer_seconds if seconds is None else seconds
        self._given_up: list[_Call] = []
        self._lock = threading.Lock()

    def rooted(self, path: str) -> str:
        return self._inner.rooted(path)

    def prove(self, path: str) -> None:
        self._bounded(lambda _: self._inner.prove(path))
        self.is_proved = True

    def read(self, path: str) -> bytes:
        def read(call: _Call) -> bytes:
            call.allow(files.size_of(self.rooted(path)))
            return self._inner.read(path)

        return self._bounded(read, changes=False)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        def read(_call: _Call) -> bytes:
            return self._inner.read_range(path, start, end)

        return self._bounded(read, end - start, changes=False)

    def size(self, path: str) -> int:
        return self._bounded(lambda _: self._inner.size(path), changes=False)

    def write(self, path: str, data: bytes) -> None:
        self._bounded(lambda _: self._inner.write(path, data), len(data))

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        size = sum(map(len, pieces))
        self._bounded(lambda _: self._inner.write_pieces(path, pieces), size)

    def create(self, path: str, data: bytes) -> None:
        self._bounded(lambda _: self._inner.create(path, data), len(data))

    def list(self, path: str) -> list[str]:
        return self._bounded(lambda _: self._inner.list(path), changes=False)

    def list_all(self, path: str) -> builtins.list[str]:
        return self._bounded(lambda _: self._inner.list_all(path), changes=False)

    def list_files(self, path: str) -> builtins.list[str]:
        return self._bounded(lambda _: self._inner.list_files(path), changes=False)

    def delete(self, path: str) -> None:
        self._bounded(lambda _: self._inner.delete(path))

    def remove_directory(self, path: str) -> None:
        self._bounded(lambda _: self._inner.remove_directory(path))

    def make_directory(self, path: str) -> None:
        self._bounded(lambda _: self._inner.make_directory(path))

    def _bounded(self, operation: Callable[[_Call], T], size: int = 0, changes: bool = True) -> T:
        self._await_given_up()
        call, ended = _Call(operation, self._seconds + size / BYTES_PER_SECOND), False
        try:
            ended = call.has_ended()
        finally:  # also where the wait is interrupted
            if not ended and changes:
                with self._lock:
                    self._given_up.append(call)
        if not ended:
            raise self._silent(f"it did not answer within {self._seconds:.0f} s")
        outcome: T = call.outcome()
        return outcome

    def _await_given_up(self) -> None:
        with self._lock:
            waiting = list(self._given_up)
        if not all(call.has_ended(LOOK_SECONDS) for call in waiting):
            raise self._silent("it still does not answer")
        with self._lock:
            self._given_up = [call for call in self._given_up if call not in waiting]

    def _silent(self, problem: str) -> StorageError:
        cure = "is its server up, and does it export this directory?"
        return StorageError(self.url, f"{problem}; {cure}")
