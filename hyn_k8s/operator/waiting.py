"""Why a search waits: what Kubernetes says of its pods, claims and Jobs, as one sentence.

Kubernetes says it in many places: a condition of the pod (no node takes it), the state of a
container (an image, a Secret, a crash), a condition of a Deployment (quota, Pod Security), and
where nothing else does, a Warning event (a volume, a Job that may not make its pod). The gravest is
told first, and one that says nothing new after a moment is not told at all: a pod that uses a claim
which is bound a second later is refused once by the scheduler, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hyn_k8s.api.conditions import Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.documents import Problem
from hyn_k8s.errors import ClusterError
from hyn_k8s.operator.observation import (
    Observation,
    age,
    condition_of,
    has_ended,
    is_ending,
    is_true,
    outcome_of,
)

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_START = ("CreateContainerError", "RunContainerError", "StartError")
_MOUNT_EVENTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_PATIENCE_SECONDS = 5.0
"""How long a pod may be unschedulable before that is said: claims and nodes take a moment."""

_GRAVITY = (
    Reason.POD_SECURITY,
    Reason.QUOTA,
    Reason.MISSING_REFERENCE,
    Reason.IMAGE_PULL,
    Reason.OUT_OF_MEMORY,
    Reason.CRASH_LOOP,
    Reason.MOUNT,
    Reason.UNSCHEDULABLE,
)
"""What is told first where several things are amiss."""

TROUBLES = frozenset(
    (
        *_GRAVITY,
        Reason.CLAIM_MISSING,
        Reason.CLAIM_PENDING,
        Reason.CLAIM_NOT_SHARED,
        Reason.NO_STORAGE,
        Reason.STORAGE_REFUSED,
        Reason.DASK_CONTROLLER_SILENT,
        Reason.KIND_MISSING,
        Reason.NAME_TAKEN,
        Reason.REFUSED,
        Reason.RETRYING,
        Reason.NOT_RETRIED,
        Reason.RUN_TAKEN,
    )
)
"""What somebody should look at."""


@dataclass(frozen=True)
class Waiting:
    """Something is waited for."""

    reason: Reason
    message: str


def waiting_of(seen: Observation, role: str) -> Waiting | None:
    """The gravest thing that keeps the pods of a role from running, None if nothing does."""
    pods = [pod for pod in seen.pods_of(role) if not is_ending(pod) and not has_ended(pod)]
    found = [each for pod in pods if (each := _waiting_pod(pod, seen)) is not None]
    return min(found, key=lambda each: _GRAVITY.index(each.reason), default=None)


def refused_pods(owners: Iterable[Manifest], events: Sequence[Manifest]) -> Waiting | None:
    """Why a Deployment or Job of ``owners`` may not make a pod, None if they may."""
    for owner in owners:
        failure = condition_of(owner, "ReplicaFailure")
        if failure.get("status") == "True":
            return _refusal(str(failure.get("message", "")))
        said = _events_of(owner, events, ("FailedCreate",))
        if said:
            return _refusal(str(said[-1].get("message", "")))
    return None


def events_since(last: Manifest | None, events: Sequence[Manifest]) -> list[Manifest]:
    """The events after a pod was made: what stood in its way before does no more."""
    made = str(last["metadata"]["creationTimestamp"]) if last else ""
    return [each for each in events if str(each.get("lastTimestamp") or "") >= made]


def claim_trouble(claim: Manifest, events: Sequence[Manifest]) -> str:
    """What Kubernetes says of a claim that has no volume."""
    if (claim.get("status") or {}).get("phase") == "Lost":
        return "the volume that it was bound to is gone"
    said = _events_of(claim, events, ("ProvisioningFailed", "FailedBinding"))
    return str(said[-1].get("message")) if said else "no volume is bound to it yet"


def _waiting_pod(pod: Manifest, seen: Observation) -> Waiting | None:
    name = pod["metadata"]["name"]
    status = pod.get("status") or {}
    for container in [
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ]:
        found = _waiting_container(name, container)
        if found is not None:
            return found
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable" and age(pod, seen.at) > _PATIENCE_SECONDS:
        return Waiting(Reason.UNSCHEDULABLE, f"pod {name}: {scheduled.get('message')}")
    if status.get("phase") == "Pending" and not is_true(pod, "PodReadyToStartContainers"):
        said = _events_of(pod, seen.events, _MOUNT_EVENTS)
        if said:
            message = str(said[-1].get("message"))
            reason = Reason.MISSING_REFERENCE if _is_missing(message) else Reason.MOUNT
            return Waiting(reason, f"pod {name}: {message}")
    return None


def _is_missing(message: str) -> bool:
    """Whether a volume cannot be mounted because a ConfigMap, a Secret or a key is not there."""
    if "references non-existent" in message:
        return True
    named = 'configmap "' in message or 'secret "' in message
    return named and message.endswith("not found")


def _waiting_container(pod: str, container: dict[str, Any]) -> Waiting | None:
    state = (container.get("state") or {}).get("waiting") or {}
    reason, message = state.get("reason", ""), state.get("message", "")
    last = (container.get("lastState") or {}).get("terminated") or {}
    if reason in _IMAGE:
        said = message or reason
        return Waiting(Reason.IMAGE_PULL, f"pod {pod}: image {container.get('image')}: {said}")
    if reason == "CreateContainerConfigError":
        return Waiting(Reason.MISSING_REFERENCE, f"pod {pod}: {message or reason}")
    if reason in _START:
        said = f"container {container['name']}: {message or reason}"
        return Waiting(Reason.CRASH_LOOP, f"pod {pod}: {said}")
    if last.get("reason") == "OOMKilled" and not container.get("ready"):
        return Waiting(Reason.OUT_OF_MEMORY, f"pod {pod}: {out_of_memory(container['name'])}")
    # Between two of its lives it is not always said to be in that loop.
    if reason == "CrashLoopBackOff" or (last and not container.get("ready")):
        said = f"{_end_of(last)} and is started again with growing pauses"
        return Waiting(Reason.CRASH_LOOP, f"pod {pod}: container {container['name']}: {said}")
    return None


def out_of_memory(container: str) -> str:
    """What is said of a container that was killed for its memory."""
    return f"container {container} took more memory than its limit and was killed; raise the limit"


def _refusal(message: str) -> Waiting:
    said = message.partition("is forbidden: ")[2] or message
    return Waiting(refusal_reason(message), said)


def refusal_reason(message: str) -> Reason:
    """What it is that does not let the API server take an object."""
    if "exceeded quota" in message or "failed quota" in message:
        return Reason.QUOTA
    if "is forbidden" in message or "denied the request" in message:
        return Reason.POD_SECURITY
    return Reason.REFUSED


def lasting_refusal(error: ClusterError) -> Waiting | None:
    """What has to be mended before a search can be looked at, None where that will pass."""
    if error.status == 404:  # that an object is not there is no error, that its kind is not is one
        cure = "dask's CustomResourceDefinitions have to be installed"
        return Waiting(Reason.KIND_MISSING, f"{error.verb} {error.ref}: no such kind; {cure}")
    return None if error.retry else Waiting(Reason.REFUSED, str(error))


def named_driver(seen: Observation, problem: Problem) -> str:
    """What the latest driver says of its storage, with the pod to look into."""
    pod = seen.last_driver
    return problem.message if pod is None else f"pod {pod['metadata']['name']}: {problem.message}"


def last_words(pod: Manifest) -> Waiting | None:
    """How a pod that has no Outcome ended, None if it has not; its reason is OUT_OF_MEMORY, or
    RETRYING for everything else."""
    name = pod["metadata"]["name"]
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("reason") == "OOMKilled":
            said = out_of_memory(container["name"])
            return Waiting(Reason.OUT_OF_MEMORY, f"pod {name}: {said}")
        if ended:
            said = _end_of(ended if outcome_of(pod) is None else ended | {"message": None})
            return Waiting(Reason.RETRYING, f"pod {name}: {said}")
    if has_ended(pod):  # the kubelet did it: evicted, or refused by the node
        said = ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
        return Waiting(Reason.RETRYING, f"pod {name}: {said or 'it ended before it began'}")
    return None


def _end_of(ended: dict[str, Any]) -> str:
    """How a container ended, with what is said where it could not even be started."""
    said = " ".join(str(ended.get("message") or "").split())[:300]
    return f"it ended with exit code {ended.get('exitCode')}" + (f" ({said})" if said else "")


def _events_of(
    about: Manifest, events: Sequence[Manifest], reasons: Sequence[str]
) -> list[Manifest]:
    """The events about an object with one of these reasons, the latest one last."""
    uid = about["metadata"].get("uid")
    found = [
        event
        for event in events
        if event.get("reason") in reasons and event.get("involvedObject", {}).get("uid") == uid
    ]
    return sorted(
        found, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or "")
    )
