"""Hypernets' ``TrialHistory`` with an index: the same answers, without reading all trials again.

Upstream sorts every trial twice on each append and computes every earlier sample's vectors for
each duplicate test, so a trial's price grows with the number of trials before it. Here the sorted
order and the vectors are kept, and only trials that came since the last question are read. The
index is rebuilt when the list of trials shrank or was replaced, and left aside, in favour of
upstream's own sort, when a reward is not a number: sorting such lists has no answer to preserve.

The index lives on the history in plain lists and dicts, so a pickled history loads anywhere.
"""

from __future__ import annotations

import bisect
import numbers
from typing import Any


def install() -> None:
    """Give ``TrialHistory`` the indexed methods; the second call does nothing."""
    from hypernets.core.trial import TrialHistory

    if getattr(TrialHistory, "_indexed", False):
        return
    sort = TrialHistory.get_top

    def get_top(self: Any, n: int | None = None) -> list[Any]:
        assert n is None or isinstance(n, int)
        ranked = _ranked(self)
        if ranked is None:
            return list(sort(self, n))
        best_first = ranked[::-1] if _maximizes(self) else ranked
        return list(best_first if n is None else best_first[:n]) if ranked else []

    def get_best(self: Any) -> Any:
        ranked = _ranked(self)
        if ranked is None:
            return next(iter(sort(self, 1)), None)
        return ranked[-1 if _maximizes(self) else 0] if ranked else None

    def get_worst(self: Any) -> Any:
        ranked = _ranked(self)
        if ranked is None:
            return next(reversed(sort(self)), None)
        return ranked[0 if _maximizes(self) else -1] if ranked else None

    def is_existed(self: Any, space_sample: Any) -> bool:
        return tuple(space_sample.vectors) in _by_vectors(self)

    def get_trial(self: Any, space_sample: Any) -> Any:
        found = _by_vectors(self).get(tuple(space_sample.vectors))
        if found is None:
            raise ValueError(f"no trial had the sample {space_sample.vectors}")
        return found

    TrialHistory.get_top = get_top
    TrialHistory.get_best = get_best
    TrialHistory.get_worst = get_worst
    TrialHistory.is_existed = is_existed
    TrialHistory.get_trial = get_trial
    TrialHistory._indexed = True


def _maximizes(history: Any) -> bool:
    direction = history.optimize_direction
    return str(getattr(direction, "value", direction)) == "max"


def _ranked(history: Any) -> list[Any] | None:
    """The succeeded trials by rising reward; among equals the order that sorting would give."""
    ranked: list[Any] | None = _index(history)["ranked"]
    return ranked


def _by_vectors(history: Any) -> dict[tuple[Any, ...], Any]:
    """The first trial of each sample, by the sample's vectors."""
    found: dict[tuple[Any, ...], Any] = _index(history)["by_vectors"]
    return found


def _index(history: Any) -> dict[str, Any]:
    """The history's index, with every trial read that came since the last question."""
    trials = history.trials
    index: dict[str, Any] | None = history.__dict__.get("_index")
    if index is None or not _continues(index, trials):
        index = {"trials": trials, "count": 0, "last": None, "ranked": [], "by_vectors": {}}
        history._index = index
    # Read from the right, a sort by falling reward keeps equals in order if a new one goes left.
    insert = bisect.insort_left if _maximizes(history) else bisect.insort_right
    for trial in trials[index["count"] :]:
        index["by_vectors"].setdefault(tuple(trial.space_sample.vectors), trial)
        if trial.succeeded and index["ranked"] is not None:
            if _sorts(trial.reward):
                insert(index["ranked"], trial, key=lambda t: t.reward)
            else:
                index["ranked"] = None
        index["last"] = trial
    index["count"] = len(trials)
    return index


def _continues(index: dict[str, Any], trials: list[Any]) -> bool:
    """Whether ``trials`` is the list that was read, with at most some trials added."""
    count = index["count"]
    return (
        index["trials"] is trials
        and count <= len(trials)
        and (count == 0 or trials[count - 1] is index["last"])
    )


def _sorts(reward: Any) -> bool:
    """Whether rewards like this one have an order: numbers, none of them NaN."""
    values = reward if isinstance(reward, (list, tuple)) else [reward]
    return all(isinstance(value, numbers.Real) and value == value for value in values)
