"""Whether the directory at a storage's root is still the one that it was.

Where a mount is lost, an empty directory, or none, is left at its path, or another file system is
mounted there. What is written there would be lost when the mount comes back, and all that was
written before would seem to be missing.

Neither number of a directory tells two file systems apart: the root of every ext4 has the same
inode, and the device of an NFS mount is a free number, which the next mount may get. So a process
that writes recognizes the root by a file in it whose name is like no other's. It never changes, so
a process that finds one takes that; where two make one at the same time both stay, and either will
do. Who only reads makes none, and goes by the inode.
"""

from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Sequence

from hyn_k8s.errors import StorageError

_MARKER = re.compile(r"\.hyn-k8s-root-[0-9a-f]{32}")

_TEXT = b"""hyn-k8s recognizes this directory by the name of this file.
It may be removed while no search runs.
"""

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


def without_markers(names: Sequence[str]) -> list[str]:
    """Those of the ``names`` in a root that mark no root."""
    return [name for name in names if not _MARKER.fullmatch(name)]


class Root:
    """The directory ``path`` as it was when this process first saw it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._inode: int | None = None
        self._marker: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it has been there."""
        return self._inode is not None

    def mark(self) -> None:
        """Recognize the directory, which is there, by its marker from now on.

        One is made where there is none. Where this user may not, the inode has to do.

        Raises:
            OSError: it cannot be listed, or a file cannot be made for another reason.
        """
        if self._marker is not None:
            return
        there = [name for name in sorted(os.listdir(self._path)) if _MARKER.fullmatch(name)]
        marker = there[0] if there else f".hyn-k8s-root-{uuid.uuid4().hex}"
        try:
            if not there:
                with open(os.path.join(self._path, marker), "wb") as file:
                    file.write(_TEXT)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
        else:
            self._marker = marker

    def require(self) -> None:
        """Make sure that the directory is the one it was, or is not there yet. Costs one stat.

        Raises:
            StorageError: another directory is there now, or nothing.
            OSError: nobody can tell.
        """
        if self._marker is not None:
            try:
                os.stat(os.path.join(self._path, self._marker))
            except FileNotFoundError:
                left = "another directory" if os.path.isdir(self._path) else "nothing"
                raise self._lost(f"{left} is there now, without {self._marker}") from None
            return
        known = self._inode  # first: another thread may make the directory meanwhile
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            inode = None
        if known is None:
            self._inode = inode
        elif inode != known:
            left = "nothing" if inode is None else "another directory"
            raise self._lost(f"{left} is there now")

    def _lost(self, what: str) -> StorageError:
        return StorageError(self._path, f"{what}; is it still mounted?")
