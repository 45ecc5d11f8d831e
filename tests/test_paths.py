"""The paths of a run: all below it, no two the same."""

from __future__ import annotations

import posixpath

import pytest

from hyn_k8s.paths import RunPaths, SearchPaths

EXECUTIONS = ("0123456789ab", "ba9876543210")


def properties(paths: RunPaths | SearchPaths) -> dict[str, str]:
    """Every property of ``paths`` with its value."""
    names = [name for name, value in vars(type(paths)).items() if isinstance(value, property)]
    return {name: getattr(paths, name) for name in names}


def search_paths(search: SearchPaths) -> list[str]:
    """Every path of a search, with the models of four executions and the files of two drivers."""
    models = [search.model(number, execution) for number in (1, 12) for execution in EXECUTIONS]
    logs = [search.log(number) for number in (1, 12, 123456)]
    drivers = [path for epoch in (1, 12) for path in driver_paths(search, epoch)]
    named = [value for name, value in properties(search).items() if name != "name"]
    return [*named, *models, *logs, *drivers]


def driver_paths(search: SearchPaths, epoch: int) -> list[str]:
    """Every path of a search that one of its drivers writes."""
    return [
        search.identity(epoch),
        search.hyper_model(epoch),
        search.data(epoch),
        search.context_state(epoch, 0),
        search.told_part(epoch, 3),
        search.segment(epoch, 1),
        search.part(epoch, 1, 7),
        search.checkpoint(epoch, 12),
    ]


def run_paths(run: RunPaths) -> list[str]:
    """Every path of a run, with two workers and three searches."""
    workers = [run.worker_token(epoch, name) for epoch in (1, 2) for name in ("node-1", "node-2")]
    drivers = [path for epoch in (1, 2) for path in (run.token(epoch), run.driver(epoch))]
    searches = [path for number in (1, 2, 12) for path in search_paths(run.search(number))]
    return [*properties(run).values(), *workers, *drivers, *searches]


def test_all_paths_of_a_run_are_below_it() -> None:
    for path in run_paths(RunPaths("heart-1")):
        assert path.startswith("heart-1/")
        assert posixpath.normpath(path) == path
        assert ".." not in path.split("/")


def test_no_two_paths_are_the_same() -> None:
    paths = [path for run in ("heart", "heart-1", "heart-12") for path in run_paths(RunPaths(run))]
    assert len(paths) == len(set(paths)) > 60


def test_all_paths_of_a_search_are_in_its_directory() -> None:
    search = RunPaths("heart-1").search(3)
    assert (search.name, search.directory) == ("search-3", "heart-1/search-3")
    for path in search_paths(search):
        assert path == search.directory or path.startswith(f"{search.directory}/")


def test_no_two_executions_of_a_trial_share_a_model() -> None:
    search = SearchPaths("heart-1", 1)
    assert search.model(7, "a1") == f"{search.models}/00007_a1.pkl"
    assert search.model(7, "a1") != search.model(7, "b2")
    assert search.model(7, "a1") != search.model(8, "a1")


def test_models_list_in_the_order_of_their_trials() -> None:
    search = SearchPaths("heart-1", 1)
    models = [search.model(number, "a") for number in (1, 2, 10, 99, 100, 12345)]
    assert sorted(models) == models


def test_the_tokens_are_inside_what_is_taken_away_at_the_end() -> None:
    run = RunPaths("heart-1")
    for token in (run.token(3), run.worker_token(3, "node-1")):
        assert token.startswith(f"{run.proof}/000003/")


DIRECTORIES = ("drivers", "proof", "directory", "journal", "models", "logs")
"""The properties that name a directory."""


def files_of(run: RunPaths) -> list[str]:
    """Every file that a run may write."""
    searches = [run.search(1), run.search(2, generation=3)]
    directories = {getattr(paths, name, "") for paths in (run, *searches) for name in DIRECTORIES}
    every = [*run_paths(run), *(path for search in searches for path in search_paths(search))]
    results = [search.result(7, EXECUTIONS[0]) for search in searches]
    return [path for path in [*every, *results] if not path.endswith(tuple(directories))]


def test_a_run_owns_every_file_that_it_writes() -> None:
    run = RunPaths("heart-1")
    for path in files_of(run):
        if posixpath.dirname(path) != run.run or "." in posixpath.basename(path):
            assert run.owns(path), path
    assert run.owns("heart-1/search-1/models/00001_0123456789ab.pkl.keras/variables/a.data")
    assert run.owns("heart-1/search-1/data.pkl"), "of an earlier version"


@pytest.mark.parametrize(
    "path",
    [
        "heart-1",
        "heart-1/clients.csv",
        "heart-1/run.json.bak",
        "heart-1/search-1",
        "heart-1/search-1/notes.md",
        "heart-1/search-1/trials.csv.xlsx",
        "heart-1/search-1/models/best.pkl",
        "heart-1/search-1/models/00001_best.pkl",
        "heart-1/search-1/models/1_0123456789ab.pkl",
        "heart-1/search-1/journal/README",
        "heart-1/search-1/logs/00007.txt.bak",
        "heart-1/search-1/logs/notes.txt",
        "heart-1/search-1/journal/000001-00000001.seg/x",
        "heart-1/search-one/trials.csv",
        "heart-1/search-1.bak/trials.csv",
        "heart-1/mine/search-1/trials.csv",
        "heart-12/run.json",
        "run.json",
        "elsewhere/heart-1/run.json",
    ],
)
def test_it_owns_no_other_file(path: str) -> None:
    assert not RunPaths("heart-1").owns(path)


def test_what_the_latest_driver_wrote_is_found() -> None:
    search = SearchPaths("heart-1", 1)
    names = ["search.json", "search-000002.json", "search-000010.json", "search-x.json", "models"]
    assert search.latest_identity(names) == search.identity(10)
    assert search.latest_identity(["search.json"]) == "heart-1/search-1/search.json"
    assert search.latest_identity(["hyper-model-000001.pkl"]) is None
    assert search.latest_hyper_model(["hyper-model-000001.pkl"]) == search.hyper_model(1)
