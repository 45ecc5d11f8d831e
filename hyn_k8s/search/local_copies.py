"""Copies of large files of a bucket on this machine, one for all its processes.

They lie in a directory of the user's own below the machine's temporary directory. A copy is named
by its content, and locked (``flock``) by each process that has it: exclusively while it is made,
shared while it is used. So nobody uses half a copy, and one that nobody has locked can go, whoever
made it and however that ended. A mark after its last byte says that a copy is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from hyn_k8s.errors import StorageError
from hyn_k8s.search.site import Blob
from hyn_k8s.search.storage import Storage

RANGE_BYTES = 64 * 1024 * 1024
"""How much is read from the bucket at a time."""

_MARK = b"."
_NAME = re.compile(r"[0-9a-f]{64}")


def open_copy(storage: Storage, blob: Blob) -> BinaryIO:
    """The copy of ``blob``, locked until what is returned is closed; made if there is none.

    Raises:
        OSError: this machine has no place for it.
        StorageError: the bucket does not give it.
    """
    path = _make_directory() / blob.sha256
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with contextlib.ExitStack() as closed:
            file = closed.enter_context(open(number, "r+b"))
            fcntl.flock(file, fcntl.LOCK_SH)
            if not _is_whole(file, blob):
                fcntl.flock(file, fcntl.LOCK_EX)  # lets others have it first that wait for that
            if not _is_at(path, file):
                continue  # it was removed before it was locked
            if not _is_whole(file, blob):
                _fill(file, storage, blob)
            fcntl.flock(file, fcntl.LOCK_SH)
            file.seek(0)
            closed.pop_all()
            return file


def remove_unused() -> None:
    """Remove each copy that no process uses."""
    with contextlib.suppress(OSError):
        for path in _directory().iterdir():
            if not _NAME.fullmatch(path.name):
                continue
            with contextlib.suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, file):
                    path.unlink()


def _directory() -> pathlib.Path:
    return pathlib.Path(tempfile.gettempdir(), f"hyn-k8s-{os.getuid()}")


def _make_directory() -> pathlib.Path:
    """The user's own directory, made if it is missing.

    Raises:
        OSError: it cannot be made, or its name is somebody else's.
    """
    directory = _directory()
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not this user's own")
    return directory


def _is_at(path: pathlib.Path, file: BinaryIO) -> bool:
    """Whether ``file`` is still the one that is at ``path``."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    return False


def _is_whole(file: BinaryIO, blob: Blob) -> bool:
    return os.fstat(file.fileno()).st_size == blob.size + len(_MARK)


def _fill(file: BinaryIO, storage: Storage, blob: Blob) -> None:
    file.truncate(0)
    if shutil.disk_usage(file.fileno()).free < blob.size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        digest = hashlib.sha256()
        for piece in read_pieces(storage, blob):
            digest.update(piece)
            file.write(piece)
        if digest.hexdigest() != blob.sha256:
            raise StorageError(storage.url, f"{blob.path} is not as it was written")
        file.flush()
        os.fsync(file.fileno())
        file.write(_MARK)
        file.flush()
    except BaseException:
        os.ftruncate(file.fileno(), 0)
        raise


def read_pieces(storage: Storage, blob: Blob) -> Iterator[bytes]:
    """The bytes of ``blob``, RANGE_BYTES at a time."""
    for start in range(0, blob.size, RANGE_BYTES):
        yield storage.read_range(blob.path, start, min(start + RANGE_BYTES, blob.size))
