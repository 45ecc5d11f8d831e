"""The shared storage in a bucket of any S3-compatible endpoint, and what S3's errors mean.

By way of s3fs, which caches listings and connects lazily; neither is wanted here, and its errors
come in three kinds. An error's code, S3's own or the client's name for it, decides what a user
is told, and whether it may pass: an endpoint that is away comes back, wrong keys do not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from hyn_k8s import contract
from hyn_k8s.errors import StorageError
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Storage

CONNECT_SECONDS = 10
ANSWER_SECONDS = 20

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


class S3Storage(Storage):
    """A bucket, or a prefix in one, of any S3-compatible endpoint."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self._fs = s3_filesystem(settings)
        self._fs.retries = 1  # whoever is patient is so for as long as the settings say

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
            raise s3_error(self, code) from error
        except TypeError as error:
            # s3fs connects at the first request, and only then looks at its options; the
            # message has the option's name, which is all that may be told of them.
            problem = f"s3fs refuses {contract.STORAGE_OPTIONS.name}: {error}"
            raise StorageError(self.url, problem, True) from None


def s3_filesystem(settings: StorageSettings) -> Any:
    """A fresh s3fs file system for ``settings`` that keeps no listings.

    It gives up a request that nobody answers after ANSWER_SECONDS, where botocore would try five
    times for a minute each, and s3fs that again five times.
    """
    import s3fs

    options = {**settings.options, "use_listings_cache": False, "skip_instance_cache": True}
    patience = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": ANSWER_SECONDS,
        "retries": {"max_attempts": 1},
    }
    options["config_kwargs"] = {**patience, **options.get("config_kwargs", {})}
    keys = settings.credentials
    if keys is not None:
        options.update(key=keys.access_key, secret=keys.secret_key, token=keys.session_token)
    return s3fs.S3FileSystem(**options)


def s3_code(error: Exception) -> str:
    """The S3 error code behind an error of s3fs or botocore, else the error's own name."""
    cause = error.__cause__ or error
    response = getattr(cause, "response", None) or {}
    code = response.get("Error", {}).get("Code", "")
    return code or type(cause).__name__


def is_s3_away(error: Exception) -> bool:
    """Whether an error of s3fs or botocore says that the endpoint is away or overloaded."""
    return s3_code(error) in _AWAY


def s3_error(storage: Storage, code: str) -> StorageError:
    """The error that an S3 error code, or the name of a client's error, stands for."""
    is_lasting = code in _LASTING_CODES and not storage.is_proved
    return StorageError(storage.url, _problem(code), is_lasting)


def _problem(code: str) -> str:
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
    if code == "SSLError":
        cure = (
            f"name those who signed it by client_kwargs.verify in {contract.STORAGE_OPTIONS.name}"
        )
        return f"the endpoint's certificate is not trusted ({code}); {cure}"
    return f"the request failed ({code})"
