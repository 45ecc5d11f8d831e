"""Optuna's ask and tell around Dask's futures, with its random sampler, as its users do it."""

from __future__ import annotations

import pathlib
from typing import Any

import optuna

from benchmarks.drivers.window import run_in_window
from benchmarks.order import Measured, Order
from benchmarks.work import KINDS, REALS, work


def run(order: Order, client: Any, folder: pathlib.Path) -> Measured:
    """Ask for each trial before its task is submitted, and tell what it came to."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
    trials: dict[str, Any] = {}

    def submit() -> Any:
        trial = study.ask()
        reals = [trial.suggest_float(name, 0, 1) for name in REALS]
        trial.suggest_categorical("kind", KINDS)
        future = client.submit(work, reals[0], order.seconds, None, pure=False)
        trials[future.key] = trial
        return future

    def take(future: Any) -> None:
        study.tell(trials.pop(future.key), future.result())

    return run_in_window(order, submit, take)
