"""Hypernets' history of a search and nothing else: what its trials take in memory by themselves.

With one random state for all samples. Without, each of their parameters has one of its own, and a
trial takes more than twice as much.
"""

from __future__ import annotations

import pathlib
from typing import Any

from benchmarks import search
from benchmarks.order import Measured, Order
from benchmarks.work import Clock


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Put as many trials into a history as the search would have."""
    from hypernets.core import set_random_state
    from hypernets.core.trial import Trial

    set_random_state(1)
    model = search.Model(search.searcher(order), order.seconds)
    clock = Clock(order)
    for number in range(1, order.trials + 1):
        sample = model.searcher.sample()
        trial = Trial(sample, number, [float(number)], 0.0, f"{number}.pkl", succeeded=True)
        trial.memo = {"scores": {search.REWARD: 0.5}}
        trial.iteration_scores = {}
        model.history.trials.append(trial)
        clock.note()
    return clock.measured()
