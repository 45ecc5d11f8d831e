"""Which run a script continues, and which of its searches begin anew."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from typing import Any

import pytest

from hyn_k8s.errors import RunError, StorageError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import identity
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.manifests import encode, now, read_manifest
from hyn_k8s.search.runs import (
    Begun,
    clean_stem,
    create_run,
    find_unfinished,
    open_search,
    read_identity,
    read_named,
)
from hyn_k8s.search.settings import RUN_NAME
from hyn_k8s.search.storage import Storage
from tests.storages import Opener

SCRIPT, OTHER_SCRIPT = "the script", "another script"
SEARCH = Identity("TinyModel", {"class": "RandomSearcher"}, {"x": "Real(0, 1)"}, ["auc"], 3, "abc")
WIDER = dataclasses.replace(SEARCH, space={"x": "Real(0, 2)"})
OTHER_DATA = dataclasses.replace(SEARCH, data="def")


def begin_run(storage: Storage, script: str = SCRIPT, search: Identity | None = SEARCH) -> str:
    """An unfinished run of the stem ``heart``; its name."""
    manifest = create_run(storage, None, "heart", script)
    name = str(manifest["run"])
    if search is not None:
        begin_search(storage, RunPaths(name).search(1), search)
    return name


def begin_search(storage: Storage, paths: SearchPaths, search: Identity) -> None:
    storage.write(paths.identity(1), identity.encode(search))


def end(storage: Storage, run: str) -> None:
    manifest = read_manifest(storage, run)
    storage.write(RunPaths(run).manifest, encode({**(manifest or {}), "ended": now()}))


class TestCreateRun:
    def test_runs_of_a_stem_are_numbered(self, storage: Storage) -> None:
        assert [create_run(storage, None, "heart", SCRIPT)["run"] for _ in range(3)] == [
            *["heart-1", "heart-2", "heart-3"]
        ]
        storage.write("heart-attack-7/run.json", b"{}")
        storage.write("lung-9/run.json", b"{}")
        storage.write("heart-x/run.json", b"{}")
        assert create_run(storage, None, "heart", SCRIPT)["run"] == "heart-4"

    def test_what_the_manifest_says(self, storage: Storage) -> None:
        manifest = create_run(storage, None, "heart", SCRIPT)
        assert json.loads(storage.read("heart-1/run.json")) == manifest
        assert {**manifest, "started": ""} == {
            "version": 1,
            "run": "heart-1",
            "stem": "heart",
            "script": SCRIPT,
            "started": "",
            "ended": None,
        }

    def test_a_name_can_be_taken_once(self, storage: Storage) -> None:
        assert create_run(storage, "mine", "heart", SCRIPT)["run"] == "mine"
        with pytest.raises(FileExistsError):
            create_run(storage, "mine", "heart", SCRIPT)

    def test_scripts_that_begin_at_once_have_runs_of_their_own(self, storage: Storage) -> None:
        made: list[str] = []
        together = threading.Barrier(6)

        def begin() -> None:
            together.wait()
            made.append(create_run(storage, None, "heart", SCRIPT)["run"])

        threads = [threading.Thread(target=begin) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(made) == [f"heart-{n}" for n in range(1, 7)]

    @pytest.mark.parametrize(
        ("stem", "cleaned"),
        [
            ("heart", "heart"),
            ("my search (2)", "my-search--2-"),
            ("a/b", "a-b"),
            ("x" * 80, "x" * 50),
            (".hidden", "hidden"),
            ("_job", "job"),
            ("über", "uber"),
            ("Größe 2", "Groe-2"),
            ("__main__", "main__"),
            ("..", "run"),
            ("搜索", "run"),
            ("", "run"),
        ],
    )
    def test_a_stem_becomes_part_of_a_name_that_a_user_may_give(
        self, stem: str, cleaned: str
    ) -> None:
        assert clean_stem(stem) == cleaned
        assert RUN_NAME.fullmatch(f"{cleaned}-1")


class TestStaleListings:
    """What a listing shows may be a minute old; files are seen by their names."""

    class Stale(FileStorage):
        names: tuple[str, ...] = ()

        def list(self, path: str) -> list[str]:
            return [] if path.endswith("drivers") and not self.names else list(self.names)

    def test_the_identity_of_a_later_driver_counts(self, storage: FileStorage) -> None:
        paths = RunPaths("heart-1").search(1)
        storage.write(paths.identity(2), identity.encode(SEARCH))
        stale = self.Stale(storage.settings)
        stale.names = ("000001.json", "000002.json", "search-000001.json")
        assert read_identity(stale, paths) == SEARCH

    def test_a_search_that_is_not_listed_is_there(self, storage: FileStorage) -> None:
        run = begin_run(storage)
        stale = self.Stale(storage.settings)
        stale.names = ("000001.json",)
        assert open_search(stale, run, 1, SEARCH, True, False) == Begun(
            RunPaths(run).search(1), new=False
        )

    def test_one_that_is_known_and_cannot_be_seen_is_not_begun_anew(
        self, storage: FileStorage
    ) -> None:
        run = begin_run(storage, search=None)
        with pytest.raises(StorageError, match="does not show what heart-1/search-1 was begun as"):
            open_search(storage, run, 1, SEARCH, True, False, known=["search-1"])


class TestTakenNames:
    """A user's own files have the name of a run."""

    def refusal(self, storage: Storage, name: str = "data") -> str:
        with pytest.raises(RunError) as caught:
            create_run(storage, name, "heart", SCRIPT)
        return str(caught.value)

    @pytest.mark.parametrize("path", ["clients.csv", "run.json.bak", ".git/config", "deep/er/x"])
    def test_a_directory_that_is_no_run_is_refused(self, open: Opener, path: str) -> None:
        open().write(f"data/{path}", b"mine")
        storage = open()
        assert self.refusal(storage) == (
            f"run data: {storage.rooted('data')} is there and is no run: it holds "
            f"{path.partition('/')[0]}; choose another name (HYN_RUN_ID (--run))"
        )
        assert storage.list_files("data") == [f"data/{path}"]

    def test_so_is_a_file(self, open: Opener) -> None:
        open().write("data", b"mine")
        assert "is there and is no run; choose another name" in self.refusal(open())
        assert open().read("data") == b"mine"

    def test_so_is_a_link_that_leads_nowhere(self, storage: FileStorage) -> None:
        storage.make_directory("")
        os.symlink("nowhere", storage.rooted("data"))
        assert "is there and is no run; choose another name" in self.refusal(storage)
        assert os.readlink(storage.rooted("data")) == "nowhere"

    def test_so_is_a_directory_of_drivers_that_holds_something_else(self, open: Opener) -> None:
        open().write("data/drivers/printer.deb", b"mine")
        assert "it holds drivers" in self.refusal(open())

    def test_an_empty_directory_is_nobodys(self, storage: FileStorage) -> None:
        storage.make_directory("data")
        assert create_run(storage, "data", "heart", SCRIPT)["run"] == "data"

    def test_what_a_run_leaves_that_is_removed_halfway_is_its_own(self, open: Opener) -> None:
        open().write("data/drivers/000001.json", b"{}")
        open().write("data/.run.json." + 32 * "0", b"{")
        open().write("data/outcome.json", b"{}")
        open().write("data/.nfs0000000000000001", b"still open")
        assert create_run(open(), "data", "heart", SCRIPT)["run"] == "data"

    def test_other_tools_manifests_are_not_continued(self, open: Opener) -> None:
        open().write("heart-1/run.json", b'{"run": "of another tool"}')
        open().write("heart-2/run.json", b"")
        assert find_unfinished(open(), "heart", SCRIPT, SEARCH, print) is None
        assert create_run(open(), None, "heart", SCRIPT)["run"] == "heart-3"

    def test_nobody_takes_that_of_hypernets_cache(self, storage: Storage) -> None:
        with pytest.raises(RunError, match="Hypernets keeps its cache at") as caught:
            read_named(storage, "hypernets-cache")
        assert "choose another name (HYN_RUN_ID (--run))" in str(caught.value)


class TestFindUnfinished:
    def found(self, storage: Storage, told: list[str] | None = None) -> str | None:
        """The run that the script continues."""
        told = [] if told is None else told
        manifest = find_unfinished(storage, "heart", SCRIPT, SEARCH, told.append)
        return None if manifest is None else str(manifest["run"])

    def test_where_nothing_was_there_is_none(self, storage: Storage) -> None:
        assert self.found(storage) is None

    def test_the_scripts_unfinished_run_is_continued(self, storage: Storage) -> None:
        assert begin_run(storage) == "heart-1"
        assert self.found(storage) == "heart-1"

    def test_the_latest_one_of_several(self, storage: Storage) -> None:
        for _ in range(11):
            begin_run(storage)
        assert self.found(storage) == "heart-11"

    def test_a_run_that_has_ended_is_not(self, storage: Storage) -> None:
        end(storage, begin_run(storage))
        assert self.found(storage) is None

    def test_what_was_left_before_a_whole_run_is_not(self, storage: Storage) -> None:
        begin_run(storage)
        end(storage, begin_run(storage))
        assert self.found(storage) is None

    def test_another_scripts_run_is_not_and_does_not_matter(self, storage: Storage) -> None:
        begin_run(storage)
        end(storage, begin_run(storage, OTHER_SCRIPT))
        begin_run(storage, OTHER_SCRIPT)
        assert self.found(storage) == "heart-1"

    def test_a_run_of_another_search_is_not(self, storage: Storage) -> None:
        """A notebook has no text to be known by, and a script may read its space from a file."""
        begin_run(storage, search=WIDER)
        assert self.found(storage) is None

    def test_changed_data_do_not_make_it_another_search(self, storage: Storage) -> None:
        assert begin_run(storage, search=OTHER_DATA) == self.found(storage)

    def test_a_run_without_a_search_yet_is_continued(self, storage: Storage) -> None:
        begin_run(storage, search=None)
        assert self.found(storage) == "heart-1"

    def test_the_search_as_it_was_begun_last_is_compared(self, storage: Storage) -> None:
        run = begin_run(storage, search=WIDER)
        begin_search(storage, RunPaths(run).search(1, generation=2), SEARCH)
        assert self.found(storage) == run

    def test_one_that_is_being_driven_is_left_to_its_driver(self, storage: Storage) -> None:
        run, told = begin_run(storage), list[str]()
        lease = Lease(storage, run, 1, print)
        assert self.found(storage, told) is None
        (sentence,) = told
        assert sentence.startswith("heart-1 is being run by the process ")
        assert sentence.endswith("; a new run begins")
        lease.release()
        assert self.found(storage) == run


class TestOpenSearch:
    def opened(
        self,
        storage: Storage,
        now_is: Identity = SEARCH,
        script: str = SCRIPT,
        ordinal: int = 1,
        restart: bool = False,
    ) -> Begun:
        return open_search(storage, "heart-1", ordinal, now_is, script == SCRIPT, restart)

    @pytest.fixture
    def run(self, storage: Storage) -> RunPaths:
        return RunPaths(begin_run(storage))

    def test_the_first_time_it_is_new(self, storage: Storage) -> None:
        run = RunPaths(begin_run(storage, search=None))
        assert self.opened(storage) == Begun(run.search(1), new=True)

    def test_the_same_search_is_continued(self, storage: Storage, run: RunPaths) -> None:
        assert self.opened(storage) == Begun(run.search(1), new=False)

    def test_whatever_script_asks_for_it(self, storage: Storage, run: RunPaths) -> None:
        """A run may be named; and the script may have been changed where it does not matter."""
        assert self.opened(storage, script=OTHER_SCRIPT) == Begun(run.search(1), new=False)

    def test_another_search_of_another_script_is_refused_and_why(
        self, storage: Storage, run: RunPaths
    ) -> None:
        with pytest.raises(RunError) as caught:
            self.opened(storage, WIDER, OTHER_SCRIPT)
        assert str(caught.value) == (
            "run heart-1: search-1 was begun otherwise: its space's x was Real(0, 1), is "
            "Real(0, 2); choose another name, or begin anew with --restart"
        )

    def test_another_search_of_the_same_script_begins_anew_and_why(
        self, storage: Storage, run: RunPaths
    ) -> None:
        why = "its space's x was Real(0, 1), is Real(0, 2)"
        anew = Begun(run.search(1, generation=2), new=True, differing=(why,))
        assert self.opened(storage, WIDER) == anew

    @pytest.mark.parametrize("script", [SCRIPT, OTHER_SCRIPT])
    def test_changed_data_begin_it_anew(self, storage: Storage, run: RunPaths, script: str) -> None:
        why = "its data are others than before"
        anew = Begun(run.search(1, generation=2), new=True, differing=(why,))
        assert self.opened(storage, OTHER_DATA, script) == anew

    def test_begun_anew_once_it_is_that_one_which_is_continued(
        self, storage: Storage, run: RunPaths
    ) -> None:
        begin_search(storage, run.search(1, generation=2), OTHER_DATA)
        assert self.opened(storage, OTHER_DATA) == Begun(run.search(1, generation=2), new=False)
        assert self.opened(storage, SEARCH).paths == run.search(1, generation=3)

    def test_restart_begins_even_the_same_search_anew(
        self, storage: Storage, run: RunPaths
    ) -> None:
        anew = Begun(run.search(1, generation=2), new=True)
        assert self.opened(storage, restart=True) == anew

    def test_one_that_never_got_as_far_as_its_identity_begins_where_it_is(
        self, storage: Storage
    ) -> None:
        run = RunPaths(begin_run(storage, search=None))
        storage.make_directory(run.search(1).models)
        assert self.opened(storage) == Begun(run.search(1), new=True)

    def test_each_search_of_a_script_is_one_of_its_own(
        self, storage: Storage, run: RunPaths
    ) -> None:
        assert self.opened(storage, WIDER, ordinal=2) == Begun(run.search(2), new=True)
        begin_search(storage, run.search(2), WIDER)
        assert self.opened(storage, WIDER, ordinal=2) == Begun(run.search(2), new=False)
        assert self.opened(storage) == Begun(run.search(1), new=False)


def test_a_search_that_is_not_there_has_no_identity(storage: Storage) -> None:
    assert read_identity(storage, SearchPaths("heart-1", 1)) is None


def test_a_run_begun_by_an_earlier_version_is_another_scripts(storage: Storage) -> None:
    """Its manifest says nothing of a script."""
    manifest: dict[str, Any] = {"run": "heart-1", "started": "2026-01-01", "ended": None}
    storage.create("heart-1/run.json", json.dumps(manifest).encode())
    assert find_unfinished(storage, "heart", SCRIPT, SEARCH, print) is None
    assert create_run(storage, None, "heart", SCRIPT)["run"] == "heart-2"
