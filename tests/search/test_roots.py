"""A root is recognized by a file in it, which nobody else takes for one of his."""

from __future__ import annotations

import os
import pathlib

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.roots import Root
from tests.storages import on_directory


def marker_in(root: pathlib.Path) -> list[str]:
    return [name for name in os.listdir(root) if name.startswith(".hyn-k8s-root-")]


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "root"


def with_the_inode_of(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is at ``root`` from now on looks like what is there now."""
    real, there = os.stat, os.stat(root)

    def stat(path: object, *arguments: object, **options: object) -> os.stat_result:
        found = real(path, *arguments, **options)  # type: ignore[arg-type]
        return there if str(path) == str(root) else found

    monkeypatch.setattr(os, "stat", stat)


def test_another_directory_with_the_same_inode_is_another(
    storage: FileStorage,
    root: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage.prove("proof")
    storage.write("run/a", b"mine")
    with_the_inode_of(root, monkeypatch)
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    for call in (
        lambda: storage.read("run/a"),
        lambda: storage.write("run/a", b"lost"),
        lambda: storage.list("run"),
    ):
        with pytest.raises(StorageError, match="another directory is there now"):
            call()
    assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "elsewhere").rename(root)
    assert storage.read("run/a") == b"mine"


def test_it_is_seen_by_no_listing(storage: FileStorage, root: pathlib.Path) -> None:
    storage.prove("proof")
    assert len(marker_in(root)) == 1
    assert storage.list("") == storage.list_all("") == storage.list_files("") == []


def test_all_who_write_have_the_same(root: pathlib.Path) -> None:
    for _ in range(3):
        on_directory(root)().prove("proof")
    assert len(marker_in(root)) == 1


def test_of_two_made_at_once_either_will_do(root: pathlib.Path) -> None:
    first, second = on_directory(root)(), on_directory(root)()
    first.prove("proof")
    (kept,) = marker_in(root)
    (root / kept).unlink()
    second.prove("proof")
    (root / kept).touch()
    for storage in (first, second, on_directory(root)()):
        storage.write("run/a", b"1")
        storage.prove("proof")
    assert len(marker_in(root)) == 2


def test_who_only_reads_makes_none(root: pathlib.Path) -> None:
    root.mkdir()
    storage = on_directory(root)()
    assert storage.list("") == []
    assert marker_in(root) == []


def test_who_may_not_make_one_goes_by_the_inode(
    root: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir()
    known = Root(str(root))
    known.require()

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    known.mark()
    known.require()
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    with pytest.raises(StorageError, match="another directory is there now"):
        known.require()
