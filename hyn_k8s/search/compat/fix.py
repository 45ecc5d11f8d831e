"""What one repair is: since when it is needed, what breaks, how to see it, how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fix:
    """One repair: ``needed`` looks, ``repair`` changes."""

    since: str
    """The release that took something away, or that has the defect."""
    breaks: str
    """What fails without the repair."""
    needed: Callable[[], bool]
    repair: Callable[[], None]


def repair_needed(fixes: Iterable[Fix]) -> None:
    """Make those of ``fixes``, in their order, that are needed here and now."""
    for fix in fixes:
        if fix.needed():
            fix.repair()
