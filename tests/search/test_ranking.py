"""What is better: numbers by their direction, then NaN; of several rewards the first decides."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from hyn_k8s.search.ranking import is_ranked, may_be_best, pareto_front, rank

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("direction", "best_first"),
    [("max", [INF, 2.0, 0.0, -2.0, -INF, NAN]), ("min", [-INF, -2.0, 0.0, 2.0, INF, NAN])],
)
def test_numbers_go_by_their_direction_and_nan_is_last(
    direction: str, best_first: list[float]
) -> None:
    for order in itertools.permutations(best_first):
        ranked = sorted(order, key=lambda reward: rank([reward], [direction]))
        assert list(map(str, ranked)) == list(map(str, best_first))


def test_of_equals_the_next_reward_decides_by_its_own_direction() -> None:
    given = [(0.5, 3.0), (0.6, 4.0), (0.6, NAN), (0.6, 2.0), (NAN, 0.0)]
    ranked = sorted(given, key=lambda rewards: rank(rewards, ["max", "min"]))
    assert ranked[:3] == [(0.6, 2.0), (0.6, 4.0), given[2]]
    assert ranked[3:] == [(0.5, 3.0), given[4]]


def test_only_a_number_first_makes_a_best_one() -> None:
    assert may_be_best([-INF])
    assert may_be_best([0.5, NAN])
    assert not may_be_best([NAN, 0.5])
    assert not may_be_best([])


@pytest.mark.parametrize(
    ("rewards", "ranked"),
    [(0.5, True), ([0.5, NAN], True), ((1, True), True), ([None], False), ("0.5", False)],
)
def test_what_is_no_number_has_no_rank(rewards: object, ranked: bool) -> None:
    assert is_ranked(rewards) is ranked


class TestFront:
    def front(self, *given: tuple[float, ...], directions: tuple[str, ...]) -> list[int]:
        """The places in ``given`` of those that no other one dominates."""
        return pareto_front(range(len(given)), lambda place: given[place], directions)

    def test_nan_is_dominated_by_a_number(self) -> None:
        given = [(0.5, NAN), (0.5, 1.0), (NAN, NAN), (0.9, NAN)]
        assert self.front(*given, directions=("max", "min")) == [1, 3]

    def test_one_without_any_number_is_on_none(self) -> None:
        assert self.front((NAN, NAN), directions=("max", "min")) == []
        assert self.front((NAN, NAN), (NAN, 1.0), directions=("max", "min")) == [1]

    def test_the_best_is_always_on_it(self) -> None:
        rng = random.Random(5)
        values = [0.0, 1.0, INF, -INF, NAN]
        for _ in range(300):
            given = [(rng.choice(values), rng.choice(values)) for _ in range(6)]
            directions = (rng.choice(["max", "min"]), rng.choice(["max", "min"]))
            candidates = [place for place, each in enumerate(given) if may_be_best(each)]
            best = min(candidates, key=lambda place: rank(given[place], directions), default=None)
            assert best is None or best in self.front(*given, directions=directions)
