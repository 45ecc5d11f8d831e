"""Of two nodes that claim a run at the same moment, one gets it."""

from __future__ import annotations

import pytest

from hyn_k8s.paths import RunPaths
from tests.nfs.lab import ADVISED, Lab
from tests.nfs.remote import Pending, RemoteStorage

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(120)]

RACES = 20


def won(pending: Pending) -> bool:
    try:
        pending.result()
    except FileExistsError:
        return False
    return True


@pytest.mark.parametrize("options", [ADVISED, "nfsvers=3"])
def test_a_claim_has_one_winner(lab: Lab, options: str) -> None:
    for client in lab.clients:
        client.mount("one", "/raced", options)
    try:
        root = f"/raced/{lab.new_folder()}"
        nodes = [RemoteStorage(client.storages, root) for client in lab.clients]
        winners = set()
        for epoch in range(1, RACES + 1):
            path = RunPaths("it").driver(epoch)
            order = nodes if epoch % 2 else nodes[::-1]
            begun = [(node, node.begin("create", path, id_of(node))) for node in order]
            first = [node for node, pending in begun if won(pending)]
            assert len(first) == 1
            assert {node.read(path) for node in nodes} == {id_of(first[0])}
            winners.add(id_of(first[0]))
        assert len(winners) == 2, "one node was always faster: that is no race"
    finally:
        for client in lab.clients:
            client.unmount("/raced")


def id_of(node: RemoteStorage) -> bytes:
    return f"{id(node)}".encode()
