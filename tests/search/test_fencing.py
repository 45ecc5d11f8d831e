"""A storage that is written while its driver drives the run, and not a moment longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stamina

from hyn_k8s.errors import RunTakenError, StorageError
from hyn_k8s.search.fencing import FencedStorage
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.patience import PatientStorage
from hyn_k8s.search.storage import Storage

TAKEN = RunTakenError("heart-1", "another driver has it")

CHANGES: dict[str, Callable[[Storage], None]] = {
    "write": lambda storage: storage.write("run/a", b"mine"),
    "create": lambda storage: storage.create("run/new", b"mine"),
    "delete": lambda storage: storage.delete("run/a"),
    "delete_all": lambda storage: storage.delete_all(["run/a"]),
    "make_directory": lambda storage: storage.make_directory("run/new"),
    "remove_directory": lambda storage: storage.remove_directory("run/empty"),
}


class Lease:
    """One that may be lost."""

    def __init__(self) -> None:
        self.is_held = True

    def require(self) -> None:
        if not self.is_held:
            raise TAKEN


@pytest.fixture
def lease() -> Lease:
    return Lease()


@pytest.fixture
def fenced(storage: FileStorage, lease: Lease) -> FencedStorage:
    storage.write("run/a", b"the other's")
    storage.make_directory("run/empty")
    return FencedStorage(storage, lease.require)


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_is_made_without_the_lease(
    name: str, fenced: FencedStorage, storage: FileStorage, lease: Lease
) -> None:
    lease.is_held = False
    with pytest.raises(RunTakenError):
        CHANGES[name](fenced)
    assert storage.list_all("run") == ["a", "empty"]
    assert storage.read("run/a") == b"the other's"
    lease.is_held = True
    CHANGES[name](fenced)


def test_whoever_reads_need_not_drive(fenced: FencedStorage, lease: Lease) -> None:
    lease.is_held = False
    assert fenced.read("run/a") == b"the other's"
    assert fenced.read_all(["run/a"]) == [b"the other's"]
    assert fenced.list("run") == fenced.list_all("run") == ["a", "empty"]
    assert fenced.list_files("run") == ["run/a"]


def test_a_write_that_is_tried_again_asks_again(storage: FileStorage, lease: Lease) -> None:
    """The network was away for longer than the lease, for this driver only."""

    class CutOff(FileStorage):
        def write(self, path: str, data: bytes) -> None:
            if lease.is_held:
                lease.is_held = False
                raise StorageError("/mnt", "away")
            super().write(path, data)

    storage.write("run/trials.csv", b"the other's")
    fenced = FencedStorage(CutOff(storage.settings), lease.require)
    with stamina.set_testing(True, attempts=3), pytest.raises(RunTakenError):
        PatientStorage(fenced, lambda _: None, patience=60.0).write("run/trials.csv", b"mine")
    assert storage.read("run/trials.csv") == b"the other's"
