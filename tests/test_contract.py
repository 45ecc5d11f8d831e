"""The contract: it needs only Python, and its variables name themselves."""

from __future__ import annotations

import ast
import pathlib
import sys
from types import ModuleType

import click
import pytest

from hyn_k8s import contract, paths
from hyn_k8s.cli.run import run as run_command
from hyn_k8s.contract import ExitCode, Variable


@pytest.mark.parametrize("module", [contract, paths])
def test_the_contract_imports_the_standard_library_only(module: ModuleType) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(pathlib.Path(str(module.__file__)).read_text())):
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
