"""Single steps on the files of a directory that several machines share.

Each is about one thing that file systems do differently: a directory that cannot be synced, names
that an NFS client remembers as missing, a file that has no hard links.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import uuid
from collections.abc import Iterable

from hyn_k8s.search.file_errors import CANNOT_SYNC

_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{32}", re.DOTALL)


def partial_name(name: str) -> str:
    """What the file ``name`` is called, beside it, until it is whole."""
    return f".{name}.{uuid.uuid4().hex}"


def whole_name(name: str) -> str | None:
    """Of which file ``name`` is a ``partial_name``; None for any other name."""
    match = _PARTIAL.fullmatch(name)
    return match[1] if match else None


def read_file(path: str) -> bytes:
    """The bytes of the file at ``path``."""
    with open(path, "rb") as file:
        return file.read()


def size_of(path: str) -> int:
    """How many bytes the file at ``path`` has, as far as that is known; else 0."""
    with contextlib.suppress(OSError):
        return os.path.getsize(path)
    return 0


def read_range(path: str, start: int, end: int) -> bytes:
    """The bytes of the file at ``path`` from ``start`` up to ``end``."""
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(end - start)


def write_synced(path: str, pieces: Iterable[bytes | memoryview]) -> None:
    """Put ``pieces`` in the file ``path``, one after the other, and on the disk.

    It may be there: an NFS client whose request is sent again finds the file that it has made.
    """
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def create_unlinked(path: str, data: bytes) -> None:
    """Put ``data`` at ``path`` where nothing is, on a file system without hard links.

    Others may see the file before it is whole.

    Raises:
        FileExistsError: something is there.
    """
    with open(path, "xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(path)
            raise


def sync_directory(directory: str) -> None:
    """Let the names in ``directory`` outlast a power failure, as ``fsync`` lets a file's bytes."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def open_directories(directories: Iterable[str]) -> None:
    """Open each of ``directories``, the highest first, where that is possible.

    An NFS client keeps in memory, for up to a minute, that a name is missing. It asks the server
    again once the name's directory has changed, and opening it is what makes the client look.
    """
    for directory in directories:
        with contextlib.suppress(OSError):
            os.close(os.open(directory, os.O_RDONLY | os.O_DIRECTORY))


def names_at(path: str) -> list[str]:
    """All names in the directory ``path``; its own name if it is no directory.

    Raises:
        FileNotFoundError: nothing is there.
    """
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
        return [os.path.basename(path)]


def files_below(path: str, name: str) -> list[str]:
    """All files at or below ``path``, at any depth, as paths that begin with ``name``.

    Symbolic links are files. What is removed meanwhile may be among them or not.

    Raises:
        FileNotFoundError: nothing is there.
    """
    if name and (os.path.islink(path) or not os.path.isdir(path)):
        os.lstat(path)
        return [name]
    found = []
    with os.scandir(path) as entries:
        for entry in entries:
            below = f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    found += files_below(entry.path, below)
            else:
                found.append(below)
    return found


def is_same_file(one: str, other: str) -> bool:
    """Whether both are names of one file, and not of two with the same content."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(one), os.lstat(other))
    return False
