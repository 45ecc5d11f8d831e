"""How many workers there are: grown at once, shrunk only by those that have nothing to do.

Dask's controller makes a Deployment for each worker. It adds some when ``spec.worker.replicas``
grows; when that shrinks it picks who goes, and may pick one that trains. So it never gets to pick:
the Deployments that may go are deleted first, and then the number is set to what is left. A
Deployment that somebody else deleted it does not make again until the number changes, so it is
changed to what is there, and then back.
"""

from __future__ import annotations

import datetime

from hyn_k8s.api.schema import Manifest
from hyn_k8s.documents import Stage
from hyn_k8s.kube import Ref
from hyn_k8s.names import DASK_COMPONENT_LABEL, UID_LABEL, WORKER
from hyn_k8s.operator.actions import Action, Patch, deletion
from hyn_k8s.operator.observation import Observation, age, has_labels, is_ending, moment, written

SCALED_ANNOTATION = "hyn-k8s.dev/scaled-at"
"""On a DaskCluster: when its number of workers was changed last."""

HEALED_ANNOTATION = "hyn-k8s.dev/scale-back-to"
"""On a DaskCluster: how many workers it shall have again, once it was told of those that it has."""

SETTLE_SECONDS = 10.0
"""How long nothing is taken away after a change: the workers it asks for are being made."""

HEAL_SECONDS = 60.0
"""How long dask's controller may take to make the workers it was asked for, and a second for each:
one that is still making them must not be told of fewer."""

BACK_SECONDS = 3.0
"""How long it has for a change: of two that come together it notices neither."""


def own_deployments(seen: Observation) -> list[Manifest]:
    """The Deployments of scheduler and workers that are the search's own, and stay."""
    labels = {UID_LABEL: seen.uid}
    return [each for each in seen.deployments if has_labels(each, labels) and not is_ending(each)]


def worker_deployments(seen: Observation) -> list[Manifest]:
    """The Deployments of workers among them."""
    labels = {DASK_COMPONENT_LABEL: WORKER}
    return [each for each in own_deployments(seen) if has_labels(each, labels)]


def available(deployment: Manifest) -> bool:
    """Whether a Deployment's pod is ready."""
    return bool((deployment.get("status") or {}).get("availableReplicas"))


def workers_wanted(seen: Observation) -> int | None:
    """How many workers there should be, None while nobody knows better than before."""
    progress = seen.progress
    if progress is None or progress.stage not in (Stage.SCRIPT, Stage.SEARCH):
        return None
    return max(1, min(progress.workers_wanted, seen.search_job.spec.executors))


def scaling(seen: Observation, cluster: Manifest) -> list[Action]:
    """What to do about the workers of ``cluster``."""
    annotations = cluster["metadata"].get("annotations") or {}
    asked = int(cluster["spec"]["worker"]["replicas"])
    there = worker_deployments(seen)
    settled = _seconds_since_scaled(cluster, seen.at)
    if HEALED_ANNOTATION in annotations:
        back = int(annotations[HEALED_ANNOTATION])
        return [_scale(cluster, back, seen.at)] if settled >= BACK_SECONDS else []
    wanted = workers_wanted(seen) or asked
    if wanted > asked:
        return [_scale(cluster, wanted, seen.at)]
    if settled > HEAL_SECONDS + wanted and len(there) < wanted:
        return [_scale(cluster, len(there), seen.at, back_to=wanted)]
    if settled < SETTLE_SECONDS:
        return []
    leaving = _leaving(seen, there)[: max(0, len(there) - wanted)]
    if leaving:
        return [deletion(each) for each in leaving]
    left = max(wanted, len(there))
    return [_scale(cluster, left, seen.at)] if left < asked else []


def _leaving(seen: Observation, there: list[Manifest]) -> list[Manifest]:
    """The workers that may go: those that never came or are down, then those that have nothing to
    do."""
    idle = seen.progress.idle_workers if seen.progress else ()
    alive = {_deployment_name(pod) for pod in seen.pods_of(WORKER) if _is_alive(pod)}
    absent = [
        each for each in there if not available(each) and each["metadata"]["name"] not in alive
    ]
    resting = [each for each in there if each["metadata"]["name"] in idle and each not in absent]
    return absent + resting


def _is_alive(pod: Manifest) -> bool:
    """Whether a worker's process may live; between two of its lives it has no trial."""
    status = pod.get("status") or {}
    own = [each for each in status.get("containerStatuses") or [] if each["name"] == WORKER]
    is_down = any("running" not in (each.get("state") or {}) for each in own)
    return status.get("phase") == "Running" and not is_down


def _deployment_name(pod: Manifest) -> str:
    """The Deployment that made a pod: the pod's name has two words more."""
    return str(pod["metadata"]["name"]).rsplit("-", 2)[0]


def _seconds_since_scaled(cluster: Manifest, now: datetime.datetime) -> float:
    scaled = (cluster["metadata"].get("annotations") or {}).get(SCALED_ANNOTATION)
    return age(cluster, now) if scaled is None else (now - moment(scaled)).total_seconds()


def _scale(
    cluster: Manifest, workers: int, now: datetime.datetime, back_to: int | None = None
) -> Patch:
    annotations = {
        SCALED_ANNOTATION: written(now),
        HEALED_ANNOTATION: None if back_to is None else str(back_to),
    }
    changes = {"metadata": {"annotations": annotations}, "spec": {"worker": {"replicas": workers}}}
    return Patch(Ref.to(cluster), changes)
