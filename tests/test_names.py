"""The names of a search's objects."""

from __future__ import annotations

from hyn_k8s import names


def test_searches_of_one_name_have_runs_of_their_own() -> None:
    """In two namespaces, or one that was deleted and applied again."""
    first = names.run_name("search", "0c1f6a52-8b7e-4a7f-9d51-3f3d1f3a2b11")
    second = names.run_name("search", "7d0e4b90-1c55-4be2-8a3f-aa10c7d9e402")
    assert first != second
    assert first.startswith("search-")
    assert len(names.run_name("a" * 37, "7d0e4b90-1c55-4be2-8a3f-aa10c7d9e402")) <= 46
    assert names.run_name("search", "7d0e4b90-1c55-4be2-8a3f-aa10c7d9e402", first) == first
