"""One server and two clients for all tests; each test has a folder of its own on the export."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nfs.lab import Lab

ROOT = "/nfs"
"""Where both clients have mounted the export with the options that are advised."""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The machines."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        for client in lab.clients:
            client.mount("one", ROOT)
        yield lab


@pytest.fixture
def root(lab: Lab) -> str:
    """A folder that no other test has, as both clients see it."""
    return f"{ROOT}/{lab.new_folder()}"
