"""What a file system's errors mean for the user of a storage on it, and which of them may pass."""

from __future__ import annotations

import errno

from hyn_k8s.errors import StorageError
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

NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""How file systems without hard links (SMB shares are some) refuse to make one."""

CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}
"""How file systems refuse to sync a directory that need not do so, or cannot."""

NOT_REMOVED = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR}
"""How file systems say that a directory is in use: not empty, a mount point, a link to one."""


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
