"""Storages and a clock; Hypernets is imported with its fixes before any test module imports it."""

from __future__ import annotations

import pathlib

import pytest

from hyn_k8s.search import compat
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.settings import StorageSettings
from tests.clocks import Clock, clock_of_leases
from tests.processes import S3Server
from tests.storages import Opener, in_bucket, on_directory

compat.apply()


@pytest.fixture(params=["file", "s3"])
def open(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Opener:
    """Opens one place on each kind of storage."""
    if request.param == "file":
        return on_directory(tmp_path / "root")
    server: S3Server = request.getfixturevalue("s3")
    return in_bucket(server)


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> FileStorage:
    """A directory, for what does not depend on the kind of storage."""
    return FileStorage(StorageSettings("file", str(tmp_path / "root")))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that leases go by, on a machine that can be sent to sleep."""
    return clock_of_leases(monkeypatch)
