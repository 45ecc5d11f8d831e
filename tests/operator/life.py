"""A cluster in which things happen: the operator's loop, and whom it works with, played.

Dask's controller, the Job controller and the kubelets are a few lines each, as far as a search
meets them. They do their part when a test says so, and stop when it takes them down.
"""

from __future__ import annotations

import contextlib
from typing import Any

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.documents import Outcome, Progress
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import (
    DASK_CLUSTER,
    DEPLOYMENT,
    JOB,
    POD,
    SEARCH_JOB,
    SERVICE,
    WORKER_GROUP,
    Kind,
    Ref,
)
from hyn_k8s.operator.observation import Observation, is_ending, is_true, written
from hyn_k8s.operator.reconcile import Look, reconcile
from hyn_k8s.operator.settings import OperatorSettings
from tests.operator.fake_kube import PROCESS, Clock, FakeKube
from tests.operator.objects import NAME, NAMESPACE, SETTINGS, search_job


class Life:
    """A namespace with an operator, and SearchJobs that come and go."""

    def __init__(self, settings: OperatorSettings = SETTINGS) -> None:
        self.clock = Clock()
        self.kube = FakeKube(self.clock)
        self.kube.finalizers = {"DaskCluster": ["kopf"], "DaskWorkerGroup": ["kopf"]}
        self.settings = settings
        self.dask_is_up = True
        self.pods_may_go = True
        self._names = 0

    # The user.

    def apply(self, name: str = NAME, namespace: str = NAMESPACE, **spec: Any) -> None:
        """``kubectl apply`` of a SearchJob."""
        self.kube.apply(search_job(name, namespace, **spec))

    def delete(self, name: str = NAME) -> None:
        """``kubectl delete`` of it."""
        self.kube.let_go(SEARCH_JOB.ref(NAMESPACE, name))

    # The operator.

    def look(
        self,
        name: str = NAME,
        namespace: str = NAMESPACE,
        settled: Observation | None = None,
    ) -> Look:
        """One look of the operator's."""
        return reconcile(self.kube, self.settings, namespace, name, self.clock, settled)

    def go_on(self, seconds: float = 1, name: str = NAME, namespace: str = NAMESPACE) -> None:
        """Let everybody do what there is to do until nothing changes any more, then wait.

        What the API server does not do the operator tries again.
        """
        for _ in range(50):
            before = {ref: each["metadata"]["resourceVersion"] for ref, each in self._things()}
            with contextlib.suppress(ClusterError):
                self.look(name, namespace)
                self.others()
                after = {ref: each["metadata"]["resourceVersion"] for ref, each in self._things()}
                if after == before:
                    self.clock.pass_by(seconds)
                    return
            self.clock.pass_by(0.1)
        raise AssertionError("it does not come to rest")

    def others(self) -> None:
        """Everybody's turn but the operator's."""
        if self.dask_is_up:
            self._dask_controller()
        self._job_controller()
        if self.pods_may_go:
            self.end_processes()

    # Whom it works with.

    def _dask_controller(self) -> None:
        for group in [*self.kube.of_kind(WORKER_GROUP)]:
            if is_ending(group):
                self.kube.change(Ref.to(group), {"metadata": {"finalizers": None}})
        for found in [*self.kube.of_kind(DASK_CLUSTER)]:
            if is_ending(found):
                self.kube.change(Ref.to(found), {"metadata": {"finalizers": None}})
                continue
            name = found["metadata"]["name"]
            scheduler = f"{name}-scheduler"
            self._have(DEPLOYMENT, scheduler, found, "scheduler")
            self._have(SERVICE, scheduler, found, "scheduler")
            group = self._have(WORKER_GROUP, f"{name}-default", found, "workergroup")
            wanted = found["spec"]["worker"]["replicas"]
            if group["spec"].get("replicas") == wanted:
                continue
            self.kube.change(Ref.to(group), {"spec": {"replicas": wanted}})
            there = [
                each
                for each in self.kube.of_kind(DEPLOYMENT)
                if each["metadata"]["labels"][names.DASK_COMPONENT_LABEL] == "worker"
                and each["metadata"]["namespace"] == found["metadata"]["namespace"]
            ]
            for _ in range(wanted - len(there)):
                self._names += 1
                self._have(
                    DEPLOYMENT, f"{name}-default-worker-{self._names:010x}", group, "worker", found
                )
            assert len(there) <= wanted, "dask's controller was left to pick who goes"

    def _have(
        self,
        kind: Kind,
        name: str,
        owner: Manifest,
        component: str,
        labelled_as: Manifest | None = None,
    ) -> Manifest:
        namespace = owner["metadata"]["namespace"]
        found = self.kube.objects.get(kind.ref(namespace, name))
        if found is not None:
            return found
        labels = (labelled_as or owner)["metadata"]["labels"]
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": labels
            | {
                names.DASK_COMPONENT_LABEL: component,
                names.DASK_CLUSTER_LABEL: labels.get(names.SEARCH_LABEL, ""),
            },
            "ownerReferences": [{"kind": owner["kind"], "uid": owner["metadata"]["uid"]}],
        }
        if kind == WORKER_GROUP:
            metadata["finalizers"] = ["kopf"]
        thing = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
        made = self.kube.put({**thing, "spec": {}})
        if kind == DEPLOYMENT:
            self._pod(f"{name}-5d4f8c7b9d-{self._names:05d}", made, component)
        return made

    def _pod(self, name: str, owner: Manifest, role: str) -> None:
        labels = owner["metadata"]["labels"] | {names.ROLE_LABEL: role}
        metadata = {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [{"kind": owner["kind"], "uid": owner["metadata"]["uid"]}],
            "finalizers": [PROCESS],
        }
        status = {"phase": "Pending"}
        thing = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        self.kube.put({**thing, "spec": {}})

    def _job_controller(self) -> None:
        for job in [*self.kube.of_kind(JOB)]:
            over = is_true(job, "Complete") or is_true(job, "Failed")
            own = [
                each
                for each in self.kube.of_kind(POD)
                if each["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
                and each["status"]["phase"] in ("Pending", "Running")
            ]
            if not over and not own and not is_ending(job):
                self._names += 1
                role = job["metadata"]["name"].rpartition("-")[2]
                self._pod(f"{job['metadata']['name']}-{self._names:05d}", job, role)

    def end_processes(self) -> None:
        """Let every pod go that was told to."""
        for found in [*self.kube.of_kind(POD)]:
            if is_ending(found):
                self.kube.change(Ref.to(found), {"metadata": {"finalizers": None}})

    # What happens in pods.

    def start_pods(self) -> None:
        """Every pod that waits begins to run."""
        for found in [*self.kube.of_kind(POD)]:
            if found["status"]["phase"] == "Pending":
                running = {"phase": "Running", "podIP": "10.0.0.7"}
                self.kube.change(Ref.to(found), {"status": running})
        for each in [*self.kube.of_kind(DEPLOYMENT)]:
            self.kube.change(Ref.to(each), {"status": {"availableReplicas": 1}})

    def driver_says(self, progress: Progress) -> None:
        """What the driver that runs answers from now on."""
        metadata = self.driver_pod()["metadata"]
        self.kube.progress[metadata["namespace"], metadata["name"]] = progress.to_json().encode()

    def driver_ends(
        self, outcome: Outcome | None, code: int | None = None, job: str = "", role: str = "driver"
    ) -> None:
        """The driver's pod ends with an Outcome; ``job`` is what becomes of the Job."""
        found = self.driver_pod(role)
        code = code if code is not None else outcome.exit_code if outcome else 137
        ended = {"exitCode": code, "message": outcome.to_json() if outcome else ""}
        status = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": role, "ready": False, "state": {"terminated": ended}}],
        }
        changes = {"status": status, "metadata": {"finalizers": None}}
        self.kube.change(Ref.to(found), changes)
        if job:
            type_, _, reason = job.partition(":")
            at = written(self.clock())
            conditions = [
                {"type": type_, "status": "True", "reason": reason, "lastTransitionTime": at}
            ]
            ref = JOB.ref(found["metadata"]["namespace"], f"{NAME}-{role}")
            self.kube.change(ref, {"status": {"conditions": conditions}})

    # What is to be seen.

    def driver_pod(self, role: str = "driver") -> Manifest:
        """The latest of the driver's pods."""
        found = [
            each
            for each in self.kube.of_kind(POD)
            if each["metadata"]["labels"][names.ROLE_LABEL] == role
        ]
        return found[-1]

    def status(self, name: str = NAME, namespace: str = NAMESPACE) -> dict[str, Any]:
        """The SearchJob's status."""
        found = self.kube.objects[SEARCH_JOB.ref(namespace, name)]
        status: dict[str, Any] = found.get("status", {})
        return status

    def conditions(self, name: str = NAME, namespace: str = NAMESPACE) -> dict[str, str]:
        """Its conditions, each as status and reason."""
        return {
            each["type"]: f"{each['status']} {each['reason']}"
            for each in self.status(name, namespace).get("conditions", [])
        }

    def message(self, type_: str) -> str:
        """The message of a condition."""
        found = {each["type"]: each["message"] for each in self.status()["conditions"]}
        return str(found[type_])

    def there(self) -> set[str]:
        """What there is beside SearchJobs and events: kind and name."""
        return {
            f"{ref.kind.name} {ref.name}"
            for ref, _ in self._things()
            if ref.kind != SEARCH_JOB and ref.kind.name != "Event"
        }

    def _things(self) -> list[tuple[Ref, Manifest]]:
        return [*self.kube.objects.items()]
