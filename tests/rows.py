"""Rows as a search makes them, and what those of a trials.csv tell about how trials ran."""

from __future__ import annotations

from typing import Any

from hyn_k8s.search.rows import Row, TrialsCsv

NEW_YEAR = 1767225600.0  # 2026-01-01T00:00:00Z


def row(trial: int, reward: float | None = None, **changes: Any) -> Row:
    """A succeeded trial with ``reward``, a failed one without."""
    values: dict[str, Any] = {
        "status": "failed" if reward is None else "succeeded",
        "rewards": () if reward is None else (reward,),
        "elapsed": 1.5,
        "worker": "node-1",
        "started": NEW_YEAR,
        "ended": NEW_YEAR + 1.5,
        "model": None if reward is None else f"heart-1/search-1/models/{trial:05d}_a.pkl",
        "detail": "ValueError: no" if reward is None else "",
        "hyperparameters": {"Tree.depth": trial},
    }
    return Row(trial=trial, **{**values, **changes})


def csv_bytes(rewards: list[str], rows: list[Row]) -> bytes:
    """The file of ``rows``, in the order in which their trials have ended."""
    made = TrialsCsv(rewards)
    for each in rows:
        made.add(each)
    return made.encoded()


def most_at_once(rows: list[dict[str, str]]) -> int:
    """The greatest number of trials that were running at one moment."""
    moments = [(row["started"], 1) for row in rows] + [(row["ended"], -1) for row in rows]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most
