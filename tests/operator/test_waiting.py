"""Why a search waits: what Kubernetes writes, and the reason that is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from hyn_k8s.api.conditions import Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.operator.waiting import claim_trouble, last_words, refused_pods, waiting_of
from tests.operator.objects import (
    ago,
    claim,
    deployment,
    ended_pod,
    event,
    job,
    outcome,
    pod,
    seen,
    worker,
)

WAITING = pod("worker", "s-w-1", "Pending", container={"state": {"waiting": {}}})


def container(phase: str = "Pending", **status: Any) -> Manifest:
    return pod("worker", "s-w-1", phase, container=status)


def waits(reason: str, message: str = "", **more: Any) -> Manifest:
    return container(state={"waiting": {"reason": reason, "message": message}}, **more)


def unschedulable(age: float) -> Manifest:
    said = "0/3 nodes are available: 3 Insufficient memory. preemption: none."
    conditions = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    ]
    return pod("worker", "s-w-1", "Pending", age, conditions=conditions)


ENDED = {"exitCode": 1, "reason": "Error", "finishedAt": ago(9)}
KILLED = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(9)}
NO_EXECUTABLE = {"exitCode": 128, "reason": "StartError", "message": 'exec: "dask": not found'}

PODS: dict[str, tuple[Manifest, Reason, str]] = {
    "no such image": (
        waits("ErrImagePull", 'failed to pull "x": not found'),
        Reason.IMAGE_PULL,
        'failed to pull "x": not found',
    ),
    "no such image, later": (waits("ImagePullBackOff", "Back-off"), Reason.IMAGE_PULL, "Back-off"),
    "no name of an image": (waits("InvalidImageName"), Reason.IMAGE_PULL, "InvalidImageName"),
    "no such Secret": (
        waits("CreateContainerConfigError", 'secret "keys" not found'),
        Reason.MISSING_REFERENCE,
        'secret "keys" not found',
    ),
    "no such key": (
        waits("CreateContainerConfigError", "couldn't find key a in Secret ns/keys"),
        Reason.MISSING_REFERENCE,
        "couldn't find key a",
    ),
    "cannot be created": (
        waits("CreateContainerError", "context deadline exceeded"),
        Reason.CRASH_LOOP,
        "deadline exceeded",
    ),
    "ends again and again": (
        waits("CrashLoopBackOff", lastState={"terminated": ENDED}),
        Reason.CRASH_LOOP,
        "exit code 1",
    ),
    "between two lives": (
        container(state={"running": {"startedAt": ago(1)}}, lastState={"terminated": ENDED}),
        Reason.CRASH_LOOP,
        "exit code 1",
    ),
    "no such program": (
        waits("CrashLoopBackOff", lastState={"terminated": NO_EXECUTABLE}),
        Reason.CRASH_LOOP,
        'exec: "dask": not found',
    ),
    "too much memory": (
        waits("CrashLoopBackOff", lastState={"terminated": KILLED}),
        Reason.OUT_OF_MEMORY,
        "container worker took more memory than its limit",
    ),
    "no node": (unschedulable(60), Reason.UNSCHEDULABLE, "3 Insufficient memory"),
}


@pytest.mark.parametrize("case", PODS)
def test_what_a_pod_waits_for(case: str) -> None:
    found, reason, said = PODS[case]
    waiting = waiting_of(seen(pods=(found,)), "worker")
    assert waiting is not None
    assert waiting.reason is reason
    assert said in waiting.message
    assert "pod s-w-1" in waiting.message


CALM: dict[str, Manifest] = {
    "creating": waits("ContainerCreating"),
    "no node for a moment": unschedulable(2),
    "running": container("Running", state={"running": {}}, ready=True),
    "recovered": container(
        "Running", state={"running": {}}, ready=True, lastState={"terminated": ENDED}
    ),
    "ended": container("Failed", state={"waiting": {"reason": "ImagePullBackOff"}}),
    "on its way out": waits("ImagePullBackOff")
    | {"metadata": WAITING["metadata"] | {"deletionTimestamp": ago(1)}},
}


@pytest.mark.parametrize("case", CALM)
def test_what_is_no_trouble(case: str) -> None:
    assert waiting_of(seen(pods=(CALM[case],)), "worker") is None


EVENTS = {
    'MountVolume.SetUp failed for volume "hyn-storage": mount.nfs: access denied': Reason.MOUNT,
    'MountVolume.SetUp failed for volume "s" : configmap "mine" not found': (
        Reason.MISSING_REFERENCE
    ),
    'MountVolume.SetUp failed for volume "s" : references non-existent config key: a.py': (
        Reason.MISSING_REFERENCE
    ),
    "driver name cephfs.csi.ceph.com not found: no configmap here": Reason.MOUNT,
}


@pytest.mark.parametrize("message", EVENTS)
def test_a_volume_is_told_of_by_events(message: str) -> None:
    events = (event(WAITING, "FailedMount", "earlier", 60), event(WAITING, "FailedMount", message))
    waiting = waiting_of(seen(pods=(WAITING,), events=events), "worker")
    assert waiting is not None
    assert waiting.reason is EVENTS[message]
    assert message in waiting.message


def test_a_volume_that_was_mounted_since_is_no_trouble() -> None:
    mounted = [{"type": "PodReadyToStartContainers", "status": "True"}]
    found = pod("worker", "s-w-1", "Pending", conditions=mounted)
    events = (event(found, "FailedMount", "timed out"),)
    assert waiting_of(seen(pods=(found,), events=events), "worker") is None


def test_events_of_other_pods_do_not_count() -> None:
    events = (event(pod("worker", "other"), "FailedMount", "timed out"),)
    assert waiting_of(seen(pods=(WAITING,), events=events), "worker") is None


def test_the_gravest_is_told_first() -> None:
    pods = (PODS["no node"][0], PODS["no such image"][0], PODS["ends again and again"][0])
    waiting = waiting_of(seen(pods=pods), "worker")
    assert waiting is not None
    assert waiting.reason is Reason.IMAGE_PULL


QUOTA = 'pods "s-w" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=2'
SECURITY = 'pods "s-w" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'
REFUSALS = {
    QUOTA: (Reason.QUOTA, "exceeded quota: small"),
    'pods "s-w" is forbidden: failed quota: small: must specify limits.cpu': (
        Reason.QUOTA,
        "must specify",
    ),
    SECURITY: (Reason.POD_SECURITY, "violates PodSecurity"),
    'admission webhook "policy" denied the request: no tags': (Reason.POD_SECURITY, "no tags"),
    'Pod "s-w" is invalid: spec.volumes: required': (Reason.REFUSED, "spec.volumes"),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_a_pod_that_is_not_let_in(message: str) -> None:
    reason, said = REFUSALS[message]
    for owner, events in (
        (deployment("s-w", "worker", 0, refusal=message), ()),
        (job(), (event(job(), "FailedCreate", f"Error creating: {message}"),)),
    ):
        waiting = refused_pods([owner], events)
        assert waiting is not None
        assert waiting.reason is reason
        assert waiting.message.startswith(("exceeded", "violates", "failed")) or said in (
            waiting.message
        )


def test_the_latest_refusal_is_told() -> None:
    events = [event(job(), "FailedCreate", QUOTA, 5), event(job(), "FailedCreate", SECURITY, 50)]
    waiting = refused_pods([worker(1), job()], events)
    assert waiting is not None
    assert waiting.reason is Reason.QUOTA


def test_what_kubernetes_says_of_a_claim() -> None:
    pending = claim(phase="Pending")
    assert claim_trouble(pending, ()) == "no volume is bound to it yet"
    said = 'storageclass.storage.k8s.io "fast" not found'
    assert claim_trouble(pending, (event(pending, "ProvisioningFailed", said),)) == said
    assert "gone" in claim_trouble(claim(phase="Lost"), ())


class TestLastWords:
    def test_of_a_driver_that_was_killed_for_its_memory(self) -> None:
        words = last_words(ended_pod(None, reason="OOMKilled"))
        assert words is not None
        assert words.reason is Reason.OUT_OF_MEMORY

    def test_of_one_that_could_not_be_started(self) -> None:
        found = ended_pod(None, code=128, reason="StartError")
        ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
        ended["message"] = "exec: python:\n not found"
        words = last_words(found)
        assert words is not None
        assert words.message == (
            "pod s-driver-x: it ended with exit code 128 (exec: python: not found)"
        )

    def test_an_outcome_is_not_recited(self) -> None:
        words = last_words(ended_pod(outcome(75)))
        assert words is not None
        assert words.message == "pod s-driver-x: it ended with exit code 75"

    def test_of_one_that_was_evicted(self) -> None:
        said = "The node was low on resource: memory."
        words = last_words(pod("driver", phase="Failed", reason="Evicted", message=said))
        assert words is not None
        assert said in words.message

    def test_one_that_runs_has_none(self) -> None:
        assert last_words(pod("driver")) is None
