"""How many workers are wanted: more at once, fewer after a while."""

from __future__ import annotations

import pytest

from hyn_k8s.driver.demand import SHRINK_AFTER_SECONDS, Demand, may_go


def test_all_are_wanted_before_the_first_search() -> None:
    assert Demand(4).wanted(0.0) == 4


@pytest.mark.parametrize(("left", "wanted"), [(100, 4), (4, 4), (3, 3), (1, 1), (0, 1)])
def test_as_many_as_trials_are_left(left: int, wanted: int) -> None:
    demand = Demand(4)
    demand.note(left, 0.0)
    assert demand.wanted(SHRINK_AFTER_SECONDS) == wanted


def test_fewer_are_wanted_only_after_a_while() -> None:
    demand = Demand(4)
    demand.note(2, 100.0)
    assert demand.wanted(100.0) == demand.wanted(129.9) == 4
    assert demand.wanted(130.0) == 2


def test_each_step_down_has_its_own_while() -> None:
    demand = Demand(4)
    for left, now in ((3, 100.0), (2, 110.0), (1, 120.0)):
        demand.note(left, now)
    assert [demand.wanted(now) for now in (129.0, 130.0, 140.0, 150.0)] == [4, 3, 2, 1]


def test_more_are_wanted_at_once() -> None:
    demand = Demand(4)
    demand.note(1, 100.0)
    assert demand.wanted(140.0) == 1
    demand.note(3, 141.0)
    assert demand.wanted(141.0) == 3


def test_a_search_that_follows_soon_shrinks_nothing() -> None:
    demand = Demand(4)
    demand.note(0, 100.0)
    demand.note(50, 120.0)
    demand.note(0, 140.0)
    assert demand.wanted(169.0) == 4
    assert demand.wanted(170.0) == 1


@pytest.mark.parametrize(
    ("tasks", "wanted", "names"),
    [
        ({"a": 0, "b": 1, "c": 0}, 1, ("a", "c")),
        ({"a": 0, "b": 1, "c": 0}, 2, ("a",)),
        ({"b": 0, "a": 0}, 1, ("a",)),
        ({"a": 0, "b": 0}, 2, ()),
        ({"a": 0, "b": 0}, 3, ()),
        ({"a": 1, "b": 2}, 1, ()),
        ({}, 1, ()),
    ],
)
def test_only_idle_ones_may_go_and_no_more_than_are_too_many(
    tasks: dict[str, int], wanted: int, names: tuple[str, ...]
) -> None:
    assert may_go(tasks, wanted) == names
