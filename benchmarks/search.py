"""The search of Hypernets, for the systems that run one: four hyper-parameters, nothing to save.

A trial saves no model: how long a storage takes to write one is not what is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil

from benchmarks import upstream
from benchmarks.order import EVOLUTION, Measured, Order
from benchmarks.work import KINDS, REALS, Clock, table, work

upstream.import_hypernets()

from hypernets.core.callbacks import Callback  # noqa: E402
from hypernets.core.ops import HyperInput, ModuleSpace  # noqa: E402
from hypernets.core.search_space import Choice, HyperSpace, Real  # noqa: E402
from hypernets.model import Estimator, HyperModel  # noqa: E402
from hypernets.searchers import EvolutionSearcher, RandomSearcher  # noqa: E402

REWARD = "score"


def space() -> Any:
    """One that is quickly drawn from: drawing is what a searcher costs, not what we do."""
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        reals = {name: Real(0, 1) for name in REALS}
        ModuleSpace(name="m", kind=Choice(list(KINDS)), **reals)(hyper_input)
        made.set_inputs(hyper_input)
    return made


class Trained(Estimator):
    """Trains for as long as it is told."""

    def __init__(self, space_sample: Any, seconds: float) -> None:
        super().__init__(space_sample, "binary")
        self.x = next(
            parameter.value
            for parameter in space_sample.get_assigned_params()
            if parameter.alias == f"m.{REALS[0]}"
        )
        self.seconds = seconds

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Trained:
        self.score = work(float(self.x), self.seconds, X)
        return self

    def evaluate(self, X: Any, y: Any, metrics: Any = None, **kwargs: Any) -> dict[str, float]:
        return {REWARD: self.score}

    def save(self, model_file: str) -> None:
        pass

    def get_iteration_scores(self) -> dict[str, list[float]]:
        return {}


class Model(HyperModel):
    """The hyper model; its trials take ``seconds``."""

    def __init__(self, searcher: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(searcher, reward_metric=REWARD, task="binary", **kwargs)
        self.seconds = seconds

    def _get_estimator(self, space_sample: Any) -> Trained:
        return Trained(space_sample, self.seconds)

    def load_estimator(self, model_file: str) -> Any:
        raise NotImplementedError


class Noting(Callback):
    """Hypernets' callback for a clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def on_trial_end(self, *args: Any, **kwargs: Any) -> None:
        self._clock.note()

    def __reduce__(self) -> Any:
        return Callback, ()  # Hypernets' own dispatcher takes callbacks along with every trial


def searcher(order: Order) -> Any:
    """The searcher of an order."""
    if order.searcher == EVOLUTION:
        return EvolutionSearcher(space, 30, 10, optimize_direction="max", use_meta_learner=True)
    return RandomSearcher(space, optimize_direction="max")


def measured(
    order: Order, kind: Any = Model, workers: Sequence[psutil.Process] = (), **kwargs: Any
) -> Measured:
    """Search as a script does, with a hyper model of that ``kind``, to the end of its trials."""
    clock = Clock(order, workers)
    model = kind(searcher(order), order.seconds, callbacks=[Noting(clock)], **kwargs)
    data = table(order)
    answers = np.zeros(len(data))
    rest = (data[:1], answers[:1])
    model.search(data, answers, *rest, max_trials=order.trials, dataset_id="benchmark")
    return clock.measured()
