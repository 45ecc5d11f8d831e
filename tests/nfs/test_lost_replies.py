"""The server is cut off and restarted when it has done what it was asked, before it could say so.

A client sends its request again then, to a server that knows nothing of the first one. So the
second rename of a file finds no such file, and the second link a name that is taken. Every kind of
call goes through that here, each in a directory of its own, since a client changes one directory
by one request at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.nfs.lab import Client, Lab
from tests.nfs.remote import Pending, RemoteStorage

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(180)]

KEPT_LONG = "hard,actimeo=60"
"""What a client knows of a name stays fresh, so that the decisive request is the next one."""


@dataclass(frozen=True)
class Case:
    """A call, and where it is held until no reply comes any more."""

    method: str
    arguments: tuple[Any, ...]
    hold: str
    result: Any = None
    done: str | None = None
    """What is true of the server's folder once it has done it, as a shell asks."""


CASES = {
    "new": Case("write", ("new/a", b"new"), "replace", done="[ -e new/a ]"),
    "replaced": Case("write", ("replaced/a", b"new"), "replace", done="grep -q new replaced/a"),
    "aside": Case("write", ("aside/a", b"new"), "open"),
    "created": Case("create", ("created/a", b"mine"), "link", done="[ -e created/a ]"),
    "taken": Case("create", ("taken/a", b"mine"), "link", FileExistsError),
    "deleted": Case("delete", ("deleted/a",), "unlink", done="[ ! -e deleted/a ]"),
    "made": Case("make_directory", ("made/b",), "mkdir", done="[ -d made/b ]"),
    "removed": Case("remove_directory", ("removed/b",), "rmdir", done="[ ! -e removed/b ]"),
    "read": Case("read", ("read/a",), "open", b"old"),
    "listed": Case("list", ("listed",), "listdir", ["a"]),
    "walked": Case("list_files", ("walked",), "scandir", ["walked/a"]),
}


def begin(storage: RemoteStorage) -> dict[str, Pending]:
    """Every case, held."""
    for name in CASES:
        storage.write(f"{name}/a", b"old")
    for name in ("new", "aside", "created"):
        storage.delete(f"{name}/a")
    storage.make_directory("removed/b")
    pending = {
        name: storage.begin(case.method, *case.arguments, hold=case.hold)
        for name, case in CASES.items()
    }
    for each in pending.values():
        each.await_held()
    return pending


def failures(storage: RemoteStorage, pending: dict[str, Pending]) -> dict[str, str]:
    """Which cases did not end as if nothing had happened, and how they did."""
    failed = {}
    for name, case in CASES.items():
        try:
            result = pending[name].result()
        except Exception as error:
            result = type(error)
            if result is not case.result:
                failed[name] = f"{type(error).__name__}: {error}"
        else:
            if result != case.result:
                failed[name] = repr(result)
    return failed


def test_a_call_that_was_carried_out_succeeds(lab: Lab) -> None:
    storages, pending = [], []
    for version, client in zip(("4.1", "3"), lab.clients, strict=True):
        root = mounted(lab, client, version)
        storages.append(RemoteStorage(client.storages, root, plain=True))
        pending.append(begin(storages[-1]))
    lab.drop_replies()
    for client in lab.clients:
        client.storages.let_go()
    done = " && ".join(case.done for case in CASES.values() if case.done)
    for storage in storages:
        folder = f"/export/one/{storage.settings.root.rpartition('/')[2]}"
        ask = f"cd {folder}; until {done}; do sleep 0.1; done"
        lab.server.run("sh", "-c", ask, seconds=20)
    lab.restart_server()
    ended = [failures(*each) for each in zip(storages, pending, strict=True)]
    assert ended == [{}, {}]
    for storage in storages:
        assert storage.read_all(["new/a", "replaced/a", "aside/a"]) == [b"new"] * 3
        assert storage.read_all(["created/a", "taken/a"]) == [b"mine", b"old"]
        assert storage.list_files("deleted") == []
        assert storage.list_all("made") == ["a", "b"]
        assert storage.list_all("removed") == ["a"]


def mounted(lab: Lab, client: Client, version: str) -> str:
    """A new folder of the export, and where ``client`` has mounted it by this ``version``."""
    at = f"/lost-{version}"
    # Before it makes a link a kernel asks who may read the file, otherwise.
    client.run("sh", "-c", "echo 0 > /proc/sys/fs/protected_hardlinks")
    client.mount("one", at, f"nfsvers={version},{KEPT_LONG}")
    return f"{at}/{lab.new_folder()}"
