"""What the conditions say of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hyn_k8s.documents import Cause, Problem, Stage, Standing
from hyn_k8s.operator.conditions import Verdict, cluster_ready, driver_running, storage_ready
from hyn_k8s.operator.observation import Observation
from tests.operator.objects import (
    SHARED,
    ago,
    claim,
    cluster,
    condition,
    deployment,
    ended_pod,
    event,
    job,
    outcome,
    pod,
    progress,
    scheduler,
    seen,
    worker,
)

FILE = {"storage": SHARED}
AWAY = Problem(Cause.STORAGE, "worker w-1 cannot write /opt/share: errno 30; mount it writable")


def says(decide: Callable[[Observation], Verdict], **what: Any) -> str:
    verdict = decide(seen(**what))
    return f"{verdict.status} {verdict.reason}"


class TestStorage:
    def test_a_bucket_is_proved_by_those_who_use_it(self) -> None:
        assert says(storage_ready) == "Unknown NotProved"
        early = progress(Stage.STORAGE, standing=Standing())
        assert says(storage_ready, progress=early) == "Unknown NotProved"
        assert says(storage_ready, progress=progress()) == "True Proved"

    def test_once_proved_it_stays_so(self) -> None:
        status = {"conditions": [condition("StorageReady", "True", "Proved")]}
        assert says(storage_ready, status=status) == "True Proved"

    def test_the_claim_comes_first(self) -> None:
        assert says(storage_ready, spec=FILE) == "False ClaimMissing"
        narrow = claim(mode="ReadWriteOnce")
        assert says(storage_ready, spec=FILE, claim=narrow) == "False ClaimNotShared"
        pending = claim(phase="Pending")
        assert says(storage_ready, spec=FILE, claim=pending) == "False ClaimPending"
        assert says(storage_ready, spec=FILE, claim=claim()) == "Unknown NotProved"

    def test_a_claim_that_was_made_a_moment_ago_is_no_trouble(self) -> None:
        pending = claim(phase="Pending")
        pending["metadata"]["creationTimestamp"] = ago(1)
        assert says(storage_ready, spec=FILE, claim=pending) == "Unknown NotProved"

    def test_a_volume_that_cannot_be_mounted(self) -> None:
        found = pod("worker", phase="Pending")
        events = (event(found, "FailedMount", "access denied"),)
        assert says(storage_ready, pods=(found,), events=events) == "False Mount"

    def test_what_driver_or_worker_found_is_told_in_their_words(self) -> None:
        found = seen(progress=progress(Stage.STORAGE, problem=AWAY), pods=(pod("driver", "d-1"),))
        verdict = storage_ready(found)
        assert verdict.reason == "StorageRefused"
        assert verdict.message == f"pod d-1: {AWAY.message}"

    def test_what_an_earlier_driver_found_is_not_held_against_this_one(self) -> None:
        earlier = ended_pod(outcome(75, Cause.STORAGE), name="d-1", age=90)
        status = {"conditions": [condition("StorageReady", "False", "StorageRefused")]}
        now = {"pods": (earlier, pod("driver", "d-2", age=30)), "status": status}
        assert says(storage_ready, **now) == "Unknown NotProved"
        assert says(storage_ready, **now, progress=progress()) == "True Proved"


class TestCluster:
    def test_it_takes_a_scheduler_and_a_worker(self) -> None:
        assert says(cluster_ready, deployments=(scheduler(), worker(1, 0))) == "False Starting"
        assert says(cluster_ready, deployments=(scheduler(0), worker(1))) == "False Starting"
        found = (scheduler(), worker(1), worker(2, 0))
        verdict = cluster_ready(seen(deployments=found, cluster=cluster(3)))
        assert (verdict.reason, verdict.message) == (
            "Ready",
            "the scheduler runs, and 1 of 3 workers are ready",
        )

    def test_while_it_is_ready_trouble_is_mentioned(self) -> None:
        refused = deployment("s-w", "worker", 0, refusal="exceeded quota: small")
        verdict = cluster_ready(seen(deployments=(scheduler(), worker(1), refused)))
        assert verdict.reason == "Ready"
        assert verdict.message.endswith("exceeded quota: small")

    def test_what_keeps_it_from_that(self) -> None:
        refused = deployment("s-w", "worker", 0, refusal="exceeded quota: small")
        assert says(cluster_ready, deployments=(scheduler(), refused)) == "False Quota"

    def test_dasks_controller_is_missed_after_a_while(self) -> None:
        assert says(cluster_ready, cluster=cluster(age=5)) == "False Starting"
        assert says(cluster_ready, cluster=cluster(age=60)) == "False DaskControllerSilent"

    def test_parts_of_an_earlier_search_do_not_count(self) -> None:
        found = (scheduler(), worker(1))
        for each in found:
            each["metadata"]["labels"]["hyn-k8s.dev/search-uid"] = "another"
        assert says(cluster_ready, deployments=found) == "False Starting"

    def test_somebody_elses_cluster_is_not_looked_into(self) -> None:
        foreign = cluster() | {"spec": {}}
        foreign["metadata"]["ownerReferences"] = []
        assert says(cluster_ready, cluster=foreign) == "False Starting"


class TestDriver:
    def test_it_runs_when_the_script_does(self) -> None:
        for stage in (Stage.SCRIPT, Stage.SEARCH, Stage.ENDED):
            assert says(driver_running, progress=progress(stage)) == "True Running"

    def test_before_that_it_says_what_it_waits_for(self) -> None:
        verdict = driver_running(seen(progress=progress(Stage.WORKER)))
        assert verdict.message == "the driver waits for the first worker"
        verdict = driver_running(seen(progress=progress(Stage.WORKER, problem=AWAY)))
        assert verdict.message == AWAY.message

    def test_one_that_is_too_busy_to_answer_still_runs(self) -> None:
        status = {"conditions": [condition("DriverRunning", "True", "Running")]}
        found = {"pods": (pod("driver"),), "driver": job()}
        assert says(driver_running, **found, status=status) == "True Running"
        assert says(driver_running, **found) == "False Starting"

    def test_a_job_that_may_not_make_its_pod(self) -> None:
        events = (event(job(), "FailedCreate", 'pods "d" is forbidden: exceeded quota: q'),)
        assert says(driver_running, driver=job(), events=events) == "False Quota"
        there = (pod("driver", phase="Pending"),)
        assert says(driver_running, driver=job(), events=events, pods=there) == "False Starting"

    def test_what_stood_in_the_way_of_an_earlier_pod_does_no_more(self) -> None:
        events = (event(job(), "FailedCreate", "exceeded quota", since=300),)
        found = {"driver": job(), "pods": (ended_pod(None),), "events": events}
        assert says(driver_running, **found) == "False Retrying"

    def test_another_one_goes_on(self) -> None:
        killed = ended_pod(None, reason="OOMKilled")
        assert says(driver_running, driver=job(), pods=(killed,)) == "False OutOfMemory"
        left = ended_pod(outcome(75, Cause.SCHEDULER, "the scheduler is away"))
        verdict = driver_running(seen(driver=job(), pods=(left,)))
        assert verdict.reason == "Retrying"
        assert verdict.message.endswith("the scheduler is away")

    def test_it_has_ended_also_before_its_job_says_so(self) -> None:
        for found in (outcome(0), outcome(65, Cause.SCRIPT)):
            pods = (ended_pod(found),)
            assert says(driver_running, driver=job(), pods=pods) == "False Ended"
        assert says(driver_running, driver=job(ended="Complete")) == "False Ended"


class TestTheRunIsTaken:
    WAITS = Problem(Cause.TAKEN, "heart: the process 1 on a-driver drives it; waiting")

    def test_it_is_told_while_the_driver_waits(self) -> None:
        waiting = progress(Stage.SCRIPT, standing=Standing(), problem=self.WAITS)
        verdict = driver_running(seen(progress=waiting, pods=(pod("driver"),)))
        assert (verdict.status, verdict.reason) == ("False", "RunTaken")
        assert verdict.message == self.WAITS.message

    def test_and_when_it_has_given_up_for_a_moment(self) -> None:
        left = ended_pod(outcome(75, Cause.TAKEN, "run heart: it is driven by the process 1"))
        verdict = driver_running(seen(driver=job(), pods=(left,)))
        assert (verdict.status, verdict.reason) == ("False", "RunTaken")
        said = "run heart: it is driven by the process 1; another driver tries again"
        assert verdict.message == said
