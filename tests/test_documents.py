"""The documents: there and back, what is unknown is ignored, and an Outcome always fits."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from hyn_k8s.documents import (
    OUTCOME_BYTES,
    BestTrial,
    Cause,
    Outcome,
    Problem,
    Progress,
    RunConfig,
    Stage,
    Standing,
    TrialCounts,
    finite,
)

STANDING = Standing(
    "/opt/share/heart",
    2,
    "search-2",
    TrialCounts(10, 1, 2, 3, 1, 1),
    BestTrial(4, (0.5, 1.0), {"x": 0.1, "kind": "ä", "none": None}, "heart/m.pkl"),
    3,
)
CONFIG = RunConfig("/opt/script/search.py", ("--rows", "3"), 30.0, must_exist=True)
PROGRESS = Progress(Stage.SEARCH, STANDING, 1.5, 3, ("w-1",), Problem(Cause.WORKER, "no"))
OUTCOME = Outcome(65, STANDING, Problem(Cause.SCRIPT, "ValueError: no"), "pod-uid", "job-uid")
SMALL = [RunConfig("s.py"), Progress(Stage.SCHEDULER), Outcome(0)]
EACH = pytest.mark.parametrize(
    "document", [CONFIG, PROGRESS, OUTCOME, *SMALL], ids=lambda d: type(d).__name__
)

Document = RunConfig | Progress | Outcome


@EACH
def test_there_and_back(document: Document) -> None:
    text = document.to_json()
    assert type(document).from_json(text) == document
    assert type(document).from_json(text.encode()) == document


@EACH
def test_what_is_unknown_is_ignored(document: Document) -> None:
    parsed = json.loads(document.to_json())
    for level in (parsed, parsed.get("standing"), (parsed.get("standing") or {}).get("best")):
        if level:
            level["of_tomorrow"] = {"a": [1]}
    if parsed.get("problem"):
        parsed["problem"]["remedy"] = "none"
    assert type(document).from_json(json.dumps(parsed)) == document


def test_a_cause_of_tomorrow_does_not_hide_the_rest() -> None:
    problem = Problem.read({"cause": "weather", "message": "it rains"})
    assert problem == Problem(Cause.SEARCH, "it rains")


@pytest.mark.parametrize("kind", [RunConfig, Progress, Outcome])
@pytest.mark.parametrize(
    "text",
    ["", "no json", "5", "[]", '"version"', "{}", '{"version": 2}', '{"version": 1}', b"\xff"],
)
def test_what_is_none_is_refused(kind: type[Document], text: str | bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        kind.from_json(text)


def test_done_is_what_has_come_to_something() -> None:
    assert STANDING.trials.done == 7


@pytest.mark.parametrize(
    "message",
    ["no", "x" * 100_000, "ü" * 5_000, '"\n\\' * 5_000, "\udc80 is no character", "😀" * 999],
)
def test_an_outcome_fits_whatever_is_in_it(message: str) -> None:
    values = {f"module_{number}.parameter": number / 7 for number in range(500)}
    best = BestTrial(4, (0.5,), values, "heart/search-1/models/00004_abc.pkl")
    full = Outcome(65, Standing("/opt/share/heart", best=best), Problem(Cause.SCRIPT, message))
    text = full.to_json()
    assert len(text.encode()) <= OUTCOME_BYTES
    again = Outcome.from_json(text)
    assert again.problem is not None
    assert again.problem.message[:2] == message[:2].replace("\udc80", "?")
    kept = again.standing.best
    assert kept is not None
    assert dataclasses.replace(kept, hyperparameters=values) == best
    assert list(kept.hyperparameters.items()) == list(values.items())[: len(kept.hyperparameters)]
    assert len(kept.hyperparameters) > 20


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([0.5, 2], (0.5, 2.0)),
        ([math.inf], (1.7976931348623157e308,)),
        ([0.5, -math.inf], (0.5, -1.7976931348623157e308)),
        ([0.5, math.nan, 1.0], (0.5,)),
        ([math.nan], ()),
    ],
)
def test_rewards_as_json_has_numbers(rewards: list[float], expected: tuple[float, ...]) -> None:
    assert finite(rewards) == expected
