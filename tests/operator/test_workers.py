"""How many workers there are: nobody who trains is taken away."""

from __future__ import annotations

from typing import Any

import pytest

from hyn_k8s.documents import Stage
from hyn_k8s.operator.actions import Delete, Patch
from hyn_k8s.operator.workers import (
    HEAL_SECONDS,
    HEALED_ANNOTATION,
    SCALED_ANNOTATION,
    scaling,
    workers_wanted,
)
from tests.operator.objects import ago, cluster, progress, scheduler, seen, worker, worker_pod


def ids(*numbers: int) -> tuple[str, ...]:
    return tuple(worker(number)["metadata"]["name"] for number in numbers)


def scaled(
    wanted: int | None,
    there: int = 3,
    asked: int = 3,
    idle: tuple[int, ...] = (),
    absent: tuple[int, ...] = (),
    changed: float = 20,
    back_to: int | None = None,
) -> tuple[list[str], int | None]:
    """Which workers are deleted, and how many are asked for if that changes."""
    deployments = [worker(number, 0 if number in absent else 1) for number in range(there)]
    pods = [
        worker_pod(number, phase="Pending" if number in absent else "Running")
        for number in range(there)
    ]
    says = None if wanted is None else progress(wanted=wanted, idle_workers=ids(*idle))
    found = seen(
        deployments=(scheduler(), *deployments),
        pods=tuple(pods),
        progress=says,
        spec={"executors": 5},
    )
    annotations = {SCALED_ANNOTATION: ago(changed)}
    if back_to is not None:
        annotations[HEALED_ANNOTATION] = str(back_to)
    actions = scaling(found, cluster(asked, annotations=annotations))
    deleted = [action.ref.name for action in actions if isinstance(action, Delete)]
    patches = [action for action in actions if isinstance(action, Patch)]
    assert len(patches) <= 1
    replicas: Any = patches[0].changes["spec"]["worker"]["replicas"] if patches else None
    return deleted, replicas


def test_as_many_as_are_wanted_are_left_alone() -> None:
    assert scaled(wanted=3, idle=(0, 1, 2)) == ([], None)


def test_they_grow_at_once() -> None:
    assert scaled(wanted=5, changed=0) == ([], 5)


def test_they_never_grow_beyond_the_executors_nor_to_none() -> None:
    assert workers_wanted(seen(progress=progress(wanted=99), spec={"executors": 5})) == 5
    assert workers_wanted(seen(progress=progress(wanted=0))) == 1


def test_nobody_knows_while_no_driver_says() -> None:
    assert workers_wanted(seen()) is None
    assert workers_wanted(seen(progress=progress(Stage.WORKER, wanted=1))) is None
    assert scaled(wanted=None) == ([], None)


class TestShrinking:
    def test_those_that_never_came_go_first(self) -> None:
        assert scaled(wanted=1, idle=(0, 1), absent=(2,)) == ([*ids(2, 0)], None)

    def test_a_worker_that_trains_is_never_taken(self) -> None:
        assert scaled(wanted=1, idle=()) == ([], None)
        assert scaled(wanted=1, idle=(1,)) == ([*ids(1)], None)

    def test_one_that_is_both_is_counted_once(self) -> None:
        assert scaled(wanted=1, idle=(2, 1), absent=(2,)) == ([*ids(2, 1)], None)

    def test_no_more_go_than_are_too_many(self) -> None:
        assert scaled(wanted=2, idle=(0, 1, 2)) == ([*ids(0)], None)

    def test_the_number_follows_when_they_have_gone(self) -> None:
        assert scaled(wanted=1, there=2, asked=3) == ([], 2)
        assert scaled(wanted=2, there=2, asked=3) == ([], 2)

    def test_nobody_goes_while_a_change_settles(self) -> None:
        assert scaled(wanted=1, idle=(0, 1, 2), absent=(2,), changed=5) == ([], None)


LIVES: list[tuple[dict[str, Any], bool]] = [
    ({"state": {"waiting": {"reason": "CrashLoopBackOff"}}}, True),
    ({"state": {"terminated": {"exitCode": 137}}}, True),
    ({"state": {"running": {}}}, False),
    ({"name": "mesh", "state": {"terminated": {"exitCode": 0}}}, False),
]


@pytest.mark.parametrize(("container", "goes"), LIVES)
def test_one_whose_process_has_ended_has_no_trial_and_may_go(
    container: dict[str, Any], goes: bool
) -> None:
    found = seen(
        deployments=(scheduler(), worker(0), worker(1, 0)),
        pods=(worker_pod(0), worker_pod(1, container=container)),
        progress=progress(wanted=1),
    )
    deleted = [
        action.ref.name for action in scaling(found, cluster(2)) if isinstance(action, Delete)
    ]
    assert deleted == ([*ids(1)] if goes else [])


class TestHealing:
    LONG = HEAL_SECONDS + 10

    def test_a_worker_that_somebody_took_away_is_asked_for_again(self) -> None:
        assert scaled(wanted=3, there=2, changed=self.LONG) == ([], 2)
        assert scaled(wanted=3, there=2, changed=4, back_to=3) == ([], 3)

    def test_dasks_controller_gets_its_time(self) -> None:
        assert scaled(wanted=3, there=2, changed=self.LONG - 20) == ([], None)

    def test_the_two_changes_do_not_come_together(self) -> None:
        assert scaled(wanted=3, there=2, changed=1, back_to=3) == ([], None)


def test_workers_of_an_earlier_search_of_the_name_are_not_counted() -> None:
    foreign = worker(7)
    foreign["metadata"]["labels"]["hyn-k8s.dev/search-uid"] = "another"
    found = seen(deployments=(foreign, worker(1)), progress=progress(wanted=1))
    assert scaling(found, cluster(1)) == []
