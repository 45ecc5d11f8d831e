"""A storage that is away for a while ends nothing; one that stays away, or is refused, is told."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import stamina

from hyn_k8s.errors import StorageError
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.patience import PatientStorage, patiently
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Storage

T = TypeVar("T")

AWAY = StorageError("/mnt", "its mount is not connected")
REFUSED = StorageError("/mnt", "the credentials were rejected", lasting=True)

OPERATIONS: dict[str, Callable[[Storage], Any]] = {
    "read": lambda storage: storage.read("run/a"),
    "read_all": lambda storage: storage.read_all(["run/a", "run/b"]),
    "write": lambda storage: storage.write("run/a", b"new"),
    "create": lambda storage: storage.create("run/c", b"new"),
    "list": lambda storage: storage.list("run"),
    "delete": lambda storage: storage.delete("run/a"),
    "delete_all": lambda storage: storage.delete_all(["run/a", "run/b"]),
    "make_directory": lambda storage: storage.make_directory("run/models"),
}


class Fragile(FileStorage):
    """A directory that fails as often as a test wants, before or after it has done its work."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.error = AWAY
        self.failures = 0
        self.done_before = False
        self.tries = 0

    def read(self, path: str) -> bytes:
        return self._fragile(lambda: FileStorage.read(self, path))

    def write(self, path: str, data: bytes) -> None:
        self._fragile(lambda: FileStorage.write(self, path, data))

    def create(self, path: str, data: bytes) -> None:
        self._fragile(lambda: FileStorage.create(self, path, data))

    def list(self, path: str) -> list[str]:
        return self._fragile(lambda: FileStorage.list(self, path))

    def delete(self, path: str) -> None:
        self._fragile(lambda: FileStorage.delete(self, path))

    def make_directory(self, path: str) -> None:
        self._fragile(lambda: FileStorage.make_directory(self, path))

    def _fragile(self, work: Callable[[], T]) -> T:
        self.tries += 1
        if self.failures:
            self.failures -= 1
            if self.done_before:
                work()
            raise self.error
        return work()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def inner(tmp_path: pathlib.Path) -> Fragile:
    made = Fragile(StorageSettings("file", str(tmp_path / "root"), patience=60.0))
    made.write("run/a", b"one")
    made.write("run/b", b"two")
    made.tries = 0
    return made


@pytest.fixture
def patient(inner: Fragile, told: list[str]) -> PatientStorage:
    return PatientStorage(inner, told.append)


@pytest.fixture
def hurry() -> Iterator[None]:
    """Without the pauses between tries, of which there may be ten."""
    with stamina.set_testing(True, attempts=10):
        yield


def everything(storage: Storage) -> dict[str, bytes]:
    return {name: storage.read(f"run/{name}") for name in storage.list("run") if name != "models"}


@pytest.mark.usefixtures("hurry")
class TestOneThatComesBack:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_every_operation_is_tried_until_it_works(
        self, name: str, patient: PatientStorage, inner: Fragile, tmp_path: pathlib.Path
    ) -> None:
        other = FileStorage(StorageSettings("file", str(tmp_path / "other")))
        for path, data in (("run/a", b"one"), ("run/b", b"two")):
            other.write(path, data)
        expected = OPERATIONS[name](other)
        inner.failures = 3
        assert OPERATIONS[name](patient) == expected
        assert inner.failures == 0
        assert everything(inner) == everything(other)

    def test_the_first_failure_of_an_operation_is_told(
        self, patient: PatientStorage, inner: Fragile, told: list[str]
    ) -> None:
        inner.failures = 3
        patient.read("run/a")
        sentence = "storage /mnt: its mount is not connected; trying again for 60 s"
        assert told == [sentence]
        inner.failures = 1
        patient.read("run/a")
        assert told == [sentence, sentence]

    def test_what_works_at_once_is_not_told(
        self, patient: PatientStorage, inner: Fragile, told: list[str]
    ) -> None:
        assert patient.read("run/a") == b"one"
        assert (told, inner.tries) == ([], 1)

    def test_a_file_whose_creation_was_not_answered_is_its_own(
        self, patient: PatientStorage, inner: Fragile
    ) -> None:
        """The server made it, and the connection broke before it could say so."""
        inner.failures, inner.done_before = 1, True
        patient.create("run/c", b"mine")
        assert inner.read("run/c") == b"mine"

    def test_but_not_one_that_another_made_meanwhile(
        self, patient: PatientStorage, inner: Fragile, tmp_path: pathlib.Path
    ) -> None:
        class Crowded(Fragile):
            def create(self, path: str, data: bytes) -> None:
                if self.failures:
                    FileStorage.create(self, path, b"another's")
                super().create(path, data)

        crowded = Crowded(inner.settings)
        crowded.failures = 1
        with pytest.raises(FileExistsError):
            PatientStorage(crowded, print).create("run/c", b"mine")
        assert crowded.read("run/c") == b"another's"


@pytest.mark.usefixtures("hurry")
class TestWhatIsNotWaitedFor:
    def test_what_only_a_user_can_mend(
        self, patient: PatientStorage, inner: Fragile, told: list[str]
    ) -> None:
        inner.failures, inner.error = 1, REFUSED
        with pytest.raises(StorageError, match="the credentials were rejected"):
            patient.read("run/a")
        assert (inner.tries, told) == (1, [])

    def test_a_file_that_is_not_there(self, patient: PatientStorage, inner: Fragile) -> None:
        with pytest.raises(FileNotFoundError):
            patient.read("run/none")
        assert inner.tries == 1

    def test_a_file_that_is_there(self, patient: PatientStorage, inner: Fragile) -> None:
        with pytest.raises(FileExistsError):
            patient.create("run/a", b"of another process")
        assert inner.tries == 2  # the second one looked whose it is

    def test_anything_when_the_storage_is_known_to_be_away(
        self, patient: PatientStorage, inner: Fragile, told: list[str]
    ) -> None:
        inner.failures = 2
        with patient.impatience(), pytest.raises(StorageError):
            patient.read("run/a")
        assert (inner.tries, told) == (1, [])
        assert patient.read("run/a") == b"one"
        assert len(told) == 1

    def test_anything_where_no_patience_is_wanted(self, inner: Fragile, told: list[str]) -> None:
        inner.settings = dataclasses.replace(inner.settings, patience=0.0)
        inner.failures = 1
        with pytest.raises(StorageError):
            PatientStorage(inner, told.append).read("run/a")
        assert (inner.tries, told) == (1, [])


class TestOneThatStaysAway:
    def test_the_last_error_says_so(self, inner: Fragile) -> None:
        inner.settings = dataclasses.replace(inner.settings, patience=0.3)
        inner.failures = 1000
        with pytest.raises(StorageError) as caught:
            PatientStorage(inner, print).read("run/a")
        assert caught.value is AWAY
        assert 1 <= inner.tries < 1000

    def test_so_it_is_with_a_trial_that_needs_it(self) -> None:
        tries = []

        def trial() -> None:
            tries.append(1)
            raise AWAY

        with pytest.raises(StorageError):
            patiently(trial, 0.3)
        assert tries

    def test_a_trials_own_error_is_its_own(self) -> None:
        tries = []

        def trial() -> None:
            tries.append(1)
            raise ValueError("not the storage's doing")

        with pytest.raises(ValueError, match="not the storage's doing"):
            patiently(trial, 60.0)
        assert len(tries) == 1


def test_it_is_the_same_place(patient: PatientStorage, inner: Fragile) -> None:
    assert (patient.url, patient.rooted("run/a")) == (inner.url, inner.rooted("run/a"))
    patient.prove("run/proof")
    assert inner.list("run") == ["a", "b"]


PROGRAM = """
from hyn_k8s.errors import StorageError
from hyn_k8s.search.patience import patiently
tries = iter([StorageError("/mnt", "away")])
def operation():
    for error in tries:
        raise error
patiently(operation, 60.0)
"""


@pytest.mark.processes
def test_waiting_is_told_in_our_words_only() -> None:
    """Where nobody has configured logging, Python writes warnings to standard error."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("", "")
