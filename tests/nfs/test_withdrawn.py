"""The server is not heard, or exports nothing any more: on a hard mount calls hang in the kernel.

Then each is given up, and so is a search, within the patience that its settings allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hyn_k8s.errors import StorageError
from tests.nfs.lab import Lab
from tests.nfs.remote import RemoteStorage
from tests.nfs.searches import CONTINUE_LATER, Driver
from tests.waiting import until

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(180)]

ANSWER_SECONDS = 10
"""How long a call is waited for with a patience of so much or less."""


CALLS: dict[str, tuple[Any, ...]] = {
    "read": ("run/a",),
    "write": ("run/a", b"given up"),
    "create": ("run/b", b"mine"),
    "list": ("run",),
    "list_files": ("run",),
    "make_directory": ("run/deep",),
    "prove": ("proof",),
}


@pytest.fixture
def withdrawn(lab: Lab) -> Iterator[Lab]:
    """A lab that exports everything again after the test."""
    yield lab
    lab.server.run("exportfs", "-ra")


@pytest.fixture
def cut_off(lab: Lab) -> Iterator[Lab]:
    """A lab whose server is heard again after the test."""
    yield lab
    lab.pass_replies()


@pytest.fixture
def storages(lab: Lab, root: str) -> dict[str, RemoteStorage]:
    """One for each of the CALLS, which waits for none of the others."""
    server = lab.clients[0].storages
    storages = {name: RemoteStorage(server, root, patience=5) for name in CALLS}
    for storage in storages.values():
        storage.prove("proof")
    storages["write"].write("run/a", b"old")
    return storages


def errors(storages: dict[str, RemoteStorage]) -> dict[str, StorageError]:
    """What each of the CALLS raises, in time."""
    begun = {name: storages[name].begin(name, *given) for name, given in CALLS.items()}
    found = {}
    for name, pending in begun.items():
        with pytest.raises(StorageError) as caught:
            pending.result(ANSWER_SECONDS + 10)
        found[name] = caught.value
    return found


def test_every_call_of_a_withdrawn_export_may_be_tried_again(
    withdrawn: Lab, storages: dict[str, RemoteStorage]
) -> None:
    """Some are refused, and others not answered."""
    withdrawn.server.run("exportfs", "-ua")
    assert all(error.retry for error in errors(storages).values())


def test_every_call_without_an_answer_is_given_up_with_a_sentence(
    cut_off: Lab, storages: dict[str, RemoteStorage], root: str
) -> None:
    cut_off.drop_replies()
    assert {str(error) for error in errors(storages).values()} == {
        f"storage {root}: it did not answer within {ANSWER_SECONDS} s; is its server up, and "
        "does it export this directory?"
    }
    with pytest.raises(StorageError, match="it still does not answer"):
        storages["write"].begin("write", "run/a", b"too early").result(5)
    cut_off.pass_replies()
    until(lambda: worked(storages["write"]), "the storage", 60)
    until(lambda: worked(storages["read"]), "the other one", 60)
    assert storages["read"].read("run/a") == b"later", "a call that was given up came after it"


def worked(storage: RemoteStorage) -> bool:
    """Whether it can be written again."""
    try:
        storage.write("run/a", b"later")
    except StorageError:
        return False
    return True


def test_a_search_ends_and_one_that_begins_is_refused(withdrawn: Lab, root: str) -> None:
    lab = withdrawn
    env = {"HYN_STORAGE_PATIENCE": "10", "HYN_SEARCH_BACKEND": "standalone"}
    with Driver(lab.clients[0], root, "--trials 500 --seconds 0.1", env=env) as running:
        running.await_told(3)
        lab.server.run("exportfs", "-ua")
        with Driver(lab.clients[1], root, "", env=env) as beginning:
            assert beginning.ended(60) == 1, beginning.said
            assert f"Error: storage {root}: " in beginning.said
        assert running.ended(60) == CONTINUE_LATER, running.said
        assert f"Error: storage {root}: " in running.said
        assert "Traceback" not in running.said + beginning.said
