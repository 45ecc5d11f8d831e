"""Workers that trials keep away from for a while, because the storage failed there.

One node's mount may break while those of all others work. Its workers end every trial at once, so
the scheduler thinks them idle and gives them the next; a trial that is begun again has to go
elsewhere. Where the storage fails everywhere nobody is avoided.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

AVOIDED_SECONDS = 30.0
"""For how long; then a trial tries again whether the worker's storage is back."""


class AvoidedWorkers:
    """Workers by address."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, address: str) -> None:
        """The storage has just failed at ``address``."""
        self._until[address] = monotonic() + AVOIDED_SECONDS

    def others(self, addresses: Iterable[str]) -> list[str] | None:
        """Those of ``addresses`` that a trial may go to; None if any will do."""
        now = monotonic()
        self._until = {address: until for address, until in self._until.items() if until > now}
        every = list(addresses)
        others = [address for address in every if address not in self._until]
        return others if 0 < len(others) < len(every) else None
