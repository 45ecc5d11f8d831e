"""What the conditions of a search are, from what was seen of it; each a small decision of its own.

A ``Verdict`` is a condition before it is compared with the one written last, from which it keeps
the time of its last change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.status import Condition, ConditionStatus
from hyn_k8s.contract import DriverExit
from hyn_k8s.documents import Cause, Progress, Stage
from hyn_k8s.names import DRIVER, SCHEDULER, WORKER
from hyn_k8s.operator.observation import (
    Observation,
    age,
    has_ended,
    is_ending,
    is_running_script,
    is_true,
    outcome_of,
    written,
)
from hyn_k8s.operator.retries import is_renewed
from hyn_k8s.operator.waiting import (
    Waiting,
    claim_trouble,
    events_since,
    last_words,
    named_driver,
    refused_pods,
    waiting_of,
)
from hyn_k8s.operator.workers import available, own_deployments, worker_deployments

SILENT_SECONDS = 30.0
"""How long dask's controller may take to make anything of a DaskCluster."""

BINDING_SECONDS = 5.0
"""How long a claim may be without a volume before that is said: a new one always is."""

_MESSAGE_BYTES = 2048

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True)
class Verdict:
    """What a condition says now."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str

    def since(self, before: Condition | None, seen: Observation) -> Condition:
        """The condition, which keeps its time while its status stays."""
        same = before is not None and before.status is self.status
        return Condition(
            type=self.type,
            status=self.status,
            reason=self.reason,
            message=self.message.encode()[:_MESSAGE_BYTES].decode(errors="ignore"),
            last_transition_time=before.last_transition_time
            if same and before is not None
            else written(seen.at),
            observed_generation=seen.generation,
        )


def storage_trouble(seen: Observation) -> Waiting | None:
    """What is wrong with the claim, found without any pod; None for a bucket."""
    name = seen.claim_name
    if name is None:
        return None
    if seen.claim is None:
        if seen.makes_claim:
            return None  # it is being made
        cure = "make it, or delete the SearchJob and apply it with another claimName"
        return Waiting(Reason.CLAIM_MISSING, f"there is no PersistentVolumeClaim {name}; {cure}")
    modes = seen.claim["spec"].get("accessModes") or []
    if "ReadWriteMany" not in modes:
        found = ", ".join(modes) or "none"
        need = "the pods of a search run on several nodes and need ReadWriteMany"
        return Waiting(Reason.CLAIM_NOT_SHARED, f"claim {name} has access modes {found}; {need}")
    if (seen.claim.get("status") or {}).get("phase") != "Bound":
        said = claim_trouble(seen.claim, seen.events)
        return Waiting(Reason.CLAIM_PENDING, f"claim {name}: {said}")
    return None


def storage_ready(seen: Observation) -> Verdict:
    """Whether the storage is there and the same for all."""

    def verdict(status: ConditionStatus, reason: Reason, message: str) -> Verdict:
        return Verdict(ConditionType.STORAGE_READY, status, reason, message)

    trouble = storage_trouble(seen) or _mount_trouble(seen)
    if trouble is not None and trouble.reason is Reason.CLAIM_PENDING and _is_new(seen.claim, seen):
        return verdict(UNKNOWN, Reason.NOT_PROVED, trouble.message)
    if trouble is not None:
        return verdict(FALSE, trouble.reason, trouble.message)
    # What an earlier driver said does not hold against the one that runs.
    said = seen.progress or seen.last_outcome
    if said is not None and said.problem is not None and said.problem.cause is Cause.STORAGE:
        return verdict(FALSE, Reason.STORAGE_REFUSED, named_driver(seen, said.problem))
    progress, standing = seen.progress, said.standing if said else None
    begun = progress is not None and progress.stage in (Stage.SEARCH, Stage.ENDED)
    if begun or seen.holds(ConditionType.STORAGE_READY) or (standing and standing.search):
        return verdict(TRUE, Reason.PROVED, "driver and workers have written and read it")
    return verdict(UNKNOWN, Reason.NOT_PROVED, "driver and workers have not come so far")


def _is_new(claim: Manifest | None, seen: Observation) -> bool:
    return claim is not None and age(claim, seen.at) < BINDING_SECONDS


def _mount_trouble(seen: Observation) -> Waiting | None:
    for role in (DRIVER, WORKER):
        found = waiting_of(seen, role)
        if found is not None and found.reason is Reason.MOUNT:
            return found
    return None


def cluster_ready(seen: Observation) -> Verdict:
    """Whether there is a scheduler and a worker."""

    def verdict(status: ConditionStatus, reason: Reason, message: str) -> Verdict:
        return Verdict(ConditionType.CLUSTER_READY, status, reason, message)

    workers = worker_deployments(seen)
    ready = sum(available(each) for each in workers)
    schedulers = [each for each in own_deployments(seen) if each not in workers]
    cluster = seen.own(seen.cluster)
    count = f"{ready} of {max(len(workers), _asked(cluster))} workers are ready"
    waiting = (
        waiting_of(seen, SCHEDULER)
        or waiting_of(seen, WORKER)
        or refused_pods([*schedulers, *workers], seen.events)
    )
    if any(available(each) for each in schedulers) and ready:
        more = f"; {waiting.message}" if waiting else ""
        return verdict(TRUE, Reason.READY, f"the scheduler runs, and {count}{more}")
    if waiting is not None:
        return verdict(FALSE, waiting.reason, waiting.message)
    if cluster is not None and not schedulers and age(cluster, seen.at) > SILENT_SECONDS:
        message = "nothing has become of the DaskCluster; is dask's controller running?"
        return verdict(FALSE, Reason.DASK_CONTROLLER_SILENT, message)
    return verdict(FALSE, Reason.STARTING, f"scheduler and workers start; {count}")


def _asked(cluster: Manifest | None) -> int:
    return int(cluster["spec"]["worker"]["replicas"]) if cluster else 0


def driver_running(seen: Observation) -> Verdict:
    """Whether the script is being run."""

    def verdict(status: ConditionStatus, reason: Reason, message: str) -> Verdict:
        return Verdict(ConditionType.DRIVER_RUNNING, status, reason, message)

    if seen.progress is not None:
        return verdict(*_by_its_own_word(seen.progress))
    driver = seen.own(seen.driver)
    if _is_over(seen, driver):
        return verdict(FALSE, Reason.ENDED, "the driver has ended")
    waiting = waiting_of(seen, DRIVER)
    last = seen.last_driver
    if waiting is None and driver is not None and (last is None or has_ended(last)):
        waiting = refused_pods([driver], events_since(last, seen.events)) or _retrying(last)
    if waiting is not None:
        return verdict(FALSE, waiting.reason, waiting.message)
    if _is_up(seen) and seen.holds(ConditionType.DRIVER_RUNNING):
        return verdict(TRUE, Reason.RUNNING, "the script is being run; it is too busy to answer")
    return verdict(FALSE, Reason.STARTING, "the driver's pod starts")


def _by_its_own_word(progress: Progress) -> tuple[ConditionStatus, Reason, str]:
    """What a driver that answers says of itself."""
    problem = progress.problem
    if problem is not None and problem.cause is Cause.TAKEN:
        return FALSE, Reason.RUN_TAKEN, problem.message
    if is_running_script(progress):
        return TRUE, Reason.RUNNING, "the script is being run"
    return FALSE, Reason.STARTING, problem.message if problem else _STAGES[progress.stage]


def _is_over(seen: Observation, driver: Manifest | None) -> bool:
    """Whether no other driver will come, though the driver's Job may not say so yet."""
    if is_renewed(seen):
        return False
    if is_true(driver, "Complete") or is_true(driver, "Failed"):
        return True
    outcome = seen.last_outcome
    return outcome is not None and outcome.exit_code not in DriverExit.RETRIED


def _retrying(last: Manifest | None) -> Waiting | None:
    """How the last driver ended, after which another one goes on."""
    words = last_words(last) if last is not None else None
    outcome = outcome_of(last) if last is not None else None
    if words is None:
        return None
    said = outcome.problem.message if outcome and outcome.problem else words.message
    if outcome and outcome.problem and outcome.problem.cause is Cause.TAKEN:
        return Waiting(Reason.RUN_TAKEN, f"{said}; another driver tries again")
    return Waiting(words.reason, f"another driver goes on; the last one: {said}")


_STAGES = {
    Stage.SCHEDULER: "the driver waits for Dask's scheduler",
    Stage.WORKER: "the driver waits for the first worker",
    Stage.STORAGE: "the driver tries the storage",
}


def _is_up(seen: Observation) -> bool:
    """Whether a driver's pod runs."""
    pods = [pod for pod in seen.pods_of(DRIVER) if not is_ending(pod)]
    return any((pod.get("status") or {}).get("phase") == "Running" for pod in pods)


RUNNING_CONDITIONS: tuple[Callable[[Observation], Verdict], ...] = (
    storage_ready,
    cluster_ready,
    driver_running,
)
"""What is told of a search that goes on."""
