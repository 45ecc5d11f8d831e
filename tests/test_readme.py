"""The README says what is so: its table of settings, its files, its commands."""

from __future__ import annotations

import re
import shlex

import pytest

from hyn_k8s import contract
from hyn_k8s.cli import main
from tests.pages import ROOT, marked

README = (ROOT / "README.md").read_text()


def settings_table() -> list[str]:
    """The table as the contract would write it."""
    rows = ["| variable | flag | accepted | default | decides |", "|---|---|---|---|---|"]
    for each in contract.VARIABLES:
        flag = f"`{each.flag}`" if each.flag else ""
        cells = [f"`{each.name}`", flag, each.accepted, each.default, each.meaning]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def test_the_table_of_settings_is_the_contracts() -> None:
    assert "\n".join(settings_table()) in README


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 5
    for link in links:
        assert link.startswith(("https://", "#")) or (ROOT / link).exists(), link


def commands() -> list[list[str]]:
    """Every ``hyn-k8s`` command that the README shows."""
    return [
        shlex.split(line.partition(">")[0], comments=True)[1:]
        for block in marked(ROOT / "README.md")
        for line in block.lines
        if line.startswith("hyn-k8s ")
    ]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_one_the_program_takes(command: list[str]) -> None:
    name, *arguments = command
    main.commands[name].make_context(name, arguments, resilient_parsing=False)


def test_what_is_made_are_targets_of_the_makefile() -> None:
    heads = re.findall(r"^([a-z0-9 -]+):(?!=)", (ROOT / "Makefile").read_text(), re.M)
    shown = re.findall(r"(?:^(?:\$ )?|`)make ([a-z0-9-]+)", README, re.M)
    assert shown[:2] == ["demo", "kind-up"]
    assert set(shown) <= {target for head in heads for target in head.split()}
