"""What a power failure leaves: all that was acknowledged, though nothing else that was written.

A disk that loses what was not synced stands under the storage: bytes of files that nobody synced,
and names in directories that nobody synced since, are gone when the power is.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import file_storage, files
from hyn_k8s.search.events import Told
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.past import read_past
from hyn_k8s.search.storage import Storage
from tests.resuming import ORDERED, driver
from tests.searches import Diary, ListSearcher, sample, tiny_model
from tests.sessions import search
from tests.storages import on_directory


class Disk:
    """Stands for ``os`` in the storage, and knows what is on the disk below ``root``."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._contents: dict[int, bytes] = {}
        """What was synced of each file, by its inode."""
        self._names: dict[int, dict[str, tuple[int, bool]]] = {}
        """The names that were synced in each directory, by its inode: whose each is, and whether
        that is a directory."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)
        path = pathlib.Path(f"/proc/self/fd/{descriptor}")
        inode = path.stat().st_ino
        if path.is_dir():
            entries = [entry for entry in os.scandir(path) if entry.name[0] != "."]
            self._names[inode] = {each.name: (each.inode(), each.is_dir()) for each in entries}
        else:
            self._contents[inode] = path.read_bytes()

    def after_power_failure(self, at: pathlib.Path) -> Storage:
        """What is left, put together at ``at``."""
        at.mkdir()
        self._restore(self._root.stat().st_ino, at)
        return on_directory(at)()

    def _restore(self, directory: int, at: pathlib.Path) -> None:
        for name, (inode, is_directory) in self._names.get(directory, {}).items():
            if is_directory:
                (at / name).mkdir()
                self._restore(inode, at / name)
            else:
                (at / name).write_bytes(self._contents.get(inode, b""))


@pytest.fixture
def disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    (tmp_path / "root").mkdir()
    made = Disk(tmp_path / "root")
    for module in (file_storage, files):
        monkeypatch.setattr(module, "os", made)
    return made


class TestStorage:
    def test_what_was_written_or_created_is_there(
        self, disk: Disk, storage: FileStorage, tmp_path: pathlib.Path
    ) -> None:
        storage.write("run/deep/er/a", b"first")
        storage.write("run/deep/er/a", b"second")
        storage.create("run/claims/1", b"mine")
        storage.make_directory("run/models")
        left = disk.after_power_failure(tmp_path / "left")
        assert left.list_files("") == ["run/claims/1", "run/deep/er/a"]
        assert left.read_all(["run/deep/er/a", "run/claims/1"]) == [b"second", b"mine"]
        assert left.list("run") == ["claims", "deep", "models"]

    def test_what_was_not_synced_is_not(
        self, disk: Disk, storage: FileStorage, tmp_path: pathlib.Path
    ) -> None:
        """So this disk can lose something."""
        storage.write("run/a", b"1")
        (tmp_path / "root/run/b").write_bytes(b"2")
        assert disk.after_power_failure(tmp_path / "left").list_files("") == ["run/a"]


class TestSearch:
    def test_every_reported_trial_is_in_the_journal(
        self, disk: Disk, tmp_path: pathlib.Path
    ) -> None:
        found = []

        class CutsPower(Diary):
            def on_trial_end(self, hyper_model: Any, space: Any, trial_no: int, *_: Any) -> None:
                left = disk.after_power_failure(tmp_path / f"left-{trial_no}")
                events = read_past(left, SearchPaths("test-1", 1)).events
                told = [event.number for event in events if isinstance(event, Told)]
                found.append((trial_no, told))

        samples = [sample(n / 10) for n in range(1, 6)]
        with driver(tmp_path / "root", ORDERED):
            search(tiny_model(ListSearcher(samples), callbacks=[CutsPower()]), max_trials=5)
        assert found == [(n, list(range(1, n + 1))) for n in range(1, 6)]
        left = disk.after_power_failure(tmp_path / "left")
        whole = on_directory(tmp_path / "root")()
        for path in ("summary.json", "trials.csv"):
            assert left.read(f"test-1/search-1/{path}") == whole.read(f"test-1/search-1/{path}")
        assert left.read("test-1/run.json") == whole.read("test-1/run.json")
