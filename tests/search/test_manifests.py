"""What makes a directory a run, and what only looks like one."""

from __future__ import annotations

import json

import pytest

from hyn_k8s.errors import RunError, StorageError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.manifests import decode, encode, manifest_of, read_manifest, read_runs
from hyn_k8s.search.results import latest_run
from hyn_k8s.search.storage import Storage
from tests.storages import Opener


def begin_run(storage: Storage, run: str, started: str = "2026-01-01T00:00:00.000000") -> None:
    manifest = {**manifest_of(run, "heart", "a script"), "started": f"{started}+00:00"}
    storage.create(RunPaths(run).manifest, encode(manifest))


def listed(storage: Storage) -> list[str]:
    return [manifest["run"] for manifest in read_runs(storage).manifests]


class TestReadRuns:
    def test_they_are_in_the_order_in_which_they_began(self, open: Opener) -> None:
        begin_run(open(), "b-1", "2026-01-02T00:00:00.000001")
        begin_run(open(), "a-2", "2026-01-02T00:00:00.000002")
        begin_run(open(), "c-10", "2025-12-31T23:59:59.999999")
        assert listed(open()) == ["c-10", "b-1", "a-2"]
        assert latest_run(open()) == "a-2"

    def test_what_else_lies_there_is_no_run(self, open: Opener) -> None:
        begin_run(open(), "heart-1")
        open().write("notes.txt", b"mine")
        open().write("data/train.csv", b"x,y")
        assert listed(open()) == ["heart-1"]

    def test_a_storage_without_runs(self, open: Opener) -> None:
        assert listed(open()) == []
        with pytest.raises(RunError) as caught:
            latest_run(open())
        assert str(caught.value) == f"run of any name: there is none on {open().url}"

    def test_a_damaged_one_hides_no_other(self, open: Opener) -> None:
        begin_run(open(), "heart-1")
        open().write("heart-2/run.json", b"")
        open().write("mlflow/run.json", b'{"run_id": "0f3"}')
        assert listed(open()) == ["heart-1"]
        assert latest_run(open()) == "heart-1"
        assert sorted(error.run for error in read_runs(open()).damaged) == ["heart-2", "mlflow"]

    def test_one_that_may_not_be_read_hides_no_other(self, storage: FileStorage) -> None:
        """As the ``lost+found`` of a volume, to somebody who is not root."""

        class Guarded(FileStorage):
            def read(self, path: str) -> bytes:
                if path.startswith("lost+found"):
                    raise StorageError(self.url, "this user may not read there")
                return super().read(path)

        begin_run(storage, "heart-1")
        storage.make_directory("lost+found")
        guarded = Guarded(storage.settings)
        assert listed(guarded) == ["heart-1"]
        (error,) = read_runs(guarded).damaged
        assert error.run == "lost+found"

    def test_where_all_are_damaged_that_is_told(self, open: Opener) -> None:
        open().write("heart-2/run.json", b"{")
        with pytest.raises(RunError, match=r"run heart-2: its run\.json is damaged, or another"):
            latest_run(open())

    def test_a_directory_that_was_renamed_goes_by_its_name(self, open: Opener) -> None:
        begin_run(open(), "heart-1")
        open().write("best/run.json", open().read("heart-1/run.json"))
        assert sorted(listed(open())) == ["best", "heart-1"]


class TestReadManifest:
    def test_the_manifest_of_a_run(self, open: Opener) -> None:
        begin_run(open(), "heart-1")
        manifest = read_manifest(open(), "heart-1")
        assert manifest is not None
        assert manifest["run"] == "heart-1"
        assert read_manifest(open(), "heart-2") is None

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (b"", "0 bytes, which are no JSON"),
            (b"\xff\xfe", "2 bytes, which are no JSON"),
            (b"[]", "it lacks 'version'"),
            (b'{"version": "2"}', "it lacks 'run'"),
            (b'{"version": 1, "run": "r", "stem": "s", "script": "x"}', "it lacks 'started'"),
        ],
    )
    def test_what_another_program_wrote_is_none(self, data: bytes, problem: str) -> None:
        with pytest.raises(RunError) as caught:
            decode("heart-1", data)
        assert "run heart-1: its run.json is damaged, or another program wrote it" in str(
            caught.value
        )
        assert problem in str(caught.value)

    def test_one_of_a_later_version_is_named_so(self) -> None:
        later = json.dumps({**manifest_of("r", "s", "x"), "version": 2}).encode()
        with pytest.raises(RunError, match=r"a later version of hyn-k8s wrote it \(format 2\)"):
            decode("heart-1", later)
