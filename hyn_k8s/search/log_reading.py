"""The way back from the logs of trials, for the command line."""

from __future__ import annotations

from hyn_k8s.errors import RunError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search.outcome import SKIPPED
from hyn_k8s.search.results import check_run, latest_searches, read_trials
from hyn_k8s.search.storage import Storage


def read_log(storage: Storage, run: str, search: int | None, trial: int) -> bytes:
    """What a trial of ``run`` printed so far, by default of its last search.

    A failed trial whose worker was lost, and its log keeper with it, has the reason as last line.

    Raises:
        RunError: there is no such run, search or trial, or the trial has printed nothing.
    """
    check_run(storage, run)
    searches = latest_searches(storage, run)
    paths = searches.get(max(searches, default=0) if search is None else search)
    if paths is None:
        known = ", ".join(map(str, searches)) or "none"
        raise RunError(run, f"it has no search {search or 1}; there are: {known}")
    row = _row_of(storage, paths, trial)
    lost = ""
    if row is not None and row["detail"].startswith("KilledWorker: "):
        lost = f"--- trial {trial} did not end by itself: {row['detail']}\n"
    try:
        text = storage.read(paths.log(trial))
    except FileNotFoundError:
        if lost:
            return lost.encode()
        raise RunError(run, _no_log(paths.name, trial, row)) from None
    line = b"" if text.endswith(b"\n") else b"\n"
    return text + line + lost.encode() if lost else text


def _row_of(storage: Storage, paths: SearchPaths, trial: int) -> dict[str, str] | None:
    """The row of a trial, None if trials.csv has none (yet)."""
    try:
        rows = read_trials(storage, paths.run, paths.name)
    except FileNotFoundError:
        return None
    return next((row for row in rows if row["trial"] == str(trial)), None)


def _no_log(search: str, trial: int, row: dict[str, str] | None) -> str:
    if row is None:
        return f"trial {trial} of its {search} has printed nothing yet, or is none of it"
    if row["status"] == SKIPPED:
        return f"trial {trial} of its {search} was skipped ({row['detail']}), so it printed nothing"
    return (
        f"trial {trial} of its {search} printed nothing; of a trial that ran in the script's own "
        "process (standalone) no log is kept"
    )
