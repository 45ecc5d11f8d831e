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
        return _by_vectors(self)[tuple(space_sample.vectors)]

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
    _read_new_trials(history)
    ranked: list[Any] | None = history._ranked
    return ranked


def _by_vectors(history: Any) -> dict[tuple[Any, ...], Any]:
    """The first trial of each sample, by the sample's vectors."""
    _read_new_trials(history)
    found: dict[tuple[Any, ...], Any] = history._by_vectors
    return found


def _read_new_trials(history: Any) -> None:
    trials = history.trials
    state = history.__dict__
    if state.get("_read_from") is not trials or state.get("_read_count", 0) > len(trials):
        state.update(_read_from=trials, _read_count=0, _ranked=[], _by_vectors={})
    # Read from the right, a sort by falling reward keeps equals in order if a new one goes left.
    insert = bisect.insort_left if _maximizes(history) else bisect.insort_right
    for trial in trials[state["_read_count"] :]:
        state["_by_vectors"].setdefault(tuple(trial.space_sample.vectors), trial)
        if trial.succeeded and state["_ranked"] is not None:
            if _has_nan(trial.reward):
                state["_ranked"] = None
            else:
                insert(state["_ranked"], trial, key=lambda t: t.reward)
    state["_read_count"] = len(trials)


def _has_nan(reward: Any) -> bool:
    values = reward if isinstance(reward, (list, tuple)) else [reward]
    return any(value is None or value != value for value in values)
