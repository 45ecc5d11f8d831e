"""Each scenario on both storages: ``place`` is one after the other, ``scene`` a run on it."""

from __future__ import annotations

import pathlib
import uuid
from collections.abc import Iterator

import pytest

from tests.faults.clusters import FragileCluster, fragile_cluster
from tests.faults.drivers import Scene
from tests.faults.evidence import Bucket, Directory, Place
from tests.faulty_s3 import FaultyS3, faulty_s3
from tests.processes import S3Server


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Place:
    """A storage that is well."""
    if request.param == "file":
        return Directory(tmp_path / "root")
    server = request.getfixturevalue("s3")
    return Bucket(server, server, f"runs-{uuid.uuid4().hex}")


@pytest.fixture
def scene(place: Place, tmp_path: pathlib.Path) -> Iterator[Scene]:
    """A run on ``place``; at the end no process of it is left."""
    with Scene(tmp_path / "scene", place) as scene:
        yield scene


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultyS3]:
    """An S3 server that is well until a test says otherwise."""
    with faulty_s3(s3) as proxy:
        yield proxy


@pytest.fixture
def behind_proxy(s3: S3Server, proxy: FaultyS3, tmp_path: pathlib.Path) -> Iterator[Scene]:
    """A run on the storage behind ``proxy``."""
    with Scene(tmp_path / "scene", Bucket(s3, proxy.server, f"runs-{uuid.uuid4().hex}")) as scene:
        yield scene


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FragileCluster]:
    """Two workers whose processes may be killed: their nannies start them again."""
    with fragile_cluster(tmp_path_factory.mktemp("fragile"), workers=2) as cluster:
        yield cluster
