"""A full export, and one on which root is nobody."""

from __future__ import annotations

import pytest

from hyn_k8s.errors import StorageError
from tests.nfs.lab import Lab
from tests.nfs.remote import RemoteStorage

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(120)]


def test_a_full_export_says_so_and_works_again_when_there_is_room(lab: Lab) -> None:
    client = lab.clients[0]
    client.mount("small", "/small")
    storage = RemoteStorage(client.storages, "/small", patience=0)
    storage.prove("proof")
    storage.write("run/a", b"old")
    lab.server.run("sh", "-c", "head -c 4m /dev/zero > /export/small/filler || true")
    for method in ("write", "create"):
        path = "run/a" if method == "write" else "run/b"
        with pytest.raises(StorageError, match=r"No space left.*free some") as caught:
            storage.begin(method, path, b"x" * 60_000).result()
        assert caught.value.retry
    assert storage.read("run/a") == b"old"
    assert storage.list_files("run") == ["run/a"]
    lab.server.run("rm", "/export/small/filler")
    storage.write("run/a", b"x" * 60_000)
    storage.create("run/b", b"new")
    client.unmount("/small")


def test_root_that_is_nobody_there_runs_on_what_nobody_owns(lab: Lab) -> None:
    client = lab.clients[0]
    client.mount("squashed", "/squashed")
    storage = RemoteStorage(client.storages, "/squashed/root")
    storage.prove("proof")
    storage.prove_exclusive("proof")
    storage.create("run/a", b"first")
    storage.write("run/a", b"second")
    assert storage.list_files("") == ["run/a"]
    lab.server.run("sh", "-c", "mkdir -m 755 /export/squashed/roots")
    refused = RemoteStorage(client.storages, "/squashed/roots", patience=0)
    with pytest.raises(StorageError, match="this user may not write there") as caught:
        refused.prove("proof")
    assert caught.value.lasting
    client.unmount("/squashed")
