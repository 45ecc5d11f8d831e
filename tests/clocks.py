"""A clock for tests of leases: the machine can sleep without anybody waiting for it."""

from __future__ import annotations

import pytest

from hyn_k8s.search import claims


class Clock:
    """Goes on as the real one does, and ahead when the machine sleeps."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return claims.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        """The machine is suspended, and wakes after ``seconds``."""
        self._ahead += seconds


def clock_of_leases(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that all leases of this process go by, until the test is over."""
    clock = Clock()
    monkeypatch.setattr("hyn_k8s.search.lease.now", clock)
    return clock
