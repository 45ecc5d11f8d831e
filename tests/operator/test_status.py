"""The status: its word, its times, its news, and how long it may get."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.status import ConditionStatus, Phase, SearchJobStatus
from hyn_k8s.documents import BestTrial, Standing, TrialCounts
from hyn_k8s.operator.conditions import FALSE, TRUE, Verdict
from hyn_k8s.operator.status import following_status, news, phase_of
from tests.operator.objects import ago, condition, seen, standing

READY = Verdict(ConditionType.CLUSTER_READY, TRUE, Reason.READY, "3 of 3")
QUOTA = Verdict(ConditionType.CLUSTER_READY, FALSE, Reason.QUOTA, "exceeded quota")

RUNNING = Verdict(ConditionType.DRIVER_RUNNING, TRUE, Reason.RUNNING, "it runs")
STARTING = Verdict(ConditionType.DRIVER_RUNNING, FALSE, Reason.STARTING, "it starts")


def of(*conditions: Any, **fields: Any) -> SearchJobStatus:
    return seen({"conditions": list(conditions), **fields}).status


@pytest.mark.parametrize(
    ("holding", "started", "phase"),
    [
        ((), False, Phase.PENDING),
        ((), True, Phase.STARTING),
        (("ClusterReady",), True, Phase.STARTING),
        (("ClusterReady", "DriverRunning"), True, Phase.RUNNING),
        (("Suspended",), True, Phase.SUSPENDED),
        (("Complete", "DriverRunning"), True, Phase.COMPLETE),
        (("Failed",), False, Phase.FAILED),
    ],
)
def test_the_word(holding: tuple[str, ...], started: bool, phase: Phase) -> None:
    conditions = [condition(each, "True", "Ready") for each in holding]
    conditions.append(condition("StorageReady", "False", "Mount"))
    assert phase_of(of(*conditions, **({"startTime": ago(5)} if started else {}))) is phase


def test_what_a_driver_that_has_ended_left_is_still_of_the_run() -> None:
    ended = condition("DriverRunning", "False", "Ended")
    assert phase_of(of(ended, startTime=ago(5))) is Phase.RUNNING


class TestConditions:
    def test_one_keeps_its_time_while_its_status_stays(self) -> None:
        before = condition("ClusterReady", "False", "Starting", since=300)
        (after,) = following_status(seen({"conditions": [before]}), [QUOTA]).conditions or []
        assert (after.reason, after.last_transition_time) == ("Quota", ago(300))

    def test_one_whose_status_changes_has_a_new_time(self) -> None:
        before = condition("ClusterReady", "False", "Starting", since=300)
        (after,) = following_status(seen({"conditions": [before]}), [READY]).conditions or []
        assert after.last_transition_time == ago(0)

    def test_others_stay_and_all_speak_of_this_generation(self) -> None:
        found = seen({"conditions": [condition("StorageReady", "True", "Proved", 300)]})
        found.manifest["metadata"]["generation"] = 7
        after = following_status(found, [READY])
        assert [each.type for each in after.conditions or []] == ["StorageReady", "ClusterReady"]
        assert {each.observed_generation for each in after.conditions or []} == {7}
        assert after.observed_generation == 7

    def test_those_of_a_newer_operator_stay_too(self) -> None:
        found = seen({"conditions": [condition("Enlightened", "True", "Suddenly")]})
        after = following_status(found, [READY])
        assert [each.type for each in after.conditions or []] == ["ClusterReady", "Enlightened"]


class TestNews:
    def test_a_new_status_or_reason_is_told(self) -> None:
        after = following_status(seen({"conditions": []}), [QUOTA])
        (told,) = news(of(), after)
        assert (told.type, told.reason, told.message) == ("Warning", "Quota", "exceeded quota")

    def test_another_message_is_not(self) -> None:
        before = of(condition("ClusterReady", "True", "Ready", message="2 of 3"))
        found = seen({"conditions": [condition("ClusterReady", "True", "Ready")]})
        assert news(before, following_status(found, [READY])) == []

    def test_but_why_no_node_takes_a_pod_is(self) -> None:
        before = of(condition("ClusterReady", "False", "Unschedulable", message="unbound claims"))
        small = Verdict(
            ConditionType.CLUSTER_READY, FALSE, Reason.UNSCHEDULABLE, "2 Insufficient cpu"
        )
        after = following_status(seen(before.to_manifest()), [small])
        assert [told.message for told in news(before, after)] == ["2 Insufficient cpu"]
        assert news(after, after) == []

    def test_what_is_well_is_no_warning(self) -> None:
        (told,) = news(of(), following_status(seen({"conditions": []}), [READY]))
        assert told.type == "Normal"


class TestCounts:
    def test_what_a_driver_says_is_shown(self) -> None:
        after = following_status(seen(), [], standing(), eta_seconds=95).to_manifest()
        assert after["trials"]["done"] == 5
        assert after["trials"]["running"] == 3
        assert after["best"] == {
            "trial": 2, "rewards": [0.9], "hyperparameters": {"depth": 3}, "model": "m.pkl",
        }  # fmt: skip
        assert after["search"] == {"ordinal": 1, "name": "search-1"}
        assert after["eta"] == "1m30s"

    def test_it_stays_when_nobody_says_anything(self) -> None:
        before = following_status(seen(), [], standing()).to_manifest()
        after = following_status(seen(before), []).to_manifest()
        assert after == before

    def test_of_a_driver_that_is_too_busy_to_answer_the_last_eta_stays(self) -> None:
        before = following_status(seen(), [RUNNING], standing(), eta_seconds=95).to_manifest()
        assert following_status(seen(before), [RUNNING]).eta == "1m30s"
        assert following_status(seen(before), [RUNNING], standing()).eta is None
        assert following_status(seen(before), [STARTING]).eta is None
        assert following_status(seen(before), []).eta is None

    def test_a_driver_that_has_begun_no_search_takes_nothing_away(self) -> None:
        before = following_status(seen(), [], standing()).to_manifest()
        after = following_status(seen(before), [], Standing(results="s3://bucket/x"))
        assert after.to_manifest()["trials"] == before["trials"]

    @pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf])
    def test_a_reward_that_json_has_not_is_none_or_the_most(self, reward: float) -> None:
        after = following_status(seen(), [], standing(reward=reward)).to_manifest()
        json.dumps(after, allow_nan=False)
        assert ("best" in after) == (not math.isnan(reward))


def test_however_much_there_is_to_say_it_is_short_enough() -> None:
    many = {f"layer_{number}_größe": ["ü" * 50] * 20 for number in range(500)}
    best = BestTrial(1, (math.inf,) * 50, {"odd": math.nan} | many, "m" * 5000)
    told = Standing("r" * 5000, 1, "s" * 500, TrialCounts(total=20_000), best, pareto=10**6)
    verdicts = [
        Verdict(type_, ConditionStatus.FALSE, Reason.QUOTA, "ü€𝄞" * 3000) for type_ in ConditionType
    ]
    after = following_status(seen(), verdicts, told, eta_seconds=1e9).to_manifest()
    text = json.dumps(after, ensure_ascii=False, allow_nan=False)
    assert len(text.encode()) < 32 * 1024
    assert after["best"]["hyperparameters"]["odd"] == "nan"
    SearchJobStatus.model_validate(after)  # within the bounds that the API server checks


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59.9, "59s"), (95, "1m30s"), (640, "10m"), (3700, "1h1m"), (100_000, "27h46m")],
)
def test_how_long_it_takes(seconds: float, shown: str) -> None:
    assert following_status(seen(), [], eta_seconds=seconds).eta == shown
