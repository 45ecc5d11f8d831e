"""Marks of the quick scenarios: each on one storage, and on the other at length."""

from __future__ import annotations

import pytest


def _first_on(first: str, other: str) -> pytest.MarkDecorator:
    at_length = pytest.param(other, marks=pytest.mark.faults)
    return pytest.mark.parametrize("place", [first, at_length], indirect=True)


first_on_a_directory = _first_on("file", "s3")
"""What happens has little to do with the storage."""

first_in_a_bucket = _first_on("s3", "file")
"""What happens depends on the storage, and S3 is the harder one."""
