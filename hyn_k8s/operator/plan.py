"""What to do for a search, decided from what was seen of it; nothing here talks to anybody.

``plan`` reads as the life of a SearchJob: it is told to go; it is over; it ends; it rests; it goes
on. Each of these lists the actions that are missing now, and the status that is true now. Done
twice it asks for nothing the second time.
"""

from __future__ import annotations

from dataclasses import replace

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.storage import Storage
from hyn_k8s.objects import Search, claim
from hyn_k8s.operator.actions import Action, Apply, Plan
from hyn_k8s.operator.conditions import (
    FALSE,
    RUNNING_CONDITIONS,
    TRUE,
    Verdict,
    storage_trouble,
)
from hyn_k8s.operator.ending import (
    Ending,
    ending_by_outcome,
    ending_of,
    standing_of,
)
from hyn_k8s.operator.making import missing_objects, taken_name
from hyn_k8s.operator.observation import Observation, written
from hyn_k8s.operator.resting import (
    GONE,
    WAITING_SECONDS,
    after_the_end,
    is_to_be_retried,
    rest,
    stuck_pods,
)
from hyn_k8s.operator.settings import OperatorSettings
from hyn_k8s.operator.status import at_rest, following_status
from hyn_k8s.operator.workers import scaling

PROGRESS_SECONDS = 3.0
"""How often a running search is looked at, for its progress."""


def plan(seen: Observation, settings: OperatorSettings) -> Plan:
    """What to do for the search."""
    if seen.is_being_deleted:
        return Plan()  # what it owns goes with it, and its data stay
    if seen.is_over:
        return rest(seen) if is_to_be_retried(seen) else after_the_end(seen)
    if seen.search_job.spec.suspend and ending_by_outcome(seen) is None:
        return rest(seen)
    if seen.storage is None:
        return _end(seen, _without_storage())
    ending = ending_of(seen)
    if ending is not None:
        return _end(seen, ending)
    return _go_on(seen, _search(seen, seen.storage, settings), settings)


def _search(seen: Observation, storage: Storage, settings: OperatorSettings) -> Search:
    spec = seen.search_job.spec
    return Search(
        name=seen.name,
        namespace=seen.namespace,
        uid=seen.uid,
        spec=spec,
        image=spec.image or settings.image,
        storage=storage,
        image_pull_policy=settings.image_pull_policy,
        image_pull_secrets=settings.image_pull_secrets,
    )


def _go_on(seen: Observation, search: Search, settings: OperatorSettings) -> Plan:
    """Have everything that the search needs."""
    verdicts = [condition(seen) for condition in RUNNING_CONDITIONS]
    actions: list[Action] = []
    taken = taken_name(seen)
    trouble = storage_trouble(seen)
    new_claim = claim(search) if seen.claim is None else None
    if new_claim is not None:
        actions.append(Apply(new_claim))
    elif taken is not None:
        verdicts = [_with_taken_name(each, taken) for each in verdicts]
    elif trouble is None or trouble.reason is Reason.CLAIM_PENDING:
        actions += missing_objects(seen, search, settings)
    cluster = seen.own(seen.cluster)
    if cluster is not None:
        actions += scaling(seen, cluster)
    actions += stuck_pods(seen)
    progress = seen.progress
    status = following_status(
        seen,
        [*verdicts, *_resumed(seen)],
        standing=progress.standing if progress else None,
        eta_seconds=progress.eta_seconds if progress else None,
        start_time=_start_time(seen),
    )
    return Plan(tuple(actions), status, again_in=PROGRESS_SECONDS if progress else WAITING_SECONDS)


def _with_taken_name(verdict: Verdict, taken: Manifest) -> Verdict:
    if verdict.type is not ConditionType.CLUSTER_READY:
        return verdict
    what = f"{taken['kind']} {taken['metadata']['name']}"
    message = f"{what} is there and is not this search's; delete it, or rename the SearchJob"
    return replace(verdict, status=FALSE, reason=Reason.NAME_TAKEN, message=message)


def _start_time(seen: Observation) -> str:
    """When the search began, or was resumed."""
    before = seen.status.start_time
    if before is None or seen.holds(ConditionType.SUSPENDED):
        return written(seen.at)
    return before


def _resumed(seen: Observation) -> list[Verdict]:
    if not seen.holds(ConditionType.SUSPENDED):
        return []
    message = "it resumes where it stopped"
    return [Verdict(ConditionType.SUSPENDED, FALSE, Reason.RESUMED, message)]


def _without_storage() -> Ending:
    message = "spec.storage is missing, and the operator has no default; name a claim or a bucket"
    return Ending(ConditionType.FAILED, Reason.NO_STORAGE, message)


def _end(seen: Observation, ending: Ending) -> Plan:
    """Write down for good what came of it. Only then is anything taken away, which the look after
    this one does: until it is written, nobody knows it but the pods."""
    over = f"the search is over: {ending.message}"
    verdicts = [Verdict(type_, FALSE, Reason.ENDED, over) for type_ in GONE]
    if ending.reason in (Reason.STORAGE_REFUSED, Reason.NO_STORAGE):
        storage = Verdict(ConditionType.STORAGE_READY, FALSE, ending.reason, ending.message)
        verdicts.insert(0, storage)
    elif ending.outcome is not None and ending.outcome.standing.search is not None:
        message = "driver and workers have written and read it"
        verdicts.insert(0, Verdict(ConditionType.STORAGE_READY, TRUE, Reason.PROVED, message))
    status = following_status(
        seen,
        [*verdicts, Verdict(ending.type, TRUE, ending.reason, ending.message)],
        standing=standing_of(seen, ending),
        completion_time=written(seen.at),
    )
    return Plan(status=at_rest(status), again_in=0.0)
