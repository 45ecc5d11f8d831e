"""What the rows of a trials.csv tell about how trials ran."""

from __future__ import annotations


def most_at_once(rows: list[dict[str, str]]) -> int:
    """The greatest number of trials that were running at one moment."""
    moments = [(row["started"], 1) for row in rows] + [(row["ended"], -1) for row in rows]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most
