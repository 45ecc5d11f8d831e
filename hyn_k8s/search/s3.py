"""The shared storage in a bucket of any S3-compatible endpoint, and what S3's errors mean.

By way of s3fs, which caches listings and connects lazily; neither is wanted here, and its errors
come in three kinds. An error's code, S3's own or the client's name for it, decides what a user
is told, and whether it may pass: an endpoint that is away comes back, wrong keys do not.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from hyn_k8s import contract
from hyn_k8s.errors import StorageError
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Piece, Storage

CONNECT_SECONDS = 10
ANSWER_SECONDS = 20

_MOST_IN_A_REQUEST = 1000
"""How many objects S3 deletes at once."""

_PART_BYTES = 64 * 1024 * 1024
"""How much of a large object is sent at once; S3 takes 10,000 parts, the least of 5 MiB."""

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
_UNKNOWN = {"NotImplemented", "501"}
_LASTING_CODES = {*_REJECTED, *_DENIED, "NoCredentialsError", "NoSuchBucket"}

_CONDITIONAL_WRITES = (
    "conditional writes (PutObject with If-None-Match: *), without which two drivers may have "
    "one run; use a server that has them, such as Amazon S3, MinIO or versitygw"
)


class S3Storage(Storage):
    """A bucket, or a prefix in one, of any S3-compatible endpoint."""

    exclusive_feature = _CONDITIONAL_WRITES

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

    def read_range(self, path: str, start: int, end: int) -> bytes:
        with self._explained():
            return cast(bytes, self._fs.cat_file(self.rooted(path), start=start, end=end))

    def size(self, path: str) -> int:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            return int(self._fs.info(self.rooted(path), refresh=True)["size"] or 0)
        return 0

    def read_present(self, paths: Sequence[str]) -> dict[str, bytes]:
        """All at once: one after the other, each would cost a round trip."""
        with self._explained():
            rooted = [self.rooted(path) for path in paths]
            # Not cat, which takes a key for a pattern.
            answers = self._fs.cat_ranges(rooted, None, None) if rooted else []
            for answer in answers:
                if isinstance(answer, Exception) and not isinstance(answer, FileNotFoundError):
                    raise answer
        read = zip(paths, answers, strict=True)
        return {path: answer for path, answer in read if isinstance(answer, bytes)}

    def write(self, path: str, data: bytes) -> None:
        with self._explained():
            self._fs.pipe_file(self.rooted(path), data)

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        """In parts, which become an object when the last one is there."""
        parts = _parts(pieces)
        if len(parts) < 2:
            return self.write(path, b"".join(pieces))
        bucket, _, key = self.rooted(path).partition("/")
        names = {"Bucket": bucket, "Key": key}
        with self._explained():
            names["UploadId"] = self._fs.call_s3("create_multipart_upload", **names)["UploadId"]
            try:
                done = []
                for number, part in enumerate(parts, start=1):
                    body = b"".join(part)
                    sent = self._fs.call_s3("upload_part", **names, PartNumber=number, Body=body)
                    done.append({"PartNumber": number, "ETag": sent["ETag"]})
                upload = {"MultipartUpload": {"Parts": done}}
                self._fs.call_s3("complete_multipart_upload", **names, **upload)
            except BaseException:
                with contextlib.suppress(Exception):  # the first error is the one to tell
                    self._fs.call_s3("abort_multipart_upload", **names)
                raise

    def create(self, path: str, data: bytes) -> None:
        with self._explained(needs=_CONDITIONAL_WRITES):
            self._fs.pipe_file(self.rooted(path), data, mode="create")

    def list(self, path: str) -> list[str]:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            rooted = self.rooted(path).rstrip("/")
            found = self._fs.ls(rooted, detail=False, refresh=True)
            # Consoles mark an empty directory by an object of its name and a slash.
            below = {name.rstrip("/") for name in found if name != f"{rooted}/"}
            return sorted(name.rpartition("/")[2] for name in below)
        return []

    def list_all(self, path: str) -> builtins.list[str]:
        return self.list(path)

    def list_files(self, path: str) -> builtins.list[str]:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            found = self._fs.find(self.rooted(path))
            above = self.rooted("")
            return sorted(name.removeprefix(above) for name in found if name.startswith(above))
        return []

    def delete(self, path: str) -> None:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self.rooted(path))

    def delete_all(self, paths: Sequence[str]) -> None:
        """A thousand in a request. Not by rm, which takes a key for a pattern."""
        for first in range(0, len(paths), _MOST_IN_A_REQUEST):
            some = paths[first : first + _MOST_IN_A_REQUEST]
            bucket = self.settings.root.partition("/")[0]
            keys = [{"Key": self.rooted(path).partition("/")[2]} for path in some]
            with self._explained():
                answer = self._fs.call_s3(
                    "delete_objects", Bucket=bucket, Delete={"Objects": keys, "Quiet": True}
                )
            for refused in answer.get("Errors", []):
                raise s3_error(self, refused.get("Code") or "unknown")

    def remove_directory(self, path: str) -> None:
        """Nothing to do: S3 has no directories."""

    def make_directory(self, path: str) -> None:
        """Nothing to do: S3 has no directories."""

    @contextlib.contextmanager
    def _explained(self, needs: str = "") -> Iterator[None]:
        """Within, errors of s3fs are ours; ``needs`` is what a server may not know."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except (OSError, BotoCoreError, ClientError) as error:
            code = s3_code(error)
            if code == "PreconditionFailed":
                raise FileExistsError(code) from error
            if needs and code in _UNKNOWN:
                raise StorageError(self.url, f"it lacks {needs}", lasting=True) from error
            raise s3_error(self, code) from error
        except TypeError as error:
            # s3fs connects at the first request, and only then looks at its options; the
            # message has the option's name, which is all that may be told of them.
            problem = f"s3fs refuses {contract.STORAGE_OPTIONS.name}: {error}"
            raise StorageError(self.url, problem, True) from None


def _parts(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """``pieces`` in parts of _PART_BYTES, and of what is left in the last."""
    parts: list[list[Piece]] = [[]]
    room = _PART_BYTES
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if not room:
                parts.append([])
                room = _PART_BYTES
            parts[-1].append(view[:room])
            room, view = room - len(view[:room]), view[room:]
    return parts


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
