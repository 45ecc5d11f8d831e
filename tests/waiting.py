"""Waits until something holds, with a deadline, and shows the last thing seen when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, seconds: float = 150.0, every: float = 0.05) -> T:
    """What ``look`` returns as soon as that is true; AssertionError after ``seconds``.

    It is called again ``every`` so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, (
            f"not within {seconds:.0f} s: {what}; last seen {seen!r}"
        )
        time.sleep(every)


def last_for(seconds: float) -> None:
    """Let a fault last, where how long is what a test is about."""
    over = time.monotonic() + seconds
    until(lambda: time.monotonic() >= over, "the end of the fault", seconds + 10)
