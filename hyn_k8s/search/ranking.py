"""Which trial is better: the one place that decides it, for whoever shows or asks for the best.

``rank([0.5, 3.0], ["max", "min"])`` sorts before the rank of any rewards that are worse. The first
reward decides, of equals the next one, and of trials that are equal in all the one told first. So
the best trial is on the Pareto front.

Infinity is a number: the best of all where it is on the better side. NaN is worse than any number,
in both directions. A trial whose first reward is NaN is never the best, not even while there is
no other one; one that has no number at all is on no front.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Rank = tuple[tuple[bool, float], ...]
"""Of each reward whether it is NaN, and the number by which less is better."""


def rank(rewards: Sequence[float], directions: Sequence[str]) -> Rank:
    """What sorts ``rewards``, the best first; each of ``directions`` is ``max`` or ``min``."""
    return tuple(
        (True, 0.0) if math.isnan(reward) else (False, -reward if way == "max" else reward)
        for reward, way in zip(map(float, rewards), directions, strict=False)
    )


def may_be_best(rewards: Sequence[float]) -> bool:
    """Whether a trial with these ``rewards`` can be the best one: its first is a number."""
    return bool(rewards) and not math.isnan(rewards[0])


def pareto_front(
    entries: Iterable[T], rewards: Callable[[T], Sequence[float]], directions: Sequence[str]
) -> list[T]:
    """Those of ``entries`` that no other one dominates, in their order."""
    front: list[T] = []
    for each in entries:
        front = front_with(front, each, rewards, directions)
    return front


def front_with(
    front: list[T], entry: T, rewards: Callable[[T], Sequence[float]], directions: Sequence[str]
) -> list[T]:
    """``front`` after ``entry``; one outside it dominates none inside."""
    if all(math.isnan(reward) for reward in rewards(entry)):
        return front
    new = rank(rewards(entry), directions)
    ranks = [rank(rewards(each), directions) for each in front]
    if any(_dominates(each, new) for each in ranks):
        return front
    kept = [each for each, old in zip(front, ranks, strict=True) if not _dominates(new, old)]
    return [*kept, entry]


def is_ranked(rewards: Any) -> bool:
    """Whether ``rank`` has an answer for them: a number, or a list or tuple of numbers."""
    values = rewards if isinstance(rewards, (list, tuple)) else [rewards]
    return all(isinstance(value, numbers.Real) for value in values)


def _dominates(one: Rank, other: Rank) -> bool:
    """Whether ``one`` is nowhere worse than ``other`` and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=False))
