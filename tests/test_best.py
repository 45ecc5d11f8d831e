"""Which trial is the best: whoever is asked names the same one, also where a reward is no number.

A real search in this process; then the bar, ``hyn-k8s results``, summary.json, the driver's
metrics, ``load_best`` and Hypernets' own ``get_best_trial``.
"""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import pytest
from click.testing import CliRunner

import hyn_k8s
from hyn_k8s.cli import main
from hyn_k8s.documents import Progress, Stage
from hyn_k8s.driver.metrics import exposition, registry_of
from hyn_k8s.driver.standing import standing_of
from hyn_k8s.search import compat
from hyn_k8s.search.progress import best_text
from tests.sessions import search, session_on

compat.apply()

from tests.searches import ListSearcher, OfEstimator, TinyEstimator, TinyModel, sample  # noqa: E402

NAN, INF = math.nan, math.inf


class TableEstimator(TinyEstimator):
    """Its rewards are those that the test has written down for its depth."""

    def __init__(self, space_sample: Any, rewards: list[list[float]]) -> None:
        super().__init__(space_sample)
        self.first, self.second = (rewards[self.depth - 1] * 2)[:2]

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        return {"auc": self.first}


class TableModel(TinyModel):
    rewards: list[list[float]]

    def _get_estimator(self, space_sample: Any) -> TinyEstimator:
        return TableEstimator(space_sample, self.rewards)


def searched(root: pathlib.Path, rewards: list[list[float]], directions: tuple[str, ...]) -> Any:
    """The model and the progress after a search whose n-th trial has the n-th rewards."""
    samples = [sample(n / 100, depth=n) for n in range(1, len(rewards) + 1)]
    searcher = ListSearcher(samples, directions[0])
    if len(directions) > 1:
        ways = zip(("first", "second"), directions, strict=True)
        searcher.objectives = [OfEstimator(name, way) for name, way in ways]
        searcher.kind = lambda: "moo"
    model = TableModel(searcher, task="binary", reward_metric="auc")
    model.rewards = rewards
    with session_on(None, str(root), {"HYN_SEARCH_BACKEND": "standalone"}) as (_, notes):
        search(model, max_trials=len(rewards))
        return model, notes.latest


def results(root: pathlib.Path, *arguments: str) -> str:
    given = ["results", "--storage-root", str(root), *arguments]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def answers(root: pathlib.Path, progress: Any) -> dict[str, int | None]:
    """The best trial by its number, as each of those who know it says."""
    (path,) = root.glob("*/search-1/summary.json")
    document = json.loads(results(root, "--top", "1", "--format", "json"))["searches"][0]
    shown = best_text(progress).rpartition("(trial ")[2]
    served = standing_of([progress], str(root)).best
    return {
        "the bar": int(shown.rstrip(")")) if shown.endswith(")") else None,
        "summary.json": (json.loads(path.read_text())["best"] or {}).get("trial"),
        "results": (document["best"] or {}).get("trial"),
        "results --top 1": document["rows"][0]["trial"] if document["best"] else None,
        "the driver": served.trial if served else None,
    }


def gauge(root: pathlib.Path, progress: Any) -> float | None:
    """What ``/metrics`` says of the best reward."""
    said = Progress(Stage.SEARCH, standing_of([progress], str(root)))
    lines = exposition(registry_of(lambda: said)).decode().splitlines()
    found = [line.split()[1] for line in lines if line.startswith("hyn_best_reward ")]
    return float(found[0]) if found else None


ONE = [
    ([NAN, 0.5, 0.9, NAN, 0.9, 0.1], "max", 3),
    ([NAN, 0.5, 0.9, NAN, 0.1, 0.1], "min", 5),
    ([0.5, NAN, -INF, INF, 0.9], "max", 4),
    ([0.5, NAN, -INF, INF, 0.9], "min", 3),
    ([NAN, -INF], "max", 2),
    ([NAN, INF], "min", 2),
    ([0.9, NAN, 0.1, NAN, 0.5], "max", 1),
]


@pytest.mark.parametrize(("rewards", "direction", "best"), ONE)
def test_one_reward(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    rewards: list[float],
    direction: str,
    best: int,
) -> None:
    monkeypatch.setenv("HYN_STORAGE_ROOT", str(tmp_path))
    model, progress = searched(tmp_path, [[each] for each in rewards], (direction,))
    assert set(answers(tmp_path, progress).values()) == {best}
    assert model.get_best_trial().trial_no == best
    assert model.get_top_trials(1)[0].trial_no == best
    assert hyn_k8s.load_best(model_run(tmp_path)).depth == best
    largest = 1.7976931348623157e308
    assert gauge(tmp_path, progress) == max(-largest, min(largest, rewards[best - 1]))


@pytest.mark.parametrize(
    ("rewards", "directions", "best", "front"),
    [
        ([[0.6, 4.0], [0.6, 2.0], [0.5, 1.0]], ("max", "min"), 2, [2, 3]),
        ([[NAN, 1.0], [0.5, NAN], [0.5, 3.0], [NAN, NAN]], ("max", "min"), 3, [1, 3]),
        ([[0.5, INF], [0.5, 3.0], [INF, NAN]], ("min", "max"), 1, [1]),
    ],
)
def test_several_rewards(
    tmp_path: pathlib.Path,
    rewards: list[list[float]],
    directions: tuple[str, ...],
    best: int,
    front: list[int],
) -> None:
    model, progress = searched(tmp_path, rewards, directions)
    assert set(answers(tmp_path, progress).values()) == {best}
    assert [trial.trial_no for trial in model.get_best_trial()] == front
    assert model.get_top_trials(1)[0].trial_no == best
    (path,) = tmp_path.glob("*/search-1/summary.json")
    assert json.loads(path.read_text())["pareto"] == front
    assert progress.pareto == len(front)


def test_none_is_the_best_where_no_reward_is_a_number(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYN_STORAGE_ROOT", str(tmp_path))
    model, progress = searched(tmp_path, [[NAN], [NAN]], ("max",))
    assert set(answers(tmp_path, progress).values()) == {None}
    assert model.get_best_trial() is None
    assert gauge(tmp_path, progress) is None
    run = model_run(tmp_path)
    with pytest.raises(hyn_k8s.RunError) as caught:
        hyn_k8s.load_best(run)
    sentence = "no trial of its search-1 has a reward that is a number"
    assert str(caught.value) == f"run {run}: {sentence}"


def model_run(root: pathlib.Path) -> str:
    """The only run on ``root``."""
    (path,) = root.glob("*/search-1")
    return path.parent.name
