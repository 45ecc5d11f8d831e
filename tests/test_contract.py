"""The contract: no two paths meet, it needs only Python, and its variables name themselves."""

from __future__ import annotations

import ast
import pathlib
import posixpath
import sys

import click
import pytest

from hyn_k8s import contract
from hyn_k8s.cli.run import run as run_command
from hyn_k8s.contract import ExitCode, RunPaths, SearchPaths, Variable


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


def test_the_contract_imports_the_standard_library_only() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(pathlib.Path(contract.__file__).read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
    assert "dataclasses" in imported
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize(("flag", "label"), [("--run", "HYN_RUN_ID (--run)"), (None, "HYN_RUN_ID")])
def test_a_label_names_the_variable_and_the_flag_that_may_have_set_it(
    flag: str | None, label: str
) -> None:
    assert Variable("HYN_RUN_ID", "letters", "a number", "the run's name", flag).label == label


def test_every_variable_is_listed_once() -> None:
    defined = [value for value in vars(contract).values() if isinstance(value, Variable)]
    assert list(contract.VARIABLES) == defined
    assert len({variable.name for variable in defined}) == len(defined)
    assert len({variable.label for variable in defined}) == len(defined)


def test_our_own_variables_are_those_whose_misspellings_are_noticed() -> None:
    others = [
        each.name for each in contract.VARIABLES if not each.name.startswith(contract.PREFIXES)
    ]
    assert others == ["DASK_SCHEDULER_ADDRESS"]


def test_the_flags_are_the_options_of_the_run_command() -> None:
    options = {
        name: option
        for option in run_command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    flagged = {each.flag: each for each in contract.VARIABLES if each.flag}
    # No variables: a restart is not for whoever starts a process again (see Settings.restart), and
    # a SearchJob in a file says what variables would.
    assert set(options) == {*flagged, "--restart", "--file", "-f"}
    for flag, variable in flagged.items():
        assert variable.name in str(options[flag].help)


def test_the_exit_codes_are_those_a_shell_script_may_test() -> None:
    codes = {name: value for name, value in vars(ExitCode).items() if name.isupper()}
    assert codes == {"OK": 0, "FAILED": 1, "USAGE": 2, "LATER": 75, "INTERRUPTED": 130}
