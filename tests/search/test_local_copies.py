"""One copy on a machine for all its processes: whole or not there, and gone when nobody uses it."""

from __future__ import annotations

import os
import pathlib
import tempfile
import threading
from collections.abc import Callable, Sequence

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search import local_copies
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.local_copies import open_copy, remove_unused
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.site import Blob, write_blob

DATA = bytes(range(256)) * 1000


class Bucket(FileStorage):
    """Counts how often it is read; a read may be held, or fail."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(StorageSettings("file", str(root)))
        self.reads = 0
        self.before_read: Callable[[], None] = lambda: None

    def read_range(self, path: str, start: int, end: int) -> bytes:
        self.reads += 1
        self.before_read()
        return super().read_range(path, start, end)


@pytest.fixture
def copies(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The directory of copies."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(local_copies, "RANGE_BYTES", 100_000)
    return tmp_path / f"hyn-k8s-{os.getuid()}"


@pytest.fixture
def bucket(tmp_path: pathlib.Path) -> Bucket:
    return Bucket(tmp_path / "bucket")


@pytest.fixture
def blob(bucket: Bucket) -> Blob:
    return write_blob(bucket, "run/data", DATA)


def names(copies: pathlib.Path) -> Sequence[str]:
    return [each.name for each in copies.iterdir()]


def test_one_is_read_once_for_all(copies: pathlib.Path, bucket: Bucket, blob: Blob) -> None:
    with open_copy(bucket, blob) as one, open_copy(bucket, blob) as other:
        assert one.read(blob.size) == other.read(blob.size) == DATA
    assert bucket.reads == 3, "pieces"
    assert names(copies) == [blob.sha256]
    assert copies.stat().st_mode & 0o777 == 0o700
    assert (copies / blob.sha256).stat().st_mode & 0o777 == 0o600


def test_two_that_begin_at_once_share_it(copies: pathlib.Path, bucket: Bucket, blob: Blob) -> None:
    reading, going_on = threading.Event(), threading.Event()

    def hold() -> None:
        reading.set()
        assert going_on.wait(30)

    bucket.before_read = hold
    found: list[bytes] = []

    def use() -> None:
        with open_copy(bucket, blob) as file:
            found.append(file.read(blob.size))

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    assert reading.wait(30)
    remove_unused()
    going_on.set()
    for user in users:
        user.join()
    assert found == [DATA] * 3
    assert bucket.reads == 3
    assert names(copies) == [blob.sha256]


def test_one_in_use_stays_and_goes_afterwards(
    copies: pathlib.Path, bucket: Bucket, blob: Blob
) -> None:
    with open_copy(bucket, blob):
        remove_unused()
        assert names(copies) == [blob.sha256]
    remove_unused()
    assert names(copies) == []


@pytest.mark.parametrize("left", [b"", DATA[:1000], DATA, DATA[:-1], DATA + b".."])
def test_what_a_killed_process_left_is_made_anew(
    copies: pathlib.Path, bucket: Bucket, blob: Blob, left: bytes
) -> None:
    copies.mkdir(mode=0o700)
    (copies / blob.sha256).write_bytes(left)
    with open_copy(bucket, blob) as file:
        assert file.read(blob.size) == DATA


def test_a_read_that_fails_leaves_no_half_copy(
    copies: pathlib.Path, bucket: Bucket, blob: Blob
) -> None:
    def fail() -> None:
        if bucket.reads == 2:
            raise StorageError("s3://bucket", "it is away")

    bucket.before_read = fail
    with pytest.raises(StorageError):
        open_copy(bucket, blob)
    with open_copy(bucket, blob) as file:
        assert file.read(blob.size) == DATA


def test_bytes_that_were_changed_on_the_way_are_refused(
    copies: pathlib.Path, bucket: Bucket, blob: Blob
) -> None:
    bucket.write("run/data", bytes(len(DATA)))
    with pytest.raises(StorageError, match="run/data is not as it was written"):
        open_copy(bucket, blob)


def test_a_directory_of_somebody_else_is_not_used(
    copies: pathlib.Path, bucket: Bucket, blob: Blob
) -> None:
    elsewhere = copies.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    copies.symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="is not this user's own"):
        open_copy(bucket, blob)
    copies.unlink()
    copies.mkdir(mode=0o755)
    copies.chmod(0o777)
    with pytest.raises(PermissionError):
        open_copy(bucket, blob)


def test_files_of_other_names_are_let_alone(copies: pathlib.Path) -> None:
    copies.mkdir()
    (copies / "notes.txt").write_text("mine")
    remove_unused()
    assert names(copies) == ["notes.txt"]


def test_nothing_to_remove_makes_no_directory(copies: pathlib.Path) -> None:
    remove_unused()
    assert not copies.exists()
