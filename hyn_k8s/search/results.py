"""What a search leaves on the storage for people: trials.csv, failures.txt, summary.json.

A row a trial with every hyper-parameter as a column, the whole traceback of each failed trial,
and a summary that names the best one. ``Recorder`` collects while the search runs and writes at
its end, and in between often enough that a lost driver costs little. ``read_summaries``
and ``read_trials`` are the way back for the command line, ``best_model`` for scripts.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from hyn_k8s.errors import RunError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search.manifests import FORMAT_VERSION, Runs, read_manifest, read_runs
from hyn_k8s.search.outcome import SUCCEEDED, Failure
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.ranking import pareto_front
from hyn_k8s.search.rows import Row, TrialsCsv, finite, plain, timestamp
from hyn_k8s.search.storage import Storage

FIRST_WRITE_SECONDS = 10.0
"""After how long a running search is first written down; later writes keep to 2 % of the time."""


@dataclasses.dataclass(frozen=True)
class SearchFacts:
    """What is known of a search when it begins; part of its summary."""

    hyper_model: str
    searcher: str
    rewards: tuple[str, ...]
    directions: tuple[str, ...]
    max_trials: int
    executors: int
    cv: bool


class Recorder:
    """Collects the rows of one search and writes them to its directory."""

    def __init__(self, storage: Storage, paths: SearchPaths, facts: SearchFacts) -> None:
        self._storage = storage
        self._paths = paths
        self._facts = facts
        self._rows: list[Row] = []
        self._csv = TrialsCsv(facts.rewards)
        self._failures: list[str] = []
        self._written_at = time.monotonic()
        self._interval = FIRST_WRITE_SECONDS

    def add(self, row: Row, failure: Failure | None = None) -> None:
        """Take one trial that has come to something."""
        self._rows.append(row)
        self._csv.add(row)
        if failure is not None:
            self._failures.append(f"trial {row.trial}\n{failure.traceback.rstrip()}\n")

    def committed_models(self) -> set[str]:
        """The models of accepted trials, relative to the storage root."""
        return {row.model for row in self._rows if row.model}

    def pareto(self) -> list[int]:
        """The trials that no other one beats in every reward; none with a single reward."""
        if len(self._facts.rewards) < 2:
            return []
        rows = [row for row in self._rows if row.status == SUCCEEDED]
        front = pareto_front(rows, lambda row: row.rewards, self._facts.directions)
        return [row.trial for row in front]

    def is_due(self) -> bool:
        """Whether the last time it wrote is long enough ago to write again."""
        return time.monotonic() - self._written_at >= self._interval

    def write(self, progress: Progress, state: str, pareto: Sequence[int]) -> None:
        """Write everything known; ``pareto`` holds the trials no other one dominates.

        ``state`` is running, finished, stopped (early), interrupted or failed. The summary comes
        last, so that what it speaks of is there.
        """
        began = time.monotonic()
        if self._failures:
            failures = "\n".join(self._failures).encode(errors="backslashreplace")
            self._storage.write(self._paths.failures, failures)
        self._storage.write(self._paths.trials, self._csv.encoded())
        summary = self._summary(progress, state, pareto)
        text = json.dumps(finite(summary), indent=2, allow_nan=False)
        self._storage.write(self._paths.summary, text.encode())
        self._written_at = time.monotonic()
        self._interval = max(FIRST_WRITE_SECONDS, 50 * (self._written_at - began))

    def _summary(self, progress: Progress, state: str, pareto: Sequence[int]) -> dict[str, Any]:
        by_trial = {row.trial: row for row in self._rows}
        best = by_trial.get(progress.best.trial) if progress.best else None
        return {
            "version": FORMAT_VERSION,
            "run": self._paths.run,
            "search": self._paths.name,
            "state": state,
            **dataclasses.asdict(self._facts),
            "trials": {
                "done": progress.done,
                "succeeded": progress.succeeded,
                "failed": progress.failed,
                "pruned": progress.pruned,
                "skipped": progress.skipped,
            },
            "best": None
            if best is None
            else {
                "trial": best.trial,
                "rewards": list(best.rewards),
                "model": best.model,
                "hyperparameters": {k: plain(v) for k, v in best.hyperparameters.items()},
            },
            "pareto": list(pareto),
            "workers_lost": progress.workers_lost,
            "processes_lost": progress.processes_lost,
            "last_error": progress.last_error,
            "started": timestamp(
                min([progress.begun, *(r.started for r in self._rows if r.started)])
            ),
            "ended": timestamp(progress.ended) if progress.ended else None,
        }


def latest_searches(
    storage: Storage, run: str, known: Iterable[str] = ()
) -> dict[int, SearchPaths]:
    """The searches of ``run`` by their ordinals, in their order, each as it was begun last.

    ``known`` names some of them, which a listing may not show yet.
    """
    found = [RunPaths(run).search_named(name) for name in {*storage.list(run), *known}]
    every = sorted((p for p in found if p), key=lambda p: (p.ordinal, p.generation))
    return {paths.ordinal: paths for paths in every}


def read_summaries(storage: Storage, run: str) -> list[dict[str, Any]]:
    """The summaries of the searches of ``run`` that have written one, in their order.

    Raises:
        RunError: there is no such run, or none of its searches has written anything.
    """
    check_run(storage, run)
    summaries = []
    for paths in latest_searches(storage, run).values():
        try:
            summaries.append(json.loads(storage.read(paths.summary)))
        except FileNotFoundError:
            continue  # it has begun and written nothing yet
        except ValueError as error:
            raise RunError(run, f"its {paths.summary} is damaged ({error})") from None
    if not summaries:
        raise RunError(run, f"no search of it on {storage.url} has results yet")
    return summaries


def check_run(storage: Storage, run: str) -> None:
    """Make sure that there is the run; RunError when there is none."""
    if read_manifest(storage, run) is None:
        latest = read_runs(storage).manifests[-5:]
        known = ", ".join(manifest["run"] for manifest in latest) or "none"
        raise RunError(run, f"it is not on {storage.url}; the latest there: {known}")


def read_trials(storage: Storage, run: str, search: str) -> list[dict[str, str]]:
    """The rows of a search's trials.csv, as text."""
    text = storage.read(_paths(run, search).trials).decode()
    return list(csv.DictReader(io.StringIO(text)))


def latest_run(storage: Storage) -> str:
    """The run that was begun last; RunError when there is none."""
    return latest_of(read_runs(storage), storage.url)


def latest_of(runs: Runs, url: str) -> str:
    """The latest of the ``runs`` found on the storage ``url``; RunError when there is none."""
    if runs.manifests:
        return str(runs.manifests[-1]["run"])
    if runs.damaged:
        raise runs.damaged[-1]
    raise RunError("of any name", f"there is none on {url}")


def last_search(storage: Storage, run: str) -> SearchPaths:
    """The paths of the last search of ``run`` that has results.

    Raises:
        RunError: there is no such run, or none of its searches has written anything.
    """
    return _paths(run, read_summaries(storage, run)[-1]["search"])


def best_model(storage: Storage, run: str, trial: int | None = None) -> str:
    """The model of the best trial, or of ``trial``, of the last search of ``run``.

    Raises:
        RunError: there is no such run or trial, or the trial has no model.
    """
    summary = read_summaries(storage, run)[-1]
    number = trial if trial is not None else (summary["best"] or {}).get("trial")
    if number is None:
        rewarded = (
            "has a reward that is a number" if summary["trials"]["succeeded"] else "succeeded"
        )
        raise RunError(run, f"no trial of its {summary['search']} {rewarded}")
    rows = {row["trial"]: row for row in read_trials(storage, run, summary["search"])}
    row = rows.get(str(number))
    if row is None:
        raise RunError(run, f"its {summary['search']} has no trial {number}")
    if row["status"] != SUCCEEDED or not row["model"]:
        raise RunError(run, f"trial {number} of its {summary['search']} left no model")
    return row["model"]


def _paths(run: str, search: str) -> SearchPaths:
    paths = RunPaths(run).search_named(search)
    assert paths is not None, search
    return paths
