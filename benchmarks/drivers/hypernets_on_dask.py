"""Hypernets 0.3.2's own dispatcher for Dask, with the least that lets it finish a trial.

It gives a trial's model file as the sixth argument, where there is another one by now, and takes
the reward for a number, which is a list by now: so every trial of a search fails.
"""

from __future__ import annotations

import pathlib
from typing import Any

from benchmarks import search
from benchmarks.order import Measured, Order


class Mended(search.Model):
    """A hyper model whose trials take and give what the dispatcher thinks they do."""

    def _run_trial(
        self, sample: Any, number: int, X: Any, y: Any, *evaluated: Any, **kwargs: Any
    ) -> Any:
        X_eval, y_eval, model_file = evaluated
        trial = super()._run_trial(
            sample, number, X, y, X_eval, y_eval, model_file=model_file, **kwargs
        )
        trial.reward = trial.reward[0]
        return trial


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Run the search through it; it takes the client that there is."""
    from hypernets.dispatchers.cfg import DispatchCfg
    from hypernets.dispatchers.dask.dask_dispatcher import DaskDispatcher

    DispatchCfg.dask_search_executors = order.in_flight
    return search.measured(order, Mended, dispatcher=DaskDispatcher(str(folder / "work")))
