"""What an NFS client reports that sent a request twice: its first reply was lost, the call was not.

``tests/nfs`` has the same on real clients, whose server is restarted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search.file_storage import FileStorage

MAKE = ("mkdir", "link")
REMOVE = ("replace", "unlink", "rmdir")


@pytest.fixture
def _sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change of a directory is made, and made again; the second answer counts."""

    def twice(call: Callable[..., Any]) -> Callable[..., Any]:
        def both(*arguments: Any, **options: Any) -> Any:
            call(*arguments, **options)
            return call(*arguments, **options)

        return both

    for name in (*MAKE, *REMOVE):
        monkeypatch.setattr(os, name, twice(getattr(os, name)))


@pytest.mark.usefixtures("_sent_twice")
class TestSentTwice:
    def test_what_was_written_is_written(self, storage: FileStorage) -> None:
        storage.write("run/a", b"first")
        storage.write("run/a", b"second")
        assert storage.read("run/a") == b"second"
        assert storage.list_all("run") == ["a"]

    def test_what_was_created_is_created(self, storage: FileStorage) -> None:
        storage.create("run/a", b"mine")
        assert storage.read("run/a") == b"mine"
        assert storage.list_all("run") == ["a"]

    def test_what_another_created_is_refused_with_the_same_content_too(
        self, storage: FileStorage
    ) -> None:
        storage.create("run/a", b"the same")
        with pytest.raises(FileExistsError):
            storage.create("run/a", b"the same")

    def test_directories_and_deletions(self, storage: FileStorage) -> None:
        storage.make_directory("run/deep/er")
        storage.write("run/deep/a", b"1")
        storage.delete("run/deep/a")
        storage.remove_directory("run/deep/er")
        storage.remove_directory("run/deep")
        assert storage.list_all("run") == []


class TestRemovedMeanwhile:
    """Somebody takes away the directory into which is written: the call may be tried again."""

    @pytest.mark.parametrize("method", ["write", "create"])
    @pytest.mark.parametrize("name", ["replace", "link", "fsync"])
    def test_it_is_no_missing_file(
        self,
        storage: FileStorage,
        monkeypatch: pytest.MonkeyPatch,
        method: str,
        name: str,
    ) -> None:
        storage.write("kept", b"1")
        real = getattr(os, name)

        def removes(*arguments: Any) -> Any:
            for each in storage.list_all("run"):
                os.unlink(storage.rooted(f"run/{each}"))
            if os.path.isdir(storage.rooted("run")):
                os.rmdir(storage.rooted("run"))
            return real(*arguments)

        monkeypatch.setattr(os, name, removes)
        if (method, name) in {("write", "link"), ("create", "replace")}:
            getattr(storage, method)("run/a", b"1")
            return
        with pytest.raises(StorageError, match="run/a was removed while it was being written"):
            getattr(storage, method)("run/a", b"1")

    def test_a_file_where_a_directory_should_be(self, storage: FileStorage) -> None:
        storage.write("run", b"a file")
        for put in (storage.write, storage.create):
            with pytest.raises(StorageError, match="a part of the path is a file"):
                put("run/a", b"1")
        with pytest.raises(StorageError, match="a part of the path is a file"):
            storage.make_directory("run")
