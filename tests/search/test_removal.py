"""What is deleted is what the run wrote; whatever else lies in its directory stays."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterable

import pytest

from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import removal
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.files import partial_name
from hyn_k8s.search.storage import Storage
from tests.processes import S3Server
from tests.storages import Opener, in_bucket

RUN, SEARCH = RunPaths("heart-1"), SearchPaths("heart-1", 1)

MODEL, OTHER = (SEARCH.model(number, "0123456789ab") for number in (1, 2))

ARRAYS, OTHER_ARRAYS = (SEARCH.arrays(digit * 64) for digit in "ab")

OF_SEARCH = [
    SEARCH.identity(1),
    SEARCH.hyper_model(1),
    SEARCH.data(1),
    ARRAYS,
    SEARCH.context_state(1, 0),
    SEARCH.told_part(1, 0),
    SEARCH.checkpoint(1, 0),
    SEARCH.segment(1, 1),
    MODEL,
]

OF_RUN = [RUN.manifest, RUN.driver(1), RUN.token(1), RUN.worker_token(1, "tcp---1.2.3.4-5")]

USERS = [
    "clients.csv",
    "heart-1/notes.md",
    "heart-1/search-1/figures/roc.png",
    "heart-1/search-1/models/best.pkl",
    "heart-1/search-1/data-2024.bin",
    "heart-1/search-1/driver-000001/mine.txt",
    "heart-1/storage-proof/photos of it/one.jpg",
    "heart-10/run.json",
]
"""Files of a user, some of them in the run's directory."""


def write(storage: Storage, paths: Iterable[str]) -> None:
    for path in paths:
        storage.write(path, b"x")


def left(storage: Storage) -> list[str]:
    return storage.list_files("")


AFTERWARDS = (SEARCH.journal, SEARCH.models)
OF_PREPARATION = [path for path in OF_SEARCH if not path.startswith(AFTERWARDS)]
"""What a driver writes of a search before its first trial."""


class TestSearch:
    def test_what_the_driver_has_prepared_goes_and_nothing_else(self, open: Opener) -> None:
        others = [SEARCH.identity(2), SEARCH.hyper_model(2), SEARCH.data(2)]
        write(open(), [*OF_RUN, *OF_SEARCH, *USERS, *others])
        removal.remove_search(open(), SEARCH, 1)
        gone = set(OF_PREPARATION)
        assert left(open()) == sorted({*OF_RUN, *OF_SEARCH, *USERS, *others} - gone)

    def test_with_nothing_else_in_it_its_directory_goes(self, open: Opener) -> None:
        write(open(), [*OF_RUN, *OF_PREPARATION])
        open().make_directory(SEARCH.models)
        removal.remove_search(open(), SEARCH, 1)
        assert open().list("heart-1") == ["drivers", "run.json", "storage-proof"]

    def test_a_link_in_it_is_not_followed(self, storage: FileStorage) -> None:
        write(storage, [*OF_PREPARATION, "photos/one.jpg"])
        link = pathlib.Path(storage.rooted("heart-1/search-1/driver-000001/link"))
        link.symlink_to(storage.rooted("photos"))
        removal.remove_search(storage, SEARCH, 1)
        assert left(storage) == ["heart-1/search-1/driver-000001/link", "photos/one.jpg"]

    def test_a_model_that_is_a_link_to_a_users_file_is_only_a_link(
        self, storage: FileStorage
    ) -> None:
        write(storage, ["photos/one.jpg"])
        storage.make_directory(SEARCH.models)
        pathlib.Path(storage.rooted(MODEL)).symlink_to(storage.rooted("photos"))
        removal.remove_uncommitted(storage, SEARCH, set())
        assert left(storage) == ["photos/one.jpg"]


class TestNewRun:
    def remove(self, storage: Storage) -> None:
        removal.remove_new_run(storage, "heart-1", 1)
        assert storage.read(RUN.driver(1)), "until all else is gone, the run is its driver's"
        removal.remove_claim(storage, "heart-1", 1)

    def test_all_of_it_goes(self, open: Opener) -> None:
        write(open(), [*OF_RUN, *OF_SEARCH, SEARCH.log(7)])
        self.remove(open())
        assert open().list_all("") == []

    def test_what_a_user_put_there_stays(self, open: Opener) -> None:
        write(open(), [*OF_RUN, *OF_SEARCH, *USERS])
        self.remove(open())
        assert left(open()) == sorted(USERS)


class TestPassing:
    def test_what_trials_read_goes_of_every_driver(self, open: Opener) -> None:
        earlier = [SEARCH.data(2), SEARCH.told_part(2, 1), "heart-1/search-1/data.pkl"]
        write(open(), [*OF_RUN, *OF_SEARCH, *USERS, *earlier])
        removal.remove_passing(open(), SEARCH)
        gone = {SEARCH.data(1), SEARCH.context_state(1, 0), SEARCH.told_part(1, 0)}
        assert left(open()) == sorted({*OF_RUN, *OF_SEARCH, *USERS} - gone)

    def test_of_earlier_drivers_what_only_they_needed(self, open: Opener) -> None:
        mine = [SEARCH.identity(10), SEARCH.hyper_model(10), SEARCH.data(10)]
        write(open(), [*OF_SEARCH, *USERS, *mine])
        removal.remove_earlier(open(), SEARCH, 10)
        kept = [ARRAYS, SEARCH.checkpoint(1, 0), SEARCH.segment(1, 1), MODEL]
        assert left(open()) == sorted([*kept, *mine, *USERS])

    def test_arrays_stay_for_the_next_driver_and_go_with_others_or_at_the_end(
        self, open: Opener
    ) -> None:
        write(open(), [ARRAYS, OTHER_ARRAYS, *USERS])
        removal.remove_arrays(open(), SEARCH, ARRAYS)
        assert left(open()) == sorted([ARRAYS, *USERS])
        removal.remove_arrays(open(), SEARCH)
        assert left(open()) == sorted(USERS)

    def test_they_go_with_the_rest_when_the_search_is_finished(self, open: Opener) -> None:
        write(open(), [ARRAYS, SEARCH.data(1), *USERS])
        removal.remove_passing(open(), SEARCH, is_finished=True)
        assert left(open()) == sorted(USERS)

    def test_a_proof_goes_with_what_workers_left_of_it(self, open: Opener) -> None:
        write(open(), [*OF_RUN, *USERS])
        removal.remove_proof(open(), "heart-1")
        assert left(open()) == sorted([RUN.manifest, RUN.driver(1), *USERS])


class TestModels:
    def test_those_nobody_committed_go_with_their_files(self, open: Opener) -> None:
        beside = [f"{OTHER}.weights", f"{OTHER}/saved/variables", f"{MODEL}.weights"]
        write(open(), [MODEL, *USERS, *beside])
        removal.remove_uncommitted(open(), SEARCH, {MODEL})
        assert left(open()) == sorted([MODEL, f"{MODEL}.weights", *USERS])

    def test_where_the_run_is_called_like_one(self, open: Opener) -> None:
        search = SearchPaths("heart.pkl-1", 1)
        model = search.model(1, "0123456789ab")
        write(open(), [model])
        removal.remove_uncommitted(open(), search, {model})
        assert left(open()) == [model]


class TestPartialFiles:
    def partial(self, path: str) -> str:
        directory, _, name = path.rpartition("/")
        return f"{directory}/{partial_name(name)}" if directory else partial_name(name)

    def test_those_of_earlier_drivers_go(self, storage: FileStorage) -> None:
        mine = [*OF_SEARCH, RUN.manifest, SEARCH.trials, SEARCH.summary, SEARCH.log(7)]
        partial = [self.partial(path) for path in mine if not path.startswith(SEARCH.models)]
        users = [self.partial(path) for path in USERS]
        others = [self.partial(path) for path in (RUN.driver(2), SEARCH.data(2))]
        write(storage, [*OF_RUN, *OF_SEARCH, *USERS, *partial, *users, *others])
        removal.remove_partial_files(storage, "heart-1", 2)
        assert left(storage) == sorted([*OF_RUN, *OF_SEARCH, *USERS, *users, *others])

    def test_in_a_bucket_there_are_none(self, s3: S3Server) -> None:
        removal.remove_partial_files(in_bucket(s3)(), "heart-1", 2)

    def test_with_what_they_are_parts_of_they_go_too(self, storage: FileStorage) -> None:
        write(storage, [self.partial(SEARCH.data(1))])
        removal.remove_search(storage, SEARCH, 1)
        assert left(storage) == []


DELETING = {"rmtree", "unlink", "rmdir", "remove_directory", "delete", "delete_all", "removedirs"}
"""What takes something off a storage or a disk, by any library's name."""

MAY_DELETE = {
    "removal.py": "the one module that decides what of a run is deleted",
    "file_storage.py": "carries it out",
    "files.py": "what it could not write whole",
    "bounded.py": "passes it on",
    "storage.py": "carries it out",
    "s3.py": "carries it out",
    "patience.py": "passes it on",
    "fencing.py": "passes it on",
    "journal.py": "segments that it has joined, by their own names",
    "local_copies.py": "copies of its own making in a temporary folder of their own",
    "embedded.py": "a temporary folder of its own making",
}


@pytest.mark.parametrize("folder", ["search", "driver", "cli"])
def test_no_other_module_deletes_anything(folder: str) -> None:
    package = pathlib.Path(removal.__file__).parent.parent
    found = {
        path.name
        for path in sorted((package / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in DELETING
    }
    assert found <= set(MAY_DELETE)
