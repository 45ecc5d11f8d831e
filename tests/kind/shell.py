"""Runs programs and says what is going on: building a cluster takes minutes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Mapping

_BEGUN = time.monotonic()
_LAST_LINES = 40


class CommandError(Exception):
    """A program failed; the sentence has its command and the end of what it wrote."""


def say(what: str) -> None:
    """Tell whoever waits what begins now, and after how many seconds."""
    print(f"[{time.monotonic() - _BEGUN:5.0f} s] {what}", file=sys.stderr, flush=True)


def run(
    *command: str | pathlib.Path,
    cwd: pathlib.Path | None = None,
    env: Mapping[str, str] | None = None,
    given: str | None = None,
    seconds: float = 1800.0,
) -> str:
    """What ``command`` writes on standard output; ``given`` is its standard input.

    Raises:
        CommandError: it ended with another code than 0, or not within ``seconds``.
    """
    words = [str(word) for word in command]
    try:
        ended = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except FileNotFoundError:
        raise CommandError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"`{' '.join(words)}` did not end within {seconds:.0f} s") from None
    if ended.returncode:
        said = (ended.stdout + ended.stderr).splitlines()[-_LAST_LINES:]
        line = f"`{' '.join(words)}` ended with {ended.returncode}:"
        raise CommandError("\n".join([line, *said]))
    return ended.stdout


def succeeds(*command: str | pathlib.Path) -> bool:
    """Whether ``command`` is there and ends with 0."""
    try:
        run(*command, seconds=60)
    except CommandError:
        return False
    return True
