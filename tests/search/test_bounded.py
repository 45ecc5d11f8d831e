"""A directory that does not answer: each call is given up, and none is overtaken by an earlier one.

``tests/nfs`` has the same on a real mount whose export is withdrawn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search import bounded
from hyn_k8s.search.bounded import BoundedStorage
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.settings import StorageSettings
from tests.waiting import until

BOUND = 0.2


class Hanging(FileStorage):
    """A directory whose calls wait in the kernel while it is ``away``."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.back = threading.Event()
        self.back.set()

    def _recognize(self) -> None:
        self.back.wait()
        super()._recognize()


@pytest.fixture
def directory(storage: FileStorage) -> Iterator[Hanging]:
    made = Hanging(storage.settings)
    yield made
    made.back.set()


@pytest.fixture
def patched(directory: Hanging, monkeypatch: pytest.MonkeyPatch) -> BoundedStorage:
    monkeypatch.setattr(bounded, "LOOK_SECONDS", 0.05)
    storage = BoundedStorage(directory, BOUND)
    storage.prove("proof")
    return storage


def test_every_call_is_given_up(patched: BoundedStorage, directory: Hanging) -> None:
    calls: list[Callable[[BoundedStorage], object]] = [
        lambda storage: storage.read("run/a"),
        lambda storage: storage.read_present(["run/a"]),
        lambda storage: storage.write("run/a", b"1"),
        lambda storage: storage.create("run/b", b"1"),
        lambda storage: storage.list("run"),
        lambda storage: storage.list_all("run"),
        lambda storage: storage.list_files("run"),
        lambda storage: storage.delete("run/a"),
        lambda storage: storage.delete_all(["run/a"]),
        lambda storage: storage.remove_directory("run"),
        lambda storage: storage.make_directory("run"),
        lambda storage: storage.prove("proof"),
    ]
    directory.back.clear()
    for call in calls:
        with pytest.raises(StorageError, match="it did not answer within 0 s; is its") as caught:
            call(BoundedStorage(directory, BOUND))
        assert caught.value.retry


def test_a_call_that_was_given_up_comes_before_later_ones(
    patched: BoundedStorage, directory: Hanging
) -> None:
    directory.back.clear()
    with pytest.raises(StorageError, match="it did not answer"):
        patched.write("run/a", b"given up")
    for _ in range(3):
        with pytest.raises(StorageError, match="it still does not answer"):
            patched.write("run/a", b"too early")
    threads = threading.active_count()
    directory.back.set()

    def written() -> bool:
        try:
            patched.write("run/a", b"later")
        except StorageError:
            return False
        return True

    until(written, "an answer", 10)
    assert patched.read("run/a") == b"later"
    assert threading.active_count() < threads


def test_what_it_raises_is_what_the_directory_raises(patched: BoundedStorage) -> None:
    with pytest.raises(FileNotFoundError):
        patched.read("run/absent")
    patched.create("run/a", b"1")
    with pytest.raises(FileExistsError):
        patched.create("run/a", b"2")


def test_a_large_file_has_longer(
    patched: BoundedStorage, directory: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So much longer that this one is read and written while the directory comes back."""
    data = b"x" * 100_000
    monkeypatch.setattr(bounded, "BYTES_PER_SECOND", 5_000.0)
    patched.write("run/a", data)
    for call in (lambda: patched.write("run/a", data), lambda: patched.read("run/a")):
        directory.back.clear()
        threading.Timer(BOUND * 3, directory.back.set).start()
        call()


def test_at_the_end_of_the_process_a_call_is_made_all_the_same(
    patched: BoundedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refused)
    patched.write("run/a", b"1")
    assert patched.read("run/a") == b"1"


def test_a_directory_is_opened_with_a_bound(storage: FileStorage) -> None:
    assert isinstance(open_storage(storage.settings), BoundedStorage)
    seconds = [StorageSettings("file", "/r", patience=p).answer_seconds for p in (0, 20, 120)]
    assert seconds == [10, 20, 30]
