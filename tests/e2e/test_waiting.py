"""What keeps a search waiting shows as a reason on a condition and as an Event, in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e import helm
from tests.e2e.kube import EVERY, Kube, Object
from tests.e2e.objects import config_map, shared_volume
from tests.e2e.search_jobs import AppliedSearch, Kept, on_claim
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.waiting import until

pytestmark = pytest.mark.e2e

SOON = 60.0
"""Seconds from apply; of these 15 are the operator's, and the others are Kubernetes' own."""


@dataclass(frozen=True)
class Case:
    """Something that is amiss, and how it is told."""

    spec: dict[str, Any]
    condition: str
    reason: str
    says: str
    beside: list[Object] = field(default_factory=list)
    """Other objects of the namespace."""


def _v1(kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


NOBODYS = {"nodeSelector": {"kubernetes.io/hostname": "nobody"}}
QUOTA = _v1("ResourceQuota", "no-pods", spec={"hard": {"pods": "0"}})
LIMITS = _v1(
    "LimitRange", "large", spec={"limits": [{"type": "Container", "min": {"memory": "9Gi"}}]}
)
SECRET_VARIABLE = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}
TINY = {"resources": {"requests": {"memory": "16Mi"}, "limits": {"memory": "32Mi"}}}
ABSENT_MAP = {
    "volumes": [{"name": "more", "configMap": {"name": "absent"}}],
    "volumeMounts": [{"name": "more", "mountPath": "/more"}],
}
NO_YAML = config_map("dask", {"nonsense.yaml": "]"})
NONSENSE = {
    "volumes": [{"name": "dask", "configMap": {"name": "dask"}}],
    "volumeMounts": [{"name": "dask", "mountPath": "/etc/dask"}],
}
"""Dask reads its configuration there, and ends if it cannot."""

NARROW = _v1(
    "PersistentVolumeClaim",
    "narrow",
    spec={
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "resources": {"requests": {"storage": "1Gi"}},
    },
)

CASES = {
    "an image that cannot be pulled": Case(
        {"image": "localhost:1/no/such:1"}, "ClusterReady", "ImagePull", "no/such:1"
    ),
    "workers that no node takes": Case(
        {"worker": NOBODYS}, "ClusterReady", "Unschedulable", "didn't match"
    ),
    "a driver that no node takes": Case(
        {"driver": NOBODYS}, "DriverRunning", "Unschedulable", "didn't match"
    ),
    "a quota": Case({}, "ClusterReady", "Quota", "exceeded quota", [QUOTA]),
    "an admission": Case({}, "ClusterReady", "PodSecurity", "minimum memory usage", [LIMITS]),
    "a missing Secret": Case(
        {"env": [SECRET_VARIABLE]}, "DriverRunning", "MissingReference", 'secret "absent" not found'
    ),
    "a missing key of a ConfigMap": Case(
        {
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "here", "key": "absent"}}}
            ]
        },
        "DriverRunning",
        "MissingReference",
        "absent",
        [config_map("here", {"k": "v"})],
    ),
    "a missing ConfigMap with files": Case(
        {"driver": ABSENT_MAP}, "DriverRunning", "MissingReference", 'configmap "absent" not found'
    ),
    "a missing ConfigMap with the script": Case(
        {"script": {"configMap": {"name": "absent", "key": "search.py"}}},
        "DriverRunning",
        "MissingReference",
        'configmap "absent" not found',
    ),
    "a missing claim": Case(
        {"storage": {"file": {"claimName": "absent"}}},
        "StorageReady",
        "ClaimMissing",
        "no PersistentVolumeClaim absent",
    ),
    "a claim for one node": Case(
        {"storage": {"file": {"claimName": "narrow"}}},
        "StorageReady",
        "ClaimNotShared",
        "need ReadWriteMany",
        [NARROW],
    ),
    "a name that is taken": Case(
        {},
        "ClusterReady",
        "NameTaken",
        "ConfigMap search-run is there and is not this search's",
        [config_map("search-run", {"somebody": "else's"})],
    ),
    "too little memory for the scheduler": Case(
        {"scheduler": TINY}, "ClusterReady", "OutOfMemory", "more memory than its limit"
    ),
    "too little memory for the workers": Case(
        {"worker": TINY}, "ClusterReady", "OutOfMemory", "more memory than its limit"
    ),
    "workers that end again and again": Case(
        {"worker": NONSENSE}, "ClusterReady", "CrashLoop", "is started again", [NO_YAML]
    ),
    "too little memory for the driver": Case(
        {"driver": TINY}, "DriverRunning", "OutOfMemory", "more memory than its limit"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_it_waits_for_is_told(
    kube: Kube, cluster: Cluster, namespace: str, claim: str, case: Case
) -> None:
    kube.apply(case.beside, namespace)
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], on_claim(claim, namespace))
    search.apply(**{"script": {"inline": "print('a search')"}, "executors": 1} | case.spec)
    search.await_condition(case.condition, "False", case.reason, SOON, case.says)
    until(
        lambda: [
            event
            for event in search.events()
            if (event["type"], event["reason"]) == ("Warning", case.reason)
            and case.says in event["message"]
        ],
        "an Event that tells it",
        15,
        EVERY,
    )


def test_after_its_time_it_fails_and_says_what_it_waited_for(
    kube: Kube, cluster: Cluster, namespace: str, claim: str
) -> None:
    kept = on_claim(claim, namespace)
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    # Long enough for a busy cluster to make the pod and to find no node for it. Workers' pods are
    # made by dask's controller, after the scheduler is there.
    search.apply(script={"inline": "print(1)"}, driver=NOBODYS, startupTimeoutSeconds=45)
    message = search.await_failed("StartupTimeout", 120)
    assert "startupTimeoutSeconds, 45 s" in message
    assert "didn't match" in message
    search.await_no_pods()


def test_a_volume_that_cannot_be_mounted_is_told(
    kube: Kube, cluster: Cluster, namespace: str
) -> None:
    kube.apply([shared_volume(namespace, path="/no-such-directory")])
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": namespace,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    kube.apply([_v1("PersistentVolumeClaim", "broken", spec=spec)], namespace)
    kept: Kept = on_claim("broken", namespace)
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    search.apply(script={"inline": "print(1)"}, executors=1)
    condition = search.await_condition("StorageReady", "False", "Mount", SOON)
    assert "hostPath type check failed" in condition["message"]


@pytest.mark.alone
@pytest.mark.full
def test_a_dask_controller_that_is_down_is_told_and_with_one_it_goes_on(
    kube: Kube, cluster: Cluster, namespace: str, claim: str
) -> None:
    kept = on_claim(claim, namespace)
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    with helm.stopped(kube, "dask-controller"):
        search.apply(script={"inline": SCRIPT}, args=["--trials", "3"], executors=1)
        search.await_condition("ClusterReady", "False", "DaskControllerSilent", 90)
    search.await_complete()
    search.check_trials(3)
