"""The paths of a run: all below it, no two the same."""

from __future__ import annotations

import posixpath

from hyn_k8s.paths import RunPaths, SearchPaths


def properties(paths: RunPaths | SearchPaths) -> dict[str, str]:
    """Every property of ``paths`` with its value."""
    names = [name for name, value in vars(type(paths)).items() if isinstance(value, property)]
    return {name: getattr(paths, name) for name in names}


def search_paths(search: SearchPaths) -> list[str]:
    """Every path of a search, with the models of four executions."""
    models = [search.model(number, execution) for number in (1, 12) for execution in ("a", "b")]
    return [value for name, value in properties(search).items() if name != "name"] + models


def run_paths(run: RunPaths) -> list[str]:
    """Every path of a run, with two workers and three searches."""
    workers = [run.worker_token("node-1"), run.worker_token("node-2")]
    searches = [path for number in (1, 2, 12) for path in search_paths(run.search(number))]
    return [*properties(run).values(), *workers, *searches]


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
    for token in (run.token, run.worker_token("node-1")):
        assert posixpath.dirname(token) == run.proof
