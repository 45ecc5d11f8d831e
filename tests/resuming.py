"""Searches that are interrupted and resumed within a test's process, and what is compared then.

Trials run in this process, one at a time or with three in flight. A ``Recording`` is a whole search
with everything it did to its storage; from it comes what any driver of the search would have left
behind if it had been killed at some moment.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search.activation import activate
from hyn_k8s.search.claims import Place
from hyn_k8s.search.events import Event, Segment, encode
from hyn_k8s.search.execution import Execution, InlineExecution
from hyn_k8s.search.outcome import Ended
from hyn_k8s.search.past import read_past
from hyn_k8s.search.preparation import prepare
from hyn_k8s.search.results import read_trials
from hyn_k8s.search.searching import Search
from hyn_k8s.search.session import Session
from hyn_k8s.search.settings import Settings, StorageSettings
from hyn_k8s.search.state import InFlight
from hyn_k8s.search.storage import Storage
from tests.searches import Diary
from tests.sessions import Notes, search
from tests.storages import Change, Logged, left_after, on_directory

SEED = {"HYN_SEARCH_SEED": "7"}
ORDERED = {**SEED, "HYN_SEARCH_ORDERED": "1"}
"""With a seed, and told in the order of the trials, a search is the same every time."""

Env = Mapping[str, str]

Make = Callable[..., Any]
"""Makes a script's hyper model with the callbacks given; called once for each driver."""


@contextlib.contextmanager
def driver(root: pathlib.Path | str, env: Env = ORDERED) -> Iterator[tuple[Session, Notes]]:
    """A session of a script ``test`` whose trials run in this process."""
    environ = {"HYN_STORAGE_ROOT": str(root), "HYN_SEARCH_BACKEND": "standalone", **env}
    notes = Notes()
    session = activate(Settings.from_env(environ, "/"), "test", notes)
    try:
        yield session, notes
    finally:
        session.close()


def drive(root: pathlib.Path, make: Make, env: Env = ORDERED, **kwargs: Any) -> Any:
    """One driver of the search, to its end; the hyper model."""
    with driver(root, env):
        return search(make(), **kwargs)


def drive_until(
    callback: Interrupt, root: pathlib.Path, make: Make, env: Env = ORDERED, **kwargs: Any
) -> Diary:
    """One driver of the search, up to where the callback interrupts it; what was reported."""
    with driver(root, env), pytest.raises(KeyboardInterrupt):
        search(make(callback), **kwargs)
    return callback


class Interrupt(Diary):
    """Ctrl-C at one trial of a search."""

    def __init__(self, trial: int) -> None:
        super().__init__()
        self.trial = trial

    def meet(self, trial: int) -> None:
        if trial == self.trial:
            raise KeyboardInterrupt


class BeginOf(Interrupt):
    """When the trial begins: what it is given is drawn, and nobody has been told."""

    def on_trial_begin(self, hyper_model: Any, space: Any, trial_no: int) -> None:
        super().on_trial_begin(hyper_model, space, trial_no)
        self.meet(trial_no)


class ReportOf(Interrupt):
    """When the trial has been reported, whatever it has come to.

    With several in flight others may have been told by then, which are reported to the next driver.
    """

    def on_trial_end(self, hyper_model: Any, space: Any, trial_no: int, *args: Any) -> None:
        super().on_trial_end(hyper_model, space, trial_no, *args)
        self.meet(trial_no)

    def on_trial_error(self, hyper_model: Any, space: Any, trial_no: int) -> None:
        super().on_trial_error(hyper_model, space, trial_no)
        self.meet(trial_no)

    def on_skip_trial(
        self, hyper_model: Any, space: Any, trial_no: int, reason: str, *args: Any
    ) -> None:
        super().on_skip_trial(hyper_model, space, trial_no, reason, *args)
        if reason != "resumed":
            self.meet(trial_no)


class Backwards:
    """Of the trials in flight the latest one ends first."""

    def __init__(self, inner: Execution) -> None:
        self._inner = inner
        self._waiting: list[tuple[int, InFlight]] = []

    def submit(self, number: int, asked: InFlight) -> None:
        self._waiting.append((number, asked))

    def send(self) -> bool:
        return True

    def next(self, timeout: float | None = None) -> Ended | None:
        self._inner.submit(*self._waiting.pop())
        return self._inner.next(timeout)

    def wake(self) -> None:
        self._inner.wake()

    def interrupt(self) -> None:
        self._inner.interrupt()

    def cancel(self, stop: bool) -> None:
        self._waiting.clear()


class ThreeInFlight(Search):
    """A search with three trials in flight, although they run in this process."""

    def __init__(self, session: Session, hyper_model: Any, request: Any, window: int) -> None:
        super().__init__(session, hyper_model, request, window)
        self._window = 3


def prepare_backwards(*arguments: Any) -> Execution:
    execution = prepare(*arguments)
    assert isinstance(execution, InlineExecution)
    return Backwards(execution)


def let_three_fly(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on each search of this process has three trials in flight."""
    monkeypatch.setattr("hyn_k8s.search.dispatcher.Search", ThreeInFlight)
    monkeypatch.setattr("hyn_k8s.search.searching.prepare", prepare_backwards)


def keep_every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on each search makes a checkpoint after each trial."""
    monkeypatch.setattr("hyn_k8s.search.journal.Journal.is_checkpoint_due", lambda journal: True)


class Recording:
    """A search from its beginning to its end, and all that was done to its storage meanwhile."""

    def __init__(
        self,
        root: pathlib.Path,
        make: Make,
        monkeypatch: pytest.MonkeyPatch,
        env: Env = ORDERED,
        before: Sequence[Change] = (),
        **kwargs: Any,
    ) -> None:
        """The search is driven at ``root``; ``before`` is what earlier drivers did there."""
        left_after(before, root)
        storages: list[Logged] = []

        def open_logged(settings: StorageSettings) -> Storage:
            storages.append(Logged(settings))
            return storages[-1]

        with monkeypatch.context() as patch:
            patch.setattr("hyn_k8s.search.opening.open_storage", open_logged)
            self.diary = Diary()
            with driver(root, env):
                self.model = search(make(self.diary), **kwargs)
                self.changes = [*before, *storages[0].changes]
        self.paths = SearchPaths("test-1", 1)
        self.storage = on_directory(root)()
        self.events = read_past(self.storage, self.paths).events
        self.states = self._states()
        self.outcome = outcome_of(self.model)
        self.rows = rows_of(self.storage)

    def _states(self) -> dict[int, Change]:
        """The searcher's states that were kept, by how many events there were."""
        found: dict[int, Change] = {}
        for path, data in self.changes:
            match = re.search(r"-(\d{10})\.state$", path)
            if match is not None and data is not None:
                found[int(match[1])] = (path, data)
        return found

    def killed_after(self, changes: int, root: pathlib.Path) -> None:
        """Put at ``root``, instead of any run there, what is left after so many ``changes``."""
        shutil.rmtree(root, ignore_errors=True)
        left_after(self.changes[:changes], root)

    def with_events(
        self, events: Sequence[Event], root: pathlib.Path, states: Sequence[int] = (0,)
    ) -> None:
        """Put at ``root``, instead of any run there, the search with these ``events``.

        It has the latest of these ``states``, those made after so many events each.
        """
        kept = {RunPaths("test-1").manifest, RunPaths("test-1").driver(1), self.paths.identity(1)}
        results = f"{self.paths.directory}/results/"
        left = [change for change in self.changes if change[0] in kept or results in change[0]]
        manifest = next(change for change in left if change[0] == RunPaths("test-1").manifest)
        shutil.rmtree(root / self.paths.run, ignore_errors=True)
        latest = max((n for n in states if n in self.states and n <= len(events)), default=None)
        journal = [] if latest is None else [self.states[latest]]
        if events:
            segment = Segment(Place(1, 1), None, 1.0, tuple(events))
            journal.append((self.paths.segment(1, 1), encode(segment)))
        # The journal is another one than the claim's, so what this says of it is left out.
        left_after([*left, manifest, *journal], root, {"durable": {}})


def outcome_of(model: Any) -> list[tuple[Any, ...]]:
    """What a search has come to, in a form that compares by value."""
    return [
        (t.trial_no, tuple(t.space_sample.vectors), t.reward, t.succeeded, t.model_file is None)
        for t in model.history.trials
    ]


def rows_of(storage: Storage, search: str = "search-1") -> list[tuple[str, ...]]:
    """What people see of a search's trials, apart from times and places."""
    rows = read_trials(storage, "test-1", search)
    took = ("elapsed_seconds", "cpu_seconds", "memory_mb")
    apart = (*took, "worker", "started", "ended", "model")
    return [
        (*(value for name, value in row.items() if name not in apart), str(bool(row["model"])))
        for row in rows
    ]
