"""The commands take what the chart's hooks give them."""

from __future__ import annotations

import pathlib
import re

import click
import pytest

from hyn_k8s.release.__main__ import main

TEMPLATES = pathlib.Path(__file__).parents[2] / "charts" / "hyn-k8s" / "templates"


def options_in(template: str) -> set[str]:
    """The options that a hook's template may give."""
    return set(re.findall(r'"(--[a-z-]+)"', (TEMPLATES / template).read_text()))


def options_of(command: str) -> set[str]:
    found = main.commands[command]
    return {option for each in found.params for option in each.opts if option.startswith("--")}


@pytest.mark.parametrize("command", ["prepare", "suspend"])
def test_a_hook_gives_the_options_that_its_command_has(command: str) -> None:
    template = f"hooks/{command}.yaml"
    assert f'list "{command}"' in (TEMPLATES / template).read_text()
    assert options_in(template) == options_of(command)


def test_no_hook_has_a_command_that_does_not_exist() -> None:
    hooks = {each.stem for each in (TEMPLATES / "hooks").glob("*.yaml")}
    assert {*hooks, "await"} == main.commands.keys()


def parsed(*arguments: str) -> dict[str, object]:
    """What a command is called with, given these words of a hook."""
    name, *rest = arguments
    return main.commands[name].make_context(name, rest).params


def test_all_that_prepare_may_be_given() -> None:
    words = "prepare --release r --release-namespace n --namespaces red,blue --dask-controller"
    assert parsed(*words.split(), "--definitions") == {
        "release": "r",
        "release_namespace": "n",
        "namespaces": "red,blue",
        "dask_controller": True,
        "definitions": True,
    }


def test_the_least_that_prepare_may_be_given() -> None:
    assert parsed("prepare", "--release", "r", "--release-namespace", "n") == {
        "release": "r",
        "release_namespace": "n",
        "namespaces": "",
        "dask_controller": False,
        "definitions": False,
    }


def test_without_its_release_prepare_refuses() -> None:
    with pytest.raises(click.MissingParameter):
        parsed("prepare")


def test_the_test_waits_for_a_search_by_namespace_and_name() -> None:
    template = (TEMPLATES / "tests" / "search.yaml").read_text()
    assert "hyn_k8s.release, await, {{ $namespace | quote }}, {{ $name }}]" in template
    assert parsed("await", "red", "s") == {"namespace": "red", "name": "s"}
