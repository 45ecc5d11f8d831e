"""Another file system is mounted where the storage was: it is not taken for the storage.

Both are ext4, whose root always has the same inode.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hyn_k8s.errors import StorageError
from tests.nfs.lab import Lab
from tests.nfs.remote import RemoteStorage

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(120)]

AT = "/swapped"


def test_nothing_is_written_there_and_nothing_seems_missing(lab: Lab) -> None:
    client, other = lab.clients
    client.mount("one", AT)
    other.mount("other", AT)
    storage = RemoteStorage(client.storages, AT, patience=0)
    storage.prove("proof")
    storage.write("run/a", b"mine")
    inode = client.run("stat", "-c", "%i", AT)
    client.unmount(AT)
    client.mount("other", AT)
    assert client.run("stat", "-c", "%i", AT) == inode == "2\n"
    before = other.run("ls", "-A", AT)
    calls: list[Callable[[], object]] = [
        lambda: storage.read("run/a"),
        lambda: storage.write("run/a", b"lost"),
        lambda: storage.create("run/b", b"lost"),
        lambda: storage.list("run"),
        lambda: storage.list_files("run"),
        lambda: storage.delete("run/a"),
        lambda: storage.make_directory("run"),
        lambda: storage.remove_directory("run"),
    ]
    for call in calls:
        with pytest.raises(StorageError, match="another directory is there now"):
            call()
    assert other.run("ls", "-A", AT) == before
    client.unmount(AT)
    client.mount("one", AT)
    assert storage.read("run/a") == b"mine"
    storage.write("run/a", b"later")
    client.unmount(AT)
    other.unmount(AT)
