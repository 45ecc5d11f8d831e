"""A search on the cluster, from its objects to its trials, with what tests ask of it meanwhile."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Sequence

from tests.e2e.kube import EVERY, Kube, Object
from tests.e2e.objects import (
    CLUSTER,
    DRIVER,
    RUN,
    WORKERS,
    Search,
    Storage,
    config_map,
    dask_cluster,
    driver_job,
    reader_pod,
)
from tests.waiting import until

DRIVER_LABELS = ",".join(f"{key}={value}" for key, value in DRIVER.items())


class RunningSearch:
    """A search in a namespace; ``start`` makes its cluster first and then its driver."""

    def __init__(self, kube: Kube, namespace: str, search: Search) -> None:
        self._kube = kube
        self._search = search
        self.namespace = namespace

    def start(self) -> None:
        """Have the scheduler answer, all workers be connected to it, and the driver begin."""
        kube, namespace = self._kube, self.namespace
        script = config_map("script", {"search.py": self._search.script})
        kube.apply([script, dask_cluster(self._search)], namespace)
        kube.await_status(
            *("apps/v1", "Deployment", f"{CLUSTER}-scheduler", namespace),
            lambda status: status.get("availableReplicas") == 1,
        )
        # One that comes while the search begins may be too late for it, as a later one is.
        until(lambda: self._connected() == self._search.workers, "all workers", 120, EVERY)
        kube.apply([driver_job(self._search)], namespace)

    def running_workers(self) -> list[Object]:
        """The worker pods that run."""
        pods = self._kube.pods(self.namespace, WORKERS)
        return [pod for pod in pods if pod["status"].get("phase") == "Running"]

    def _connected(self) -> int:
        """How many workers the scheduler has taken, as their logs say."""
        names = [pod["metadata"]["name"] for pod in self.running_workers()]
        return sum("Registered to:" in self._kube.log(self.namespace, name) for name in names)

    def driver_pods(self) -> list[Object]:
        """The driver's pods, the latest one last."""
        pods = self._kube.find("v1", "Pod", self.namespace, DRIVER_LABELS)
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def driver_log(self) -> str:
        """What the latest driver has written."""
        pods = self.driver_pods()
        return self._kube.log(self.namespace, pods[-1]["metadata"]["name"]) if pods else ""

    def await_done(self, trials: int, seconds: float = 180.0) -> None:
        """Wait until the driver has reported that many trials."""
        until(lambda: self.trials_done() >= trials, f"{trials} trials done", seconds, EVERY)

    def trials_done(self) -> int:
        """How many trials the latest driver has counted, as its progress lines say."""
        done = 0
        for line in self.driver_log().splitlines():
            count, slash, _ = line.partition(": ")[2].partition("/")
            if slash and count.isdecimal():
                done = int(count)
        return done

    def await_complete(self, seconds: float = 300.0) -> None:
        """Wait until the driver's Job is complete, which it is not after an error."""
        status = self.await_ended(seconds)
        assert status.get("succeeded") == 1, f"the driver failed: {status}\n{self.driver_log()}"

    def await_ended(self, seconds: float = 300.0) -> Object:
        """Wait until the driver's Job has ended either way; its status."""
        return self._kube.await_status(
            *("batch/v1", "Job", "driver", self.namespace),
            lambda status: any(
                condition["type"] in ("Complete", "Failed") and condition["status"] == "True"
                for condition in status.get("conditions") or []
            ),
            seconds,
        )

    def check_trials(self, number: int) -> list[dict[str, str]]:
        """The exact set: each trial from 1 to ``number`` once, succeeded or drawn before."""
        search = self._search
        trials = read_trials(
            self._kube, self.namespace, search.image, search.storage, RUN, search.node
        )
        check_exact_set(trials, number)
        return trials


def read_trials(
    kube: Kube,
    namespace: str,
    image: str,
    storage: Storage,
    run: str,
    node: str | None = None,
) -> list[dict[str, str]]:
    """Every trial of a run, read from its storage by a pod of its own."""
    command = ["hyn-k8s", "results", run, "--format", "csv"]
    return list(csv.DictReader(io.StringIO(read(kube, namespace, image, storage, command, node))))


def read(
    kube: Kube,
    namespace: str,
    image: str,
    storage: Storage,
    command: Sequence[str],
    node: str | None = None,
) -> str:
    """What ``command`` prints in a pod that has the storage."""
    name = f"reader-{uuid.uuid4().hex[:6]}"
    kube.apply([reader_pod(image, storage, command, name, node)], namespace)
    ended: Object = kube.await_status(
        *("v1", "Pod", name, namespace),
        lambda status: status.get("phase") in ("Succeeded", "Failed"),
    )
    log = kube.log(namespace, name)
    assert ended["phase"] == "Succeeded", log
    return log


def check_exact_set(trials: list[dict[str, str]], number: int) -> None:
    """Each trial from 1 to ``number`` once, succeeded or drawn before."""
    assert [int(trial["trial"]) for trial in by_number(trials)] == list(range(1, number + 1))
    assert {trial["status"] for trial in trials} <= {"succeeded", "skipped"}, trials


def by_number(trials: list[dict[str, str]]) -> list[dict[str, str]]:
    """The trials in the order of their numbers."""
    return sorted(trials, key=lambda trial: int(trial["trial"]))


def worker_name(pod: Object) -> str:
    """What Dask calls the worker of ``pod``: as its Deployment is called."""
    return str(pod["metadata"]["name"]).rsplit("-", 2)[0]


def most_at_once(trials: list[dict[str, str]]) -> int:
    """How many workers were training at the same moment, at most."""
    trained = [trial for trial in trials if trial["started"]]
    moments = [trial["started"] for trial in trained]
    return max(
        len({t["worker"] for t in trained if t["started"] <= moment < t["ended"]})
        for moment in moments
    )
