"""Every Helm command that the docs show is one that Helm takes, with this chart and its values."""

from __future__ import annotations

import argparse
import pathlib
import re
import shlex
import subprocess

import pytest

from tests.chart.rendering import CHART, KUBERNETES, objects_of
from tests.pages import PAGES, ROOT, marked, shown_files, whole_commands
from tests.pages import commands as commands_of

pytestmark = pytest.mark.helm

MANIFESTS = sorted((ROOT / "manifests").rglob("*.yaml"))
VALUES = ("--values", "--set", "--set-string", "--set-json", "--set-file")
"""Flags that say values; ``helm template`` has them too."""


def lines(page: pathlib.Path) -> list[str]:
    """The commands of a page: those of its blocks, or of comments."""
    if page.suffix == ".md":
        return [line for block in marked(page) for line in block.lines]
    comments = "\n".join(re.findall(r"^\s*# ?(.*)$", page.read_text(), re.M))
    return [line.strip() for line in whole_commands(comments)]


def commands() -> list[tuple[pathlib.Path, str]]:
    """Every ``helm install`` and ``helm upgrade``, with the page it is on."""
    return [
        (page, line)
        for page in (*PAGES, *MANIFESTS)
        for line in lines(page)
        if re.match(r"helm\b.*\b(install|upgrade)\s", line)
    ]


COMMANDS = commands()


def parsed(command: str) -> argparse.Namespace:
    """The command's words; it ends the test if a flag is none that is known here."""
    parser = argparse.ArgumentParser(prog="helm", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("verb", choices=["install", "upgrade"])
    parser.add_argument("release")
    parser.add_argument("chart")
    parser.add_argument("--namespace", "-n")
    parser.add_argument("--timeout")
    for flag in ("create-namespace", "wait", "install", "reuse-values", "reset-then-reuse-values"):
        parser.add_argument(f"--{flag}", action="store_true")
    for flag in VALUES:
        short = ["-f"] if flag == "--values" else []
        parser.add_argument(flag, *short, action="append", default=[])
    _, *words = shlex.split(command, comments=True)
    return parser.parse_args(words)


def test_there_are_some() -> None:
    assert len(COMMANDS) > 8
    assert any(page.name == "README.md" for page, _ in COMMANDS)


@pytest.mark.parametrize(
    ("page", "command"), COMMANDS, ids=[f"{page.name}: {line}" for page, line in COMMANDS]
)
def test_it_renders(helm: str, tmp_path: pathlib.Path, page: pathlib.Path, command: str) -> None:
    assert "..." not in command
    assert not re.search(r"<\w+>", command)
    given = parsed(command)
    assert (ROOT / given.chart).resolve() == CHART
    words = [helm, "template", given.release, str(CHART), "--kube-version", KUBERNETES]
    words += ["--namespace", given.namespace or "default"]
    shown = shown_files(page)
    for name in given.values:
        path = ROOT / name
        if name in shown:
            path = tmp_path / name
            path.write_text(shown[name])
        words += ["--values", str(path)]
    for flag in VALUES[1:]:
        for value in getattr(given, flag.removeprefix("--").replace("-", "_")):
            words += [flag, value]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert objects_of(done.stdout)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_values_file_that_is_shown_is_used(page: pathlib.Path) -> None:
    used = {name for where, command in COMMANDS if where == page for name in parsed(command).values}
    assert {*shown_files(page)} <= used


def test_the_command_for_the_definitions_alone_gives_them_all() -> None:
    """What the docs have ``awk`` cut out of install.yaml."""
    program, applied = commands_of("chart.md", "definitions").lines[0].split(" | ")
    assert applied.startswith("kubectl apply")
    done = subprocess.run(shlex.split(program), capture_output=True, text=True, cwd=ROOT)
    assert [each["kind"] for each in objects_of(done.stdout)] == ["CustomResourceDefinition"] * 5
