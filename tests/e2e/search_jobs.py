"""A SearchJob that has been applied, as a user sees it: by kubectl's means, and on its storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.kube import EVERY, Kube, Object
from tests.e2e.objects import MOUNT, Storage, s3_storage, shared_storage
from tests.e2e.searches import check_exact_set, read, read_trials
from tests.kind.cluster import Cluster
from tests.waiting import until

API, KIND = "hyn-k8s.dev/v1alpha1", "SearchJob"
NAME = "search"
SEARCH = f"hyn-k8s.dev/search={NAME}"


SMALL = {"resources": {"requests": {"cpu": "50m", "memory": "200Mi"}}}


@dataclass(frozen=True)
class Kept:
    """A storage, as a SearchJob says it and as a reader's pod has it."""

    spec: Mapping[str, Any]
    reader: Storage


def on_claim(claim: str, root: str) -> Kept:
    """A directory of a shared volume."""
    file = {"claimName": claim, "mountPath": MOUNT, "root": root}
    return Kept({"file": file}, shared_storage(root, claim=claim))


def in_bucket(bucket: str, endpoint: str, secret: str) -> Kept:
    """A bucket whose keys are two fields of a Secret."""
    s3 = {
        "root": f"/{bucket}/runs",
        "endpoint": endpoint,
        "secretName": secret,
        "accessKeyField": "access-key",
        "secretKeyField": "secret-key",
    }
    return Kept({"s3": s3}, s3_storage(bucket, secret))


def applied(kube: Kube, cluster: Cluster, namespace: str, kept: Kept, **spec: Any) -> AppliedSearch:
    """A SearchJob that was applied a moment ago."""
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    search.apply(**spec)
    return search


class AppliedSearch:
    """A SearchJob of a namespace, of the name that they have unless there are several."""

    def __init__(
        self, kube: Kube, namespace: str, image: str, kept: Kept, name: str = NAME
    ) -> None:
        self._kube = kube
        self._image = image
        self._kept = kept
        self.namespace = namespace
        self.name = name
        self._labels = f"hyn-k8s.dev/search={name}"

    def another(self, name: str) -> AppliedSearch:
        """One beside it, on the same storage, that has not been applied yet."""
        return AppliedSearch(self._kube, self.namespace, self._image, self._kept, name)

    def apply(self, **spec: Any) -> None:
        """Have it with this spec and the storage, and with pods that are few and small.

        By default searches ask for more of a processor than two nodes have for several of them, and
        a pod that begins takes seconds of one. What ``spec`` has as None, the SearchJob has not.
        """
        small = {"executors": 2, "worker": SMALL, "driver": SMALL, "scheduler": SMALL}
        whole = {"storage": self._kept.spec, **small, **spec}
        manifest = {
            "apiVersion": API,
            "kind": KIND,
            "metadata": {"name": self.name},
            "spec": {field: value for field, value in whole.items() if value is not None},
        }
        self._kube.apply([manifest], self.namespace)

    def patch(self, **spec: Any) -> None:
        """Change fields of its spec."""
        self._kube.patch(API, KIND, self.name, self.namespace, {"spec": spec})

    def delete(self) -> None:
        """Delete it, and wait until it is gone."""
        self._kube.await_gone(API, KIND, self.name, self.namespace)

    def manifest(self) -> Object:
        """It, as it is now."""
        found = self._kube.get(API, KIND, self.name, self.namespace)
        assert found is not None, "the SearchJob is there"
        return found

    def status(self) -> Object:
        """Its status."""
        return dict(self.manifest().get("status") or {})

    def condition(self, type_: str) -> Object:
        """One of its conditions, empty where there is none."""
        conditions = self.status().get("conditions") or []
        return next((each for each in conditions if each["type"] == type_), {})

    def await_condition(
        self,
        type_: str,
        status: str = "True",
        reason: str | None = None,
        seconds: float = 180.0,
        says: str = "",
    ) -> Object:
        """Wait until a condition is so, and says that; the condition."""

        def holds(found: Object) -> bool:
            each: Object = next(
                (c for c in found.get("conditions") or [] if c["type"] == type_), {}
            )
            is_so = each.get("status") == status and reason in (None, each.get("reason"))
            return is_so and says in each.get("message", "")

        self._kube.await_status(API, KIND, self.name, self.namespace, holds, seconds)
        return self.condition(type_)

    def await_complete(self, seconds: float = 240.0) -> Object:
        """Wait until it has ended well; its status. A failure is told at once."""

        def has_ended(found: Object) -> bool:
            return found.get("phase") in ("Complete", "Failed")

        status = self._kube.await_status(API, KIND, self.name, self.namespace, has_ended, seconds)
        assert status["phase"] == "Complete", status
        return status

    def await_failed(self, reason: str, seconds: float = 180.0) -> str:
        """Wait until it has failed for that reason; the message."""

        def has_ended(found: Object) -> bool:
            return found.get("phase") in ("Complete", "Failed")

        self._kube.await_status(API, KIND, self.name, self.namespace, has_ended, seconds)
        failed = self.condition("Failed")
        assert failed.get("reason") == reason, self.status()
        return str(failed["message"])

    def await_done(self, trials: int, seconds: float = 240.0) -> None:
        """Wait until so many trials are done, by its status.

        The first searches of a cluster start while its nodes read their images: 100 s were seen,
        with three starting at a time on two cores.
        """
        self._kube.await_status(
            *(API, KIND, self.name, self.namespace),
            lambda status: (status.get("trials") or {}).get("done", 0) >= trials,
            seconds,
        )

    def pods(self, role: str | None = None) -> list[Object]:
        """Its pods that have not been told to end."""
        labels = self._labels if role is None else f"{self._labels},hyn-k8s.dev/role={role}"
        return self._kube.pods(self.namespace, labels)

    def delete_a_pod(self, role: str) -> None:
        """Delete one of its running pods."""
        running = [pod for pod in self.pods(role) if pod["status"].get("phase") == "Running"]
        self._kube.delete("v1", "Pod", running[0]["metadata"]["name"], self.namespace)

    def await_no_pods(self, seconds: float = 90.0) -> None:
        """Wait until it has no pods at all that run."""

        def running() -> list[str]:
            pods = self._kube.find("v1", "Pod", self.namespace, self._labels)
            return [
                pod["metadata"]["name"]
                for pod in pods
                if pod["status"].get("phase") not in ("Succeeded", "Failed")
            ]

        until(lambda: not running(), "its pods to end", seconds, EVERY)

    def log(self, role: str = "driver") -> str:
        """What its pods of a role have written."""
        pods = self.pods(role)
        return "".join(self._kube.log(self.namespace, p["metadata"]["name"]) for p in pods)

    def run_name(self) -> str:
        """The run on the storage."""
        return str(self.status()["resultsPath"]).rpartition("/")[2]

    def check_trials(self, number: int) -> list[dict[str, str]]:
        """The exact set of trials, read from the storage as a user would."""
        trials = read_trials(
            self._kube, self.namespace, self._image, self._kept.reader, self.run_name()
        )
        check_exact_set(trials, number)
        return trials

    def trial_log(self, number: int) -> list[str]:
        """The lines of what a trial printed, read from the storage as a user would."""
        command = ["hyn-k8s", "logs", self.run_name(), "--trial", str(number)]
        found = read(self._kube, self.namespace, self._image, self._kept.reader, command)
        return found.splitlines()

    def events(self) -> list[Object]:
        """The Events about it."""
        found = self._kube.find("v1", "Event", self.namespace)
        return [event for event in found if event["involvedObject"]["kind"] == KIND]
