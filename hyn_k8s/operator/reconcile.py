"""One look at a search: see what there is, decide, do it, write the status if it is another one.

Doing it again changes nothing, so it may be begun at any moment and after any event, and after a
crash in its middle. What goes wrong is raised, for the queue to try again, later each time; what
the API server refuses for good is told on the SearchJob as well, since somebody has to mend it. The
status is written before, since deadlines are counted by it: one is met at most a pause late.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.status import ConditionStatus, Phase, SearchJobStatus
from hyn_k8s.errors import ClusterError, SpecError
from hyn_k8s.kube import SEARCH_JOB, Kube, Ref
from hyn_k8s.operator.actions import Action, Apply, Delete, Patch, Told
from hyn_k8s.operator.conditions import Verdict
from hyn_k8s.operator.observation import Observation, written
from hyn_k8s.operator.observing import is_settled, read_observation, read_progress_of
from hyn_k8s.operator.plan import plan
from hyn_k8s.operator.settings import OperatorSettings
from hyn_k8s.operator.status import news
from hyn_k8s.operator.waiting import Waiting, lasting_refusal, refusal_reason

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """The time, with its zone."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Look:
    """What a look at a search has come to."""

    again_in: float | None = None
    """After how many seconds to look again; None if events are enough."""
    settled: Observation | None = None
    """What the next look need not read again, unless an event says that it has changed."""


def reconcile(
    kube: Kube,
    settings: OperatorSettings,
    namespace: str,
    name: str,
    now: Clock = utc_now,
    settled: Observation | None = None,
) -> Look:
    """Look at a search once; of one that has settled only the driver is asked.

    Raises:
        ClusterError: the API server did not do something, or did not tell what there is.
    """
    at = now()
    seen = None if settled is None else read_progress_of(kube, settled, at)
    try:
        seen = seen or read_observation(kube, settings, namespace, name, at)
    except SpecError as error:
        _tell(kube, SEARCH_JOB.ref(namespace, name), Waiting(Reason.REFUSED, str(error)), at)
        return Look()
    except ClusterError as error:
        refusal = lasting_refusal(error)
        if refusal is not None:
            _tell(kube, SEARCH_JOB.ref(namespace, name), refusal, at)
        raise
    if seen is None:
        return Look()
    planned = plan(seen, settings)
    failed = _act_all(kube, planned.actions)
    status = planned.status
    if status is not None:
        status = _with_error(seen, status, failed)
        _write(kube, seen, status)
    if failed is not None:
        raise failed
    if planned.actions or status is None or not is_settled(seen):
        return Look(planned.again_in)
    return Look(planned.again_in, seen.with_status(status))


def _act_all(kube: Kube, actions: Sequence[Action]) -> ClusterError | None:
    """Do each of ``actions``; the first error. What is made after it would lack something."""
    first: ClusterError | None = None
    for action in actions:
        if first is not None and isinstance(action, Apply):
            continue
        try:
            _act(kube, action)
        except ClusterError as error:
            logger.warning("%s", error)
            first = first or error
    return first


def _act(kube: Kube, action: Action) -> None:
    match action:
        case Apply(manifest):
            logger.info("Applying %s", Ref.to(manifest))
            kube.apply(manifest)
        case Patch(ref, changes):
            logger.info("Patching %s: %s", ref, changes)
            kube.patch(ref, changes)
        case Delete(ref, uid, at_once):
            logger.info("Deleting %s", ref)
            kube.delete(ref, uid, at_once)


def _with_error(
    seen: Observation, status: SearchJobStatus, error: ClusterError | None
) -> SearchJobStatus:
    """``status`` with what the API server did not do.

    One that may do it another time is told of in the message only, and only while the search
    starts: most of these errors are gone a moment later.
    """
    if error is None:
        return status
    reason = Reason.REFUSED
    if error.retry:
        reason = Reason.STARTING
        starting = [each for each in status.conditions or [] if each.reason == reason]
        if not any(each.type == ConditionType.CLUSTER_READY for each in starting):
            return status
    elif refusal_reason(error.problem) is Reason.QUOTA:
        reason = Reason.QUOTA
    verdict = Verdict(ConditionType.CLUSTER_READY, ConditionStatus.FALSE, reason, str(error))
    refused = verdict.since(seen.condition(verdict.type), seen)
    conditions = [
        refused if each.type == refused.type else each for each in status.conditions or []
    ]
    return status.model_copy(update={"conditions": conditions})


def _write(kube: Kube, seen: Observation, status: SearchJobStatus) -> None:
    """Write the status and tell of its news, if it is another one."""
    if status == seen.status:
        return
    kube.replace_status(Ref.to(seen.manifest), status.to_manifest(), seen.uid)
    for told in news(seen.status, status):
        _post(kube, seen.manifest, told)


def _post(kube: Kube, about: Manifest, told: Told) -> None:
    try:
        kube.post_event(about, told.type, told.reason, told.message)
    except ClusterError as error:  # it is on the status, where it counts
        logger.warning("%s", error)


def _tell(kube: Kube, ref: Ref, waiting: Waiting, at: datetime.datetime) -> None:
    """Say of a SearchJob why the operator cannot look at it; once, and not of one that is over.

    Its status is taken as it is, since it may not be readable.
    """
    manifest = kube.get(ref)
    if manifest is None or _is_over(manifest):
        return
    status = dict(manifest.get("status") or {})
    conditions = [*(status.get("conditions") or [])]
    told = {
        "type": str(ConditionType.CLUSTER_READY),
        "status": str(ConditionStatus.FALSE),
        "reason": str(waiting.reason),
        "message": waiting.message,
        "lastTransitionTime": written(at),
        "observedGeneration": manifest["metadata"].get("generation", 1),
    }
    before: dict[str, object] = next(
        (each for each in conditions if each.get("type") == told["type"]), {}
    )
    if before.get("status") == told["status"]:
        told["lastTransitionTime"] = before.get("lastTransitionTime", told["lastTransitionTime"])
    if before == told:
        return
    others = [each for each in conditions if each.get("type") != told["type"]]
    after = {"phase": str(Phase.PENDING)} | status | {"conditions": [*others, told]}
    kube.replace_status(ref, after, manifest["metadata"]["uid"])
    if before.get("reason") != told["reason"]:
        _post(kube, manifest, Told("Warning", str(waiting.reason), waiting.message))


def _is_over(manifest: Manifest) -> bool:
    conditions = (manifest.get("status") or {}).get("conditions") or []
    ends = (str(ConditionType.COMPLETE), str(ConditionType.FAILED))
    return any(each.get("type") in ends and each.get("status") == "True" for each in conditions)
