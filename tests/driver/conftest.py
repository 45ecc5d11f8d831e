"""A run in pods, on a directory."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.driver.pods import Pods
from tests.faults.evidence import Directory


@pytest.fixture
def pods(tmp_path: pathlib.Path) -> Iterator[Pods]:
    """At the end no process of it is left."""
    with Pods(tmp_path / "scene", Directory(tmp_path / "root")) as pods:
        yield pods
