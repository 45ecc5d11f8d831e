"""The shared storage on a directory that every node sees at the same path, and its errors' meaning.

A file is written aside, under a hidden name, and put in its place when it is whole and synced. What
a driver that is killed leaves of that is known by its name.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import re
import uuid
from collections.abc import Iterator

from hyn_k8s.errors import StorageError
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Storage

REMEDIES = {
    errno.ENOSPC: "no space is left on it; free some and run again",
    errno.EDQUOT: "its quota is used up; free some space and run again",
    errno.EROFS: "it is mounted read-only; mount it writable or choose another",
    errno.EACCES: "this user may not write there; change its owner or choose another",
    errno.EPERM: "this user may not write there; change its owner or choose another",
    errno.ESTALE: "its mount has gone stale; mount it again",
    errno.EIO: "it failed to read or write; see the system's log",
    errno.ENOENT: "no directory can be made there; choose another",
    errno.ENOTDIR: "a part of the path is a file; choose a directory",
    errno.ENOTCONN: "its mount is not connected; mount it again",
}
"""What a failing file system means for a user, by errno."""


_LASTING = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR}
"""What nobody but the user mends, where it was so from the beginning."""

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""How file systems without hard links (SMB shares are some) refuse to make one."""


_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}
"""How file systems refuse to sync a directory that need not do so, or cannot."""

_NOT_REMOVED = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR}
"""How file systems say that a directory is in use: not empty, a mount point, a link to one."""

_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{32}", re.DOTALL)


def partial_name(name: str) -> str:
    """What the file ``name`` is called, beside it, until it is whole."""
    return f".{name}.{uuid.uuid4().hex}"


def whole_name(name: str) -> str | None:
    """Of which file ``name`` is a ``partial_name``; None for any other name."""
    match = _PARTIAL.fullmatch(name)
    return match[1] if match else None


class FileStorage(Storage):
    """A directory that every node sees at the same path.

    What was written outlasts a power failure: the file is synced, and then its directory.

    Where a mount is lost an empty directory, or none, is left at its path. What is written there
    would be lost when the mount comes back, so the directory is recognized by its inode, which a
    file system keeps when it is mounted again.
    """

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self._inode: int | None = None

    def rooted(self, path: str) -> str:
        return os.path.join(self.settings.root, path)

    def read(self, path: str) -> bytes:
        with self._explained():
            try:
                with open(self.rooted(path), "rb") as file:
                    return file.read()
            except (NotADirectoryError, IsADirectoryError) as error:
                raise FileNotFoundError(*error.args) from error

    def write(self, path: str, data: bytes) -> None:
        with self._explained(), self._written_aside(path, data) as aside:
            try:
                os.replace(aside, self.rooted(path))
            except FileNotFoundError as error:
                self._recognize()
                raise self._removed(path) from error
            _sync_directory(os.path.dirname(aside))

    def create(self, path: str, data: bytes) -> None:
        with self._explained(), self._written_aside(path, data) as aside:
            try:
                os.link(aside, self.rooted(path))  # unlike rename, it refuses an existing name
            except FileNotFoundError as error:
                self._recognize()
                raise self._removed(path) from error
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                with open(self.rooted(path), "xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            _sync_directory(os.path.dirname(aside))

    def _removed(self, path: str) -> StorageError:
        """What is told where a file was removed while it was being written, or its directory."""
        return StorageError(self.url, f"{path} was removed while it was being written")

    def list(self, path: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError), self._explained():
            return sorted(name for name in os.listdir(self.rooted(path)) if name[0] != ".")
        return []

    def list_all(self, path: str) -> builtins.list[str]:
        full = self.rooted(path)
        with self._explained():
            try:
                return sorted(os.listdir(full))
            except (FileNotFoundError, NotADirectoryError):
                return [os.path.basename(full)] if os.path.lexists(full) else []

    def list_files(self, path: str) -> builtins.list[str]:
        found: builtins.list[str] = []
        full = self.rooted(path)
        with self._explained():
            if path and (os.path.islink(full) or not os.path.isdir(full)):
                return [path] if os.path.lexists(full) else []
            with contextlib.suppress(FileNotFoundError):
                self._collect(path, found)
        return sorted(found)

    def _collect(self, path: str, found: builtins.list[str]) -> None:
        with os.scandir(self.rooted(path)) as entries:
            for entry in entries:
                below = f"{path}/{entry.name}" if path else entry.name
                if entry.is_dir(follow_symlinks=False):
                    self._collect(below, found)
                else:
                    found.append(below)

    def delete(self, path: str) -> None:
        absent = contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError)
        with self._explained(), absent:
            os.unlink(self.rooted(path))

    def remove_directory(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._explained():
            try:
                os.rmdir(self.rooted(path))
            except OSError as error:
                if error.errno not in _NOT_REMOVED:
                    raise

    def make_directory(self, path: str) -> None:
        with self._explained():
            self._make(self.rooted(path))

    def _make(self, directory: str) -> None:
        new, above = [], directory
        while not os.path.isdir(above) and above != os.path.dirname(above):
            new.append(above)
            above = os.path.dirname(above)
        try:
            os.makedirs(directory, exist_ok=True)
            for made in new:
                _sync_directory(os.path.dirname(made))
        except FileNotFoundError as error:
            if os.path.isdir(self.settings.root):
                raise  # somebody takes away what is made
            self._recognize()
            raise file_error(self, error) from error

    @contextlib.contextmanager
    def _written_aside(self, path: str, data: bytes) -> Iterator[str]:
        """Bytes on disk beside their final name; the temporary name is gone afterwards."""
        directory, name = os.path.split(self.rooted(path))
        self._make(directory)
        aside = os.path.join(directory, partial_name(name))
        try:
            with open(aside, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield aside
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            self._recognize()
            yield
            if self._inode is None:
                self._recognize()  # it was made just now
        except FileExistsError:
            raise
        except FileNotFoundError:
            self._recognize()
            raise
        except OSError as error:
            raise file_error(self, error) from error

    def _recognize(self) -> None:
        known = self._inode  # first: another thread may make the directory meanwhile
        try:
            inode = os.stat(self.settings.root).st_ino
        except FileNotFoundError:
            inode = None
        if known is None:
            self._inode = inode
        elif inode != known:
            left = "nothing" if inode is None else "another directory"
            raise StorageError(self.url, f"{left} is there now; is it still mounted?")


def _sync_directory(directory: str) -> None:
    """Let the names in ``directory`` outlast a power failure, as ``fsync`` lets a file's bytes."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def file_error(storage: Storage, error: OSError) -> StorageError:
    """What an OSError of a file system means to a user of ``storage``."""
    number = error.errno or 0
    remedy = REMEDIES.get(number, "")
    reason = error.strerror or type(error).__name__
    if number in errno.errorcode:
        reason += f" ({errno.errorcode[number]})"  # by which one finds it on the web
    problem = f"{reason}: {remedy}" if remedy else reason
    is_lasting = error.errno in _LASTING and not storage.is_proved
    return StorageError(storage.url, problem, is_lasting)
