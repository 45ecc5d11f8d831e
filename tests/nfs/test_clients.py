"""Storages on two clients of one server keep the contract, whichever does what."""

from __future__ import annotations

import itertools

import pytest

from tests.nfs.lab import Lab
from tests.nfs.remote import RemoteStorage
from tests.search.test_storage import Opener, OpenerAt, StorageContract

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(120)]


class TestOneClient(StorageContract):
    @pytest.fixture
    def open(self, lab: Lab, root: str) -> Opener:
        return lambda: RemoteStorage(lab.clients[0].storages, f"{root}/root")

    @pytest.fixture
    def open_at(self, lab: Lab, root: str) -> OpenerAt:
        return lambda path: RemoteStorage(lab.clients[0].storages, f"{root}/{path}")


class TestTwoClients(StorageContract):
    """Each storage that a test opens is on the other client than the one before."""

    @pytest.fixture
    def open(self, lab: Lab, root: str) -> Opener:
        clients = itertools.cycle(lab.clients)
        return lambda: RemoteStorage(next(clients).storages, f"{root}/root")

    @pytest.fixture
    def open_at(self, lab: Lab, root: str) -> OpenerAt:
        clients = itertools.cycle(lab.clients)
        return lambda path: RemoteStorage(next(clients).storages, f"{root}/{path}")
