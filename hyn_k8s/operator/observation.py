"""What was seen of a search at one moment: everything that ``plan`` decides from.

Reading it is ``observing``'s; here are the questions that several decisions ask of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hyn_k8s import names
from hyn_k8s.api.conditions import ConditionType
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.search_job import SearchJob
from hyn_k8s.api.status import Condition, ConditionStatus, SearchJobStatus
from hyn_k8s.api.storage import Storage
from hyn_k8s.documents import Outcome, Progress, Stage
from hyn_k8s.names import DRIVER, ROLE_LABEL, UID_LABEL


@dataclass(frozen=True)
class Observation:
    """A SearchJob and what there is of its search."""

    at: datetime.datetime
    """When, with a time zone."""
    manifest: Manifest
    """The SearchJob as Kubernetes has it."""
    search_job: SearchJob
    storage: Storage | None
    """The storage that it names, else the one that it has begun with, else the default."""
    cluster: Manifest | None = None
    """Whatever DaskCluster has the name of the search's; so with the next ones."""
    driver: Manifest | None = None
    """The driver's Job."""
    report: Manifest | None = None
    """The Job that reads the outcome from the storage."""
    config: Manifest | None = None
    network_policy: Manifest | None = None
    """Only read where the installation has searches closed."""
    claim: Manifest | None = None
    """The claim that the storage names."""
    deployments: tuple[Manifest, ...] = ()
    """Of scheduler and workers, those of an earlier cluster of the name included."""
    remains: tuple[Manifest, ...] = ()
    """What else an earlier cluster of the name has left; only read while there is no cluster."""
    pods: tuple[Manifest, ...] = ()
    """Of driver, scheduler, workers and report, those that are ending included."""
    events: tuple[Manifest, ...] = ()
    """Warnings in the namespace; only read while something is waited for."""
    progress: Progress | None = None
    """What the driver says, if it runs and answers."""

    @property
    def name(self) -> str:
        """The SearchJob's name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.manifest["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        """Its uid."""
        return str(self.manifest["metadata"]["uid"])

    @property
    def claim_name(self) -> str | None:
        """The claim with the shared volume, None where there is a bucket or nothing."""
        file = self.storage.file if self.storage else None
        if file is None:
            return None
        return file.claim_name or names.claim_name(self.name)

    @property
    def makes_claim(self) -> bool:
        """Whether that claim is made for the search, and not by somebody else."""
        file = self.storage.file if self.storage else None
        return file is not None and file.claim_template is not None

    @property
    def generation(self) -> int:
        """The generation of what it says."""
        return int(self.manifest["metadata"].get("generation", 1))

    @property
    def is_being_deleted(self) -> bool:
        """Whether it is on its way out."""
        return "deletionTimestamp" in self.manifest["metadata"]

    @property
    def status(self) -> SearchJobStatus:
        """What was written of it last."""
        return self.search_job.status or SearchJobStatus()

    def with_status(self, status: SearchJobStatus) -> Observation:
        """The same once ``status`` has been written."""
        return replace(self, search_job=self.search_job.model_copy(update={"status": status}))

    def condition(self, type_: ConditionType) -> Condition | None:
        """A condition as it was written last."""
        found = [each for each in self.status.conditions or [] if each.type == type_]
        return found[0] if found else None

    def holds(self, type_: ConditionType) -> bool:
        """Whether a condition was True."""
        condition = self.condition(type_)
        return condition is not None and condition.status is ConditionStatus.TRUE

    @property
    def is_over(self) -> bool:
        """Whether the search has ended, well or not."""
        return self.holds(ConditionType.COMPLETE) or self.holds(ConditionType.FAILED)

    def owns(self, manifest: Manifest) -> bool:
        """Whether an object is this search's, and not that of another one of the same name."""
        owners = manifest["metadata"].get("ownerReferences") or []
        return any(owner.get("uid") == self.uid for owner in owners)

    def own(self, manifest: Manifest | None) -> Manifest | None:
        """``manifest`` if it is this search's and stays, else None."""
        if manifest is None or not self.owns(manifest) or is_ending(manifest):
            return None
        return manifest

    @property
    def holds_nothing(self) -> bool:
        """Whether the search has no pods, and nothing that would make any."""
        makers = (self.cluster, self.driver, self.report)
        made = any(each is not None and self.owns(each) for each in makers)
        return not self.own_pods and not made

    @property
    def own_pods(self) -> list[Manifest]:
        """The search's pods of all roles."""
        return [pod for pod in self.pods if has_labels(pod, {UID_LABEL: self.uid})]

    def pods_of(self, role: str) -> list[Manifest]:
        """The search's pods of a role, the latest one last."""
        found = [pod for pod in self.own_pods if has_labels(pod, {ROLE_LABEL: role})]
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    @property
    def last_driver(self) -> Manifest | None:
        """The latest of the driver's pods, which may have ended."""
        pods = self.pods_of(DRIVER)
        return pods[-1] if pods else None

    @property
    def last_outcome(self) -> Outcome | None:
        """What the latest driver left; None while it runs, and if it left nothing."""
        return outcome_of(self.last_driver) if self.last_driver else None


def is_running_script(progress: Progress | None) -> bool:
    """Whether a driver says that its script has begun."""
    return progress is not None and progress.stage in (Stage.SCRIPT, Stage.SEARCH, Stage.ENDED)


def is_ending(manifest: Manifest) -> bool:
    """Whether an object has been told to go."""
    return "deletionTimestamp" in manifest["metadata"]


def has_labels(manifest: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether an object has all of these labels."""
    found = manifest["metadata"].get("labels") or {}
    return all(found.get(key) == value for key, value in labels.items())


def is_true(manifest: Manifest | None, condition: str) -> bool:
    """Whether a condition of an object of Kubernetes' own is True."""
    return condition_of(manifest, condition).get("status") == "True"


def condition_of(manifest: Manifest | None, condition: str) -> dict[str, Any]:
    """A condition of an object of Kubernetes' own; empty if it has none."""
    conditions: Iterable[dict[str, Any]] = ((manifest or {}).get("status") or {}).get(
        "conditions"
    ) or []
    return next((each for each in conditions if each.get("type") == condition), {})


def outcome_of(pod: Manifest) -> Outcome | None:
    """The Outcome that a pod's container left when it ended, if it did."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated")
        if ended:
            try:
                return Outcome.from_json(ended.get("message") or "")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # it was killed before it could say anything
    return None


def has_ended(pod: Manifest) -> bool:
    """Whether all of a pod's containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def moment(text: str) -> datetime.datetime:
    """A time as Kubernetes writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(at: datetime.datetime) -> str:
    """A time as Kubernetes writes it, to the second."""
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(manifest: Manifest, at: datetime.datetime) -> float:
    """How many seconds ago an object was made."""
    return (at - moment(manifest["metadata"]["creationTimestamp"])).total_seconds()
