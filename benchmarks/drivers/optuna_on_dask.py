"""Optuna's ask and tell around Dask's futures, with its random sampler, as its users do it."""

from __future__ import annotations

import pathlib
from typing import Any

import optuna
from distributed import as_completed

from benchmarks.order import Measured, Order
from benchmarks.work import KINDS, REALS, Clock, work


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Ask for a window of trials, and for another one whenever one was told."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
    clock = Clock(order)
    trials: dict[str, Any] = {}

    def submit() -> Any:
        trial = study.ask()
        reals = [trial.suggest_float(name, 0, 1) for name in REALS]
        trial.suggest_categorical("kind", KINDS)
        future = client.submit(work, reals[0], order.seconds, None, pure=False)
        trials[future.key] = trial
        return future

    first = min(order.in_flight, order.trials)
    left = order.trials - first
    running = as_completed([submit() for _ in range(first)])
    for future in running:
        study.tell(trials.pop(future.key), future.result())
        clock.note()
        if left:
            left -= 1
            running.add(submit())
    return clock.measured()
