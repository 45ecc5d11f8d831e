"""The account that a search gives of itself: what is shown while it runs, and what it leaves.

Progress goes to the session's reporter, and rows to the results on the storage: at the search's
end, and in between now and then. What another driver may have written since is not overwritten.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from hyn_k8s.errors import SearchError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import removal
from hyn_k8s.search.memos import StoredMemo
from hyn_k8s.search.outcome import SUCCEEDED
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.results import Recorder, SearchFacts
from hyn_k8s.search.session import Session
from hyn_k8s.search.state import Report

FINISHED_STATES = ("finished", "stopped")


class Account:
    """Of the search of ``session`` at ``paths``."""

    def __init__(self, session: Session, paths: SearchPaths, facts: SearchFacts) -> None:
        self._session = session
        self._paths = paths
        self._recorder = Recorder(session.storage, paths, facts)
        self.progress = Progress(
            search=f"{paths.run}/{paths.name}",
            total=facts.max_trials,
            directions=facts.directions,
            reward=facts.rewards[0],
            begun=time.time(),
        )
        self._has_result = False
        """Whether some number has a reward, were it that of an earlier search's trial."""
        self._values: set[str] = set()
        """The files of values that memos of the search's trials refer to."""
        self._pareto: list[int] = []
        """The trials that no other one beats, once the search has ended."""

    def take_past(self, reports: Sequence[Report], workers_lost: int, processes_lost: int) -> None:
        """Count what an earlier driver did; it is shown with whatever comes next."""
        progress = self.progress
        for report in reports:
            self._add(report)
            progress = _with(progress, report)
        self.progress = dataclasses.replace(
            progress,
            workers_lost=workers_lost,
            processes_lost=processes_lost,
            resumed=progress.done,
            begun=time.time(),
            dashboard=self._session.dashboard,
        )

    def take(self, report: Report) -> None:
        """A trial has come to something."""
        self._add(report)
        self.show(_with(self.progress, report))
        if self._recorder.is_due():
            self._recorder.write(self.progress, "running", [])

    def _add(self, report: Report) -> None:
        self._recorder.add(report.row, report.failure)
        self._has_result |= bool(report.row.rewards)
        memo = getattr(report.trial, "memo", None)
        if isinstance(memo, StoredMemo):
            self._values.add(memo.blob.path)

    def note_loss(self, process: bool) -> None:
        """A trial has lost its worker, or only its ``process``."""
        self.show(self.progress.with_loss(process))

    def note_running(self, running: int) -> None:
        """So many trials are in flight."""
        if running != self.progress.running:
            self.show(self.progress.with_running(running))

    def show(self, progress: Progress) -> None:
        """Let the user see this ``progress``."""
        self.progress = progress
        self._session.reporter.show(progress)

    def end(self) -> None:
        """Nothing more comes in; let the user see where that leaves the search."""
        self._pareto = self._recorder.pareto()
        self.show(self.progress.finished(len(self._pareto) or None))

    def write(self, state: str) -> None:
        """Write the results of the search, which has ended in ``state``.

        Raises:
            RunTakenError: another driver has claimed the run.
            StorageError: the storage is away.
        """
        storage = self._session.storage
        committed = self._recorder.committed_models() | self._values
        # Space is freed first: a full storage may be why the search ends.
        removal.remove_passing(storage, self._paths, state in FINISHED_STATES)
        if state in FINISHED_STATES:  # else some may be journaled, and not yet reported
            removal.remove_uncommitted(storage, self._paths, committed)
        self._recorder.write(self.progress, state, self._pareto)
        if state in FINISHED_STATES:
            self.finish()

    def finish(self) -> None:
        """Nothing is left to do; whether anything has come of it is for the session to tell."""
        progress = self.progress
        self._session.unfinished.discard(self._paths)
        unsuccessful = progress.failed + progress.pruned
        if unsuccessful and not progress.succeeded and not self._has_result:
            last = progress.last_error or "none failed, all were pruned"
            self._session.errors.append(SearchError(progress.search, unsuccessful, last))


def _with(progress: Progress, report: Report) -> Progress:
    row = report.row
    rewards = row.rewards if row.status == SUCCEEDED else None
    error = f"{row.detail} (trial {row.trial})" if report.failure else None
    return progress.with_trial(
        row.trial,
        row.status,
        rewards,
        error,
        hyperparameters=row.hyperparameters,
        model=row.model,
    )
