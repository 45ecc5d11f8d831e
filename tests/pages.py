"""The pages that people read, and the commands they show.

The comment above each block of commands names it, and the file that runs it as it is written:
a test here, or the workflow. Places that are somebody's own, such as a registry, are put in.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
_MARKED = re.compile(
    r"^<!-- ([\w-]+): (\S+) runs these -->\n```(?:console|bash)\n(.*?)^```", re.S | re.M
)


@dataclass(frozen=True)
class Commands:
    """A block of commands of a page."""

    name: str
    runner: str
    """The file that runs them, below the root."""
    lines: tuple[str, ...]
    """Each command, whole and without its prompt."""

    @property
    def script(self) -> str:
        """All of them, one after the other, as long as none fails."""
        return "\n".join(["set -e", *self.lines])


def fenced(text: str, *languages: str) -> list[str]:
    """The code blocks of a page in one of these languages."""
    return [block for language, block in _BLOCK.findall(text) if language in languages]


def whole_commands(block: str) -> tuple[str, ...]:
    """The commands of a block, those over several lines as one; with prompts or without."""
    joined = re.sub(r"\\\n(?:> )?\s*", "", block)
    if not re.search(r"^\$ ", joined, re.M):
        return tuple(line for line in joined.splitlines() if line)
    return tuple(
        each.rstrip().replace("\n> ", "\n") for each in re.split(r"^\$ ", joined, flags=re.M)[1:]
    )


def marked(page: pathlib.Path) -> list[Commands]:
    """The blocks of a page that say what runs them."""
    return [
        Commands(name, runner, whole_commands(block))
        for name, runner, block in _MARKED.findall(page.read_text())
    ]


def commands(page: str, name: str) -> Commands:
    """One block of the page of this name."""
    (found,) = [each for each in marked(_path(page)) if each.name == name]
    return found


def shown_files(page: pathlib.Path) -> dict[str, str]:
    """The files that a page shows: YAML blocks that begin with their name in a comment."""
    blocks = fenced(page.read_text(), "yaml")
    named = [(re.match(r"# (\S+\.yaml)\n", block), block) for block in blocks]
    return {match[1]: block for match, block in named if match}


def shown_file(page: str, name: str) -> str:
    """One of them, of the page of this name."""
    return shown_files(_path(page))[name]


def _path(page: str) -> pathlib.Path:
    (path,) = [each for each in PAGES if each.name == page]
    return path


def clone(folder: pathlib.Path) -> pathlib.Path:
    """``folder`` as a clone of this project; what commands leave in it is not left in this one."""
    folder.mkdir(exist_ok=True)
    for path in ROOT.iterdir():
        if path.name not in (".git", "workdir"):
            (folder / path.name).symlink_to(path)
    return folder


def run_as_written(
    script: str,
    cwd: pathlib.Path,
    *programs: pathlib.Path,
    put_in: Mapping[str, str] | None = None,
    env: Mapping[str, str | None] | None = None,
    seconds: float = 180.0,
) -> str:
    """What a shell says to ``script``, which ends well, all of it.

    ``programs`` are folders with commands, before those of the path; ``put_in`` is what stands in
    the script for somebody's own places; ``env`` sets variables, or takes them away.
    """
    for word, own in (put_in or {}).items():
        assert word in script, word
        script = script.replace(word, own)
    changed = {**os.environ, **(env or {})}
    changed["PATH"] = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=cwd,
        env={key: value for key, value in changed.items() if value is not None},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = shell.communicate(timeout=seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, said
    return said
