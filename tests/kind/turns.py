"""Turns: what is built once is built by one thread of one process, and others wait for it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from tests.kind.pins import cache


@contextlib.contextmanager
def turn(name: str) -> Iterator[None]:
    """Within, nobody else on this machine has the turn of this name."""
    folder = cache() / "turns"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
