"""Fixtures that several test modules share; whatever is slow to start is started once."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests import processes


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.DaskCluster]:
    """A Dask scheduler with three one-thread workers, for every test that needs just that."""
    with processes.dask_cluster(tmp_path_factory.mktemp("dask"), workers=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.S3Server]:
    """An S3 server that checks credentials."""
    with processes.s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """No variable of the developer's shell steers a test, and no test writes beside the code."""
    import os

    for name in list(os.environ):
        if name.startswith(("HYN_", "DASK_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
