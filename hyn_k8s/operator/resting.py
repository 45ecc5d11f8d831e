"""A search without pods: it is over, it rests, or it has failed and rests to be retried.

Failed is not the end of the data. A failed search is retried by the field that every search has,
``spec.suspend``: true makes it a suspended one, whose pods' settings may be changed, and false
resumes it. So what is retried is part of the spec, as everything that a user asks of Kubernetes;
no annotation has to be remembered, and memory that was too little can be raised in between. What a
search has in itself (script, image, environment) cannot be changed; where that is wrong, a new
SearchJob resumes the run by ``spec.run``.

The operator sees the spec as it is, not each of its changes. Once it has seen true, it says so by
the condition Suspended, and the search is retried even if false comes before its pods are gone. If
true and false came before it looked, it cannot know, so it says what to do.
"""

from __future__ import annotations

from hyn_k8s import names
from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.names import DRIVER
from hyn_k8s.operator.actions import Action, Plan, deletion
from hyn_k8s.operator.conditions import FALSE, TRUE, Verdict
from hyn_k8s.operator.ending import has_ended_driver
from hyn_k8s.operator.observation import Observation, moment
from hyn_k8s.operator.status import at_rest, following_status

WAITING_SECONDS = 2.0
"""How often one that starts, or whose pods are on their way out, is looked at."""

STUCK_SECONDS = 60.0
"""How long after its time a pod may be ending: its node is gone then, and so is it."""

GONE = (ConditionType.CLUSTER_READY, ConditionType.DRIVER_RUNNING)


def rest(seen: Observation) -> Plan:
    """Free every pod: first the driver, whose trials may come to an end, then the others.

    A failure stays one until no pod and no Job of it is left, which would be taken for the next
    ones.
    """
    driver, cluster = seen.own(seen.driver), seen.own(seen.cluster)
    actions: list[Action] = [deletion(each) for each in (driver, seen.own(seen.report)) if each]
    if cluster is not None and driver is None and not seen.pods_of(DRIVER):
        actions.append(deletion(cluster))
    actions += stuck_pods(seen)
    is_free = seen.holds_nothing
    message = "it has no pods, and resumes when spec.suspend is false"
    verdicts = [Verdict(type_, FALSE, Reason.SUSPENDED, message) for type_ in GONE]
    if is_free:
        suspended = Verdict(ConditionType.SUSPENDED, TRUE, Reason.SUSPENDED, message)
        verdicts += [suspended, *_retried(seen)]
    elif seen.is_over:
        verdicts.append(_to_be_retried())
    # What came of one that is over is known, from whoever knew it.
    said = None if seen.is_over else seen.progress or seen.last_outcome
    status = following_status(seen, verdicts, standing=said.standing if said else None)
    if is_free:
        rested = at_rest(status.model_copy(update={"completion_time": None}))
        # Nobody will tell of a spec.suspend that is false already.
        return Plan(tuple(actions), rested, None if seen.search_job.spec.suspend else 0.0)
    return Plan(tuple(actions), status, again_in=WAITING_SECONDS)


def is_to_be_retried(seen: Observation) -> bool:
    """Whether a search that has failed rests, to be resumed with everything counted anew."""
    if seen.holds(ConditionType.COMPLETE):
        return False
    suspended = seen.condition(ConditionType.SUSPENDED)
    was_asked_for = suspended is not None and suspended.reason == Reason.RETRY_PENDING
    return seen.search_job.spec.suspend or was_asked_for


def _to_be_retried() -> Verdict:
    """What is remembered of a ``spec.suspend`` that was true, until nothing of the failure is
    left."""
    message = "it has failed and is to be retried, once its pods are gone"
    return Verdict(ConditionType.SUSPENDED, FALSE, Reason.RETRY_PENDING, message)


def _retried(seen: Observation) -> list[Verdict]:
    """What is known of a failure that is to be retried."""
    failed = seen.condition(ConditionType.FAILED)
    if failed is None or failed.status is not TRUE:
        return []
    message = f"it failed before, by {failed.reason}: {failed.message}"
    return [Verdict(ConditionType.FAILED, FALSE, Reason.RETRIED, message)]


def after_the_end(seen: Observation) -> Plan:
    """Keep nothing that costs anything, only the driver's log; in time not even the SearchJob."""
    actions = [*_freeing(seen), *stuck_pods(seen)]
    status = following_status(seen, _not_retried(seen))
    ttl, ended = seen.search_job.spec.ttl_seconds_after_finished, seen.status.completion_time
    left = None
    if ttl is not None and ended is not None:
        left = ttl - (seen.at - moment(ended)).total_seconds()
        if left <= 0:
            return Plan((deletion(seen.manifest),), status)
    return Plan(tuple(actions), status, again_in=WAITING_SECONDS if actions else left)


def _not_retried(seen: Observation) -> list[Verdict]:
    """Why nothing comes of what somebody has changed of a search that is over."""
    if seen.holds(ConditionType.COMPLETE):
        if not seen.search_job.spec.suspend:
            return []
        run = names.run_name(seen.name, seen.uid, seen.search_job.spec.run)
        message = (
            "the search is complete, there is nothing to suspend or to retry; "
            f"a new SearchJob with spec.run {run} can add trials"
        )
    elif seen.generation != seen.status.observed_generation:
        message = (
            "the spec was changed, but a failed search is retried by spec.suspend only: set it to "
            "true, wait for the condition Suspended, and set it to false"
        )
    else:
        return []
    return [Verdict(ConditionType.SUSPENDED, FALSE, Reason.NOT_RETRIED, message)]


def _freeing(seen: Observation) -> list[Action]:
    """What has pods that run; a driver that has ended is kept for its log."""
    driver = seen.own(seen.driver)
    kept = [driver] if driver is not None and has_ended_driver(seen) else []
    owned = [seen.own(each) for each in (seen.driver, seen.report, seen.cluster)]
    return [deletion(each) for each in owned if each is not None and each not in kept]


def stuck_pods(seen: Observation) -> list[Action]:
    """Pods whose node does not answer: no other driver starts, and no search rests, before they
    are gone."""
    stuck: list[Action] = []
    for pod in seen.own_pods:
        until = pod["metadata"].get("deletionTimestamp")
        if until and (seen.at - moment(until)).total_seconds() > STUCK_SECONDS:
            stuck.append(deletion(pod, at_once=True))
    return stuck
