"""What a process may write of a run: all while it drives it, nothing before and nothing after."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator

import pytest

from hyn_k8s.errors import HynError, RunError, RunTakenError, StorageError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search.claims import latest_epoch
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.files import partial_name
from hyn_k8s.search.holding import RunHold
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.manifests import read_manifest
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.sources import Sources
from hyn_k8s.search.storage import Storage
from tests.clocks import Clock

IDENTITY = Identity(
    "TinyModel", {"class": "RandomSearcher"}, {"x": "Real(0, 1)"}, ["auc"], 3, "abc"
)
SEARCH = SearchPaths("heart-1", 1)

Hold = Callable[..., RunHold]


@pytest.fixture
def hold(storage: FileStorage) -> Iterator[Hold]:
    """Makes holds of a script ``heart``, each as in a process of its own."""
    made: list[RunHold] = []

    def hold(must_exist: bool = False, **env: str) -> RunHold:
        given = {"HYN_STORAGE_ROOT": storage.settings.root, "HYN_STORAGE_PATIENCE": "0", **env}
        settings = dataclasses.replace(Settings.from_env(given, "/"), must_exist=must_exist)
        made.append(
            RunHold(
                FileStorage(settings.storage),
                settings,
                "heart",
                Sources(b"a script"),
                lambda _: None,
            )
        )
        return made[-1]

    yield hold
    for each in made:
        each.let_go(ended=False)


def everything(storage: Storage) -> dict[str, bytes]:
    return {path: storage.read(path) for path in storage.list_files("")}


@pytest.fixture
def others() -> Iterator[list[Lease]]:
    """Leases of other drivers, which end with the test."""
    made: list[Lease] = []
    yield made
    for lease in made:
        lease.abandon()


class TestOvertaken:
    """The process slept, and another driver drives the run now."""

    @pytest.fixture
    def sleeper(
        self, hold: Hold, storage: FileStorage, machine: Clock, others: list[Lease]
    ) -> RunHold:
        sleeper = hold()
        sleeper.open_search(1, IDENTITY)
        epoch = sleeper.drive().epoch
        sleeper.storage.write(SEARCH.identity(epoch), b"{}")
        sleeper.storage.write(RunPaths("heart-1").token(epoch), b"mine")
        machine.sleep(1000)
        others.append(Lease(storage, "heart-1", 2, lambda _: None))
        storage.write(RunPaths("heart-1").token(2), b"the other's")
        storage.write(SEARCH.segment(2, 1), b"the other's")
        return sleeper

    def test_it_writes_nothing_any_more(self, sleeper: RunHold, storage: FileStorage) -> None:
        before = everything(storage)
        writes: list[Callable[[], None]] = [
            lambda: sleeper.storage.write("heart-1/run.json", b""),
            lambda: sleeper.storage.create("heart-1/search-1/new", b""),
            lambda: sleeper.storage.delete(SEARCH.segment(2, 1)),
            lambda: sleeper.storage.delete_all([SEARCH.segment(2, 1)]),
            lambda: sleeper.storage.make_directory("heart-1/search-2"),
            lambda: sleeper.storage.remove_directory("heart-1/search-1/journal"),
        ]
        for write in writes:
            with pytest.raises(RunTakenError, match="another driver, number 2, has taken it over"):
                write()
        assert everything(storage) == before
        assert sleeper.taken is not None

    def test_it_does_not_say_that_the_run_has_ended(
        self, sleeper: RunHold, storage: FileStorage
    ) -> None:
        before = everything(storage)
        sleeper.let_go(ended=True)
        assert everything(storage) == before
        assert sleeper.taken is not None

    def test_it_begins_no_other_search(self, sleeper: RunHold) -> None:
        with pytest.raises(RunTakenError):
            sleeper.open_search(2, IDENTITY)

    def test_when_its_own_preparation_fails_the_others_files_stay(
        self, sleeper: RunHold, storage: FileStorage
    ) -> None:
        before = everything(storage)
        with pytest.raises(RunTakenError):
            sleeper.forget_search(SEARCH)
        sleeper.forget()
        assert everything(storage) == before

    def test_whoever_listens_is_told(self, sleeper: RunHold) -> None:
        told: list[HynError] = []
        with sleeper.telling_of_loss(told.append), pytest.raises(RunTakenError):
            sleeper.require()
        assert told == [sleeper.taken]


class TestDriving:
    def test_nothing_is_written_before_it_drives(self, hold: Hold, storage: FileStorage) -> None:
        held = hold()
        held.open_search(1, IDENTITY)
        with pytest.raises(RunTakenError, match="this process does not drive it"):
            held.storage.write("heart-1/search-1/new", b"")

    def test_a_storage_that_is_away_for_a_while_does_not_end_it(
        self, hold: Hold, storage: FileStorage, machine: Clock
    ) -> None:
        """Longer than the lease, while no search runs, and nobody else comes."""
        held = hold()
        held.open_search(1, IDENTITY)
        held.drive()
        root = pathlib.Path(storage.settings.root)
        root.rename(root.parent / "away")
        machine.sleep(1000)
        with pytest.raises(StorageError):
            held.require()
        (root.parent / "away").rename(root)
        held.storage.write("heart-1/search-1/new", b"")
        assert held.taken is None

    def test_the_end_is_written_down(self, hold: Hold, storage: FileStorage) -> None:
        held = hold()
        held.open_search(1, IDENTITY)
        held.drive()
        held.storage.write(RunPaths("heart-1").token(1), b"x")
        held.let_go(ended=True)
        manifest = read_manifest(storage, "heart-1")
        assert manifest is not None
        assert manifest["ended"]
        assert storage.list("heart-1") == ["drivers", "run.json"]
        assert json.loads(storage.read("heart-1/drivers/000001.json"))["released"]

    def test_what_a_killed_driver_left_half_written_is_removed(
        self, hold: Hold, storage: FileStorage
    ) -> None:
        first = hold()
        first.open_search(1, IDENTITY)
        first.drive()
        partial = f"heart-1/search-1/journal/{partial_name('000001-00000001.seg')}"
        storage.write(partial, b"half of i")
        storage.write(f"heart-1/{partial_name('holiday.mp4')}", b"a user's")
        first.let_go(ended=False)
        following = hold()
        following.open_search(1, IDENTITY)
        assert following.drive().epoch == 2
        assert partial not in storage.list_files("")
        assert len([each for each in storage.list_all("heart-1") if "holiday" in each]) == 1


class TestForgetting:
    def test_of_a_new_run_nothing_stays(self, hold: Hold, storage: FileStorage) -> None:
        for drives in (False, True):
            held = hold()
            begun = held.open_search(1, IDENTITY)
            if drives:
                held.storage.write(begun.paths.identity(held.drive().epoch), b"{}")
                held.storage.make_directory(begun.paths.models)
                held.forget_search(begun.paths)
            held.forget()
            assert storage.list_all("") == []
            assert held.run is None

    def test_one_that_another_has_claimed_stays(
        self, hold: Hold, storage: FileStorage, others: list[Lease]
    ) -> None:
        held = hold(HYN_RUN_ID="mine")
        held.open_search(1, IDENTITY)
        others.append(Lease(storage, "mine", 1, lambda _: None))
        before = everything(storage)
        held.forget()
        assert everything(storage) == before

    def test_one_that_another_has_driven_stays(self, hold: Hold, storage: FileStorage) -> None:
        """It was new to this process, and another one of the same name was faster and is dead."""
        held = hold(HYN_RUN_ID="mine")
        held.open_search(1, IDENTITY)
        lease = Lease(storage, "mine", 1, lambda _: None)
        storage.write(SearchPaths("mine", 1).segment(1, 1), b"its events")
        lease.release()
        assert held.drive().epoch == 2
        held.forget()
        assert storage.read(SearchPaths("mine", 1).segment(1, 1)) == b"its events"
        assert read_manifest(storage, "mine") is not None

    def test_an_earlier_run_is_let_go(self, hold: Hold, storage: FileStorage) -> None:
        first = hold()
        first.open_search(1, IDENTITY)
        first.drive()
        first.let_go(ended=False)
        following = hold()
        following.open_search(1, IDENTITY)
        following.drive()
        following.forget()
        assert read_manifest(storage, "heart-1") is not None
        assert latest_epoch(storage, "heart-1") == 2

    def test_the_manifest_that_another_has_removed_is_written_again(
        self, hold: Hold, storage: FileStorage
    ) -> None:
        """Two of one name begin at once, and the one whose run it is comes to nothing."""
        first, second = hold(HYN_RUN_ID="mine"), hold(HYN_RUN_ID="mine")
        first.open_search(1, IDENTITY)
        second.open_search(1, IDENTITY)
        first.forget()
        second.drive()
        assert read_manifest(storage, "mine") is not None


class TestNames:
    def test_a_run_that_must_exist_is_not_begun(self, hold: Hold, storage: FileStorage) -> None:
        """It was there when the script began, and somebody has removed it since."""
        with pytest.raises(RunError, match=r"run gone: it is not on .*; spec\.run takes"):
            hold(must_exist=True, HYN_RUN_ID="gone").open_search(1, IDENTITY)
        assert everything(storage) == {}

    def test_one_that_does_is_resumed(self, hold: Hold) -> None:
        first = hold()
        first.open_search(1, IDENTITY)
        first.drive()
        first.let_go(ended=False)
        found = hold(must_exist=True, HYN_RUN_ID="heart-1")
        found.open_search(1, IDENTITY)
        assert found.run == "heart-1"

    def test_a_directory_of_the_users_is_refused_and_stays(
        self, hold: Hold, storage: FileStorage
    ) -> None:
        storage.write("data/clients.csv", b"mine")
        held = hold(HYN_RUN_ID="data")
        with pytest.raises(RunError, match=r"is there and is no run: it holds clients\.csv"):
            held.open_search(1, IDENTITY)
        held.forget()
        held.let_go(ended=False)
        assert everything(storage) == {"data/clients.csv": b"mine"}

    def test_another_tools_manifest_is_refused_and_stays(
        self, hold: Hold, storage: FileStorage
    ) -> None:
        storage.write("data/run.json", b'{"run_id": "0f3"}')
        with pytest.raises(RunError, match=r"its run\.json is damaged, or another program wrote"):
            hold(HYN_RUN_ID="data").open_search(1, IDENTITY)
        assert everything(storage) == {"data/run.json": b'{"run_id": "0f3"}'}

    def test_a_run_that_was_renamed_is_not_written_under_its_first_name(
        self, hold: Hold, storage: FileStorage
    ) -> None:
        first = hold()
        first.open_search(1, IDENTITY)
        first.drive()
        first.let_go(ended=False)
        root = pathlib.Path(storage.settings.root)
        (root / "heart-1").rename(root / "best")
        with pytest.raises(RunError, match="run best: it was begun as heart-1, and its directory"):
            hold(HYN_RUN_ID="best").open_search(1, IDENTITY)
        found = hold()
        found.open_search(1, IDENTITY)
        assert found.run == "heart-1", "a new one, since no other has this name any more"
