"""A file of another node is there as soon as it is written, with the mount options of any kind.

By default a client keeps in memory for up to a minute that a name was missing. Whoever waits for a
file has looked for it too early.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nfs.lab import ADVISED, Lab
from tests.nfs.remote import RemoteStorage
from tests.waiting import until

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(120)]

SOON_SECONDS = 3.0


@pytest.fixture(params=[ADVISED, "nfsvers=4.2", "nfsvers=3"], scope="module")
def mounted(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """Where both clients have mounted the export with these options."""
    for client in lab.clients:
        client.mount("one", "/cached", request.param)
    yield "/cached"
    for client in lab.clients:
        client.unmount("/cached")


@pytest.fixture
def nodes(lab: Lab, mounted: str) -> list[RemoteStorage]:
    """The same storage on two nodes."""
    root = f"{mounted}/{lab.new_folder()}"
    return [RemoteStorage(client.storages, root) for client in lab.clients]


def soon(storage: RemoteStorage, path: str, data: bytes) -> None:
    def seen() -> bool:
        return storage.read_present([path]) == {path: data}

    until(seen, f"{path} on the other node", SOON_SECONDS)


def test_what_was_looked_for_too_early_is_read(nodes: list[RemoteStorage]) -> None:
    here, there = nodes
    for path in ("token", "run/token", "run/deep/er/token"):
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                here.read(path)
        there.write(path, b"mine")
        soon(here, path, b"mine")


def test_it_is_listed_and_deleted(nodes: list[RemoteStorage]) -> None:
    here, there = nodes
    for _ in range(3):
        assert here.list("run/drivers") == []
        assert here.list_all("run/drivers") == []
        assert here.list_files("run") == []
        here.delete("run/drivers/1")
    there.write("run/drivers/1", b"mine")
    assert here.list("run/drivers") == ["1"]
    assert here.list_files("run") == ["run/drivers/1"]
    assert here.list_all("run/drivers") == ["1"]
    here.delete("run/drivers/1")
    assert there.list_files("run") == []


def test_what_is_replaced_is_read_anew(nodes: list[RemoteStorage]) -> None:
    here, there = nodes
    for number in range(5):
        there.write("run/claim", b"%d" % number)
        soon(here, "run/claim", b"%d" % number)


def test_a_name_that_was_freed_can_be_taken(nodes: list[RemoteStorage]) -> None:
    here, there = nodes
    for _ in range(3):
        there.create("run/name", b"theirs")
        with pytest.raises(FileExistsError):
            here.create("run/name", b"mine")
        there.delete("run/name")
        here.create("run/name", b"mine")
        assert there.read("run/name") == b"mine"
        here.delete("run/name")
