"""Keeps what a driver knows of its run, for whoever asks at any moment.

It is the session's reporter: the search gives it each change of progress and each sentence, in
whichever thread, and goes on at once. It passes them on to the pod's log and keeps the latest;
documents are made of that only when somebody asks for one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hyn_k8s import documents
from hyn_k8s.documents import Cause, Problem, Stage, Standing
from hyn_k8s.driver.demand import Demand
from hyn_k8s.driver.problems import Noted, Veil, problem_of
from hyn_k8s.driver.standing import ordinal_of, standing_of
from hyn_k8s.errors import WorkerError
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.reporting import Reporter
from hyn_k8s.search.trouble import Trouble


class DriverReporter:
    """Of a run on the storage ``root``; ``log`` takes whatever comes.

    ``workers`` is how many a search can have at most, None where trials need none of a cluster.
    """

    def __init__(
        self,
        log: Reporter,
        root: str,
        workers: int | None,
        veil: Veil,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._root = root
        self._demand = None if workers is None else Demand(workers)
        self._veil = veil
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = Stage.SCHEDULER
        self._awaited: Problem | None = None
        self._noted: Noted | None = None
        self._searches: dict[int, Progress] = {}
        self._idle: tuple[str, ...] = ()

    def show(self, progress: Progress) -> None:
        with self._lock:
            if self._noted is not None and self._noted.problem.cause is Cause.TAKEN:
                self._noted = None  # a search shows progress once this driver has the run
            self._searches[ordinal_of(progress)] = progress
            if self._stage is not Stage.ENDED:
                self._stage = Stage.SEARCH
            if self._demand is not None:
                left = 0 if progress.ended else progress.total - progress.done
                self._demand.note(left, self._clock())
        self._log.show(progress)

    def tell(self, sentence: str) -> None:
        if isinstance(sentence, Trouble):
            problem = self._veil(Problem(problem_of(sentence.error).cause, sentence))
            of_worker = isinstance(sentence.error, WorkerError)
            with self._lock:
                self._noted = Noted(problem, self._clock(), self._done(), of_worker)
        self._log.tell(sentence)

    def close(self) -> None:
        self._log.close()

    def enter(self, stage: Stage, awaited: Problem | None = None) -> None:
        """The run is at ``stage`` now, and may be waiting for something there."""
        awaited = awaited and self._veil(awaited)
        with self._lock:
            self._stage, self._awaited = stage, awaited
        if awaited:
            self._log.tell(f"Waiting: {awaited.message}")

    def note_idle(self, names: tuple[str, ...]) -> None:
        """These workers may go."""
        self._idle = names

    def workers_wanted(self) -> int:
        """How many workers can be kept busy; 0 where trials need none."""
        with self._lock:
            return self._demand.wanted(self._clock()) if self._demand else 0

    def standing(self) -> Standing:
        """What there is of the run."""
        with self._lock:
            searches = list(self._searches.values())
        return standing_of(searches, self._root)

    def progress(self) -> documents.Progress:
        """How the run stands at this moment."""
        with self._lock:
            stage, searches = self._stage, list(self._searches.values())
            problem = self._awaited
            noted, done = self._noted, self._done()
        if problem is None and noted is not None and noted.stands(self._clock(), done):
            problem = noted.problem
        latest = max(searches, key=ordinal_of, default=None)
        return documents.Progress(
            stage=stage,
            standing=standing_of(searches, self._root),
            eta_seconds=_eta(latest),
            workers_wanted=self.workers_wanted(),
            idle_workers=self._idle,
            problem=problem,
        )

    def _done(self) -> int:
        return sum(each.done for each in self._searches.values())


def _eta(latest: Progress | None) -> float | None:
    if latest is None or latest.ended is not None:
        return None
    return latest.eta_seconds(time.time())
