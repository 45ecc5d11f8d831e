"""Clocks for tests: machines sleep and hours pass without anybody waiting for them."""

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


class StandingClock:
    """Stands in for the module ``time``: its monotonic clock stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now
