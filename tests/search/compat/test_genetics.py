"""Offspring come to an end and differ, also in spaces where upstream's never do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypernets.model.objectives import create_objective
from hypernets.searchers.genetic import SinglePointMutation
from hypernets.searchers.nsga_searcher import NSGAIISearcher

from tests import searches


class TestMutation:
    def space(self) -> Any:
        return searches.space(["a", "b"])

    @pytest.mark.parametrize("proba", [None, 0.0, 0.7, 1.0])
    def test_each_offspring_differs_in_one_parameter(self, proba: float | None) -> None:
        random_state = np.random.RandomState(3)
        mutation = SinglePointMutation(random_state, 0.7)
        parent = self.space()
        parent.assign_by_vectors([0.5, 50, 0])
        changed = set()
        for _ in range(20):
            offspring = self.space()
            assert mutation.do(parent, offspring, proba) is offspring
            pairs = zip(parent.vectors, offspring.vectors, strict=True)
            (place,) = [n for n, (old, new) in enumerate(pairs) if old != new]
            changed.add(place)
        assert changed == {0, 1, 2}
        assert mutation.random_state is random_state

    def test_the_random_state_decides(self) -> None:
        def offspring(seed: int) -> list[Any]:
            parent, child = self.space(), self.space()
            parent.assign_by_vectors([0.5, 50, 0])
            for parameter in child.get_all_params():
                parameter.random_state = np.random.RandomState(seed)
            SinglePointMutation(np.random.RandomState(seed)).do(parent, child)
            return list(child.vectors)

        assert offspring(1) == offspring(1)
        assert len({tuple(offspring(seed)) for seed in range(10)}) > 1

    def test_a_genetic_search_goes_on_after_its_first_population(self) -> None:
        random_state = np.random.RandomState(5)
        searcher = NSGAIISearcher(
            self.space,
            [create_objective("auc"), create_objective("elapsed")],
            population_size=5,
            random_state=random_state,
        )
        for _ in range(25):
            drawn = searcher.sample()
            assert drawn.all_assigned
            searcher.update_result(drawn, list(random_state.rand(2)))
        assert len(searcher.get_population()) == 5
