"""The shared storage on a directory that every node sees at the same path.

A file is written aside, under a hidden name, and put in its place when it is whole and synced. What
a driver that is killed leaves of that is known by its name.

On NFS an answer may be about an earlier moment. A client whose server restarts sends a request
again that was carried out already, and hears that a name is gone, or is there: then what the
directory holds decides. And a name that it looked for too early it takes as missing for half a
minute: so nothing is missing before it was looked for twice.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from hyn_k8s.errors import StorageError
from hyn_k8s.search import files
from hyn_k8s.search.file_errors import NO_HARD_LINKS, NOT_REMOVED, file_error
from hyn_k8s.search.roots import Root, without_markers
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Piece, Storage

T = TypeVar("T")


class FileStorage(Storage):
    """A directory that every node sees at the same path.

    What was written outlasts a power failure: the file is synced, and then its directory.
    """

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self._root = Root(settings.root)

    def rooted(self, path: str) -> str:
        return os.path.join(self.settings.root, path)

    def prove(self, path: str) -> None:
        super().prove(path)
        with self._explained():
            self._root.mark()

    def size(self, path: str) -> int:
        missing = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with contextlib.suppress(FileNotFoundError), self._explained(), missing:
            return self._seen(path, os.path.getsize)
        return 0

    def read(self, path: str) -> bytes:
        return self._read(path, files.read_file)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        return self._read(path, lambda full: files.read_range(full, start, end))

    def _read(self, path: str, read: Callable[[str], bytes]) -> bytes:
        with self._explained():
            try:
                return self._seen(path, read)
            except (NotADirectoryError, IsADirectoryError) as error:
                raise FileNotFoundError(*error.args) from error

    def write(self, path: str, data: bytes) -> None:
        self._replace(path, [data], lambda: self._holds(path, data))

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        size = sum(map(len, pieces))
        self._replace(path, pieces, lambda: self.size(path) == size)

    def _replace(self, path: str, pieces: Sequence[Piece], is_there: Callable[[], bool]) -> None:
        with self._explained(writing=path), self._written_aside(path, pieces) as aside:
            try:
                os.replace(aside, self.rooted(path))
            except FileNotFoundError:
                if not is_there():
                    raise
            files.sync_directory(os.path.dirname(aside))

    def _holds(self, path: str, data: bytes) -> bool:
        """Whether ``data`` is at ``path``, though the call that puts it there was said to fail."""
        with contextlib.suppress(OSError):
            return self._seen(path, files.read_file) == data
        return False

    def create(self, path: str, data: bytes) -> None:
        full = self.rooted(path)
        with self._explained(creating=path), self._written_aside(path, [data]) as aside:
            try:
                os.link(aside, full)  # unlike rename, it refuses an existing name
            except FileExistsError:
                files.open_directories(self._above(path))
                if not files.is_same_file(aside, full):
                    raise
            except OSError as error:
                if error.errno not in NO_HARD_LINKS:
                    raise
                files.create_unlinked(full, data)
            files.sync_directory(os.path.dirname(aside))

    def list(self, path: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError), self._explained():
            return sorted(name for name in self._seen(path, os.listdir) if name[0] != ".")
        return []

    def list_all(self, path: str) -> builtins.list[str]:
        with contextlib.suppress(FileNotFoundError), self._explained():
            return self._without_marker(path, self._seen(path, files.names_at))
        return []

    def list_files(self, path: str) -> builtins.list[str]:
        with contextlib.suppress(FileNotFoundError), self._explained():
            found = self._seen(path, lambda full: files.files_below(full, path))
            return self._without_marker(path, found)
        return []

    def _without_marker(self, path: str, names: builtins.list[str]) -> builtins.list[str]:
        return sorted(names if path else without_markers(names))

    def delete(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._explained():
            try:
                self._seen(path, os.unlink)
            except (IsADirectoryError, NotADirectoryError):
                return

    def remove_directory(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._explained():
            try:
                self._seen(path, os.rmdir)
            except OSError as error:
                if error.errno not in NOT_REMOVED:
                    raise

    def make_directory(self, path: str) -> None:
        with self._explained(writing=path):
            self._make(self.rooted(path))

    def _make(self, directory: str) -> None:
        new, above = [], directory
        while not os.path.isdir(above) and above != os.path.dirname(above):
            new.append(above)
            above = os.path.dirname(above)
        try:
            os.makedirs(directory, exist_ok=True)
            for made in new:
                files.sync_directory(os.path.dirname(made))
        except FileExistsError as error:
            said = os.strerror(errno.ENOTDIR)
            raise NotADirectoryError(errno.ENOTDIR, said, directory) from error
        except FileNotFoundError as error:
            if os.path.isdir(self.settings.root):
                raise  # somebody takes away what is made
            self._recognize()
            raise file_error(self, error) from error

    @contextlib.contextmanager
    def _written_aside(self, path: str, pieces: Sequence[Piece]) -> Iterator[str]:
        """Bytes on disk beside their final name; the temporary name is gone afterwards."""
        directory, name = os.path.split(self.rooted(path))
        self._make(directory)
        aside = os.path.join(directory, files.partial_name(name))
        try:
            files.write_synced(aside, pieces)
            yield aside
        finally:
            with contextlib.suppress(OSError):  # what stays there is known by its name
                os.unlink(aside)

    def _seen(self, path: str, look: Callable[[str], T]) -> T:
        """What ``look`` returns, given the full name of ``path``; it looks twice before it fails.

        Another node may have made it, or put another file in its place, since this one last looked.
        """
        full = self.rooted(path)
        try:
            return look(full)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESTALE):
                raise
        files.open_directories(self._above(path))
        return look(full)

    def _above(self, path: str) -> Iterator[str]:
        """The directories above ``path``, from the one that the root is in."""
        yield os.path.dirname(self.settings.root)
        directory = self.settings.root
        yield directory
        for name in path.split("/")[:-1]:
            directory = os.path.join(directory, name)
            yield directory

    def _recognize(self) -> None:
        """Make sure that the root is the directory that it was."""
        try:
            self._root.require()
        except OSError as error:
            raise file_error(self, error) from error

    @contextlib.contextmanager
    def _explained(self, writing: str | None = None, creating: str | None = None) -> Iterator[None]:
        """Within, an OSError becomes what it means for the path that is looked at, or put there."""
        try:
            self._recognize()
            yield
            if not self._root.is_known:
                self._recognize()  # it was made just now
        except FileNotFoundError as error:
            self._recognize()
            put = writing or creating
            if put is None:
                raise
            raise StorageError(self.url, f"{put} was removed while it was being written") from error
        except FileExistsError as error:
            if creating is None:
                raise file_error(self, error) from error
            raise
        except OSError as error:
            raise file_error(self, error) from error
