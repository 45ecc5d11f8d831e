"""One shared volume, mounted at the same path in every pod of a search."""

from __future__ import annotations

import pytest

from tests.e2e.kube import Kube
from tests.e2e.objects import MOUNT, RUN, Search, shared_storage
from tests.e2e.searches import RunningSearch, most_at_once, worker_name
from tests.kind.cluster import Cluster

# With an operator, other tests search on the volume; workers that mount something else, the tests
# of the driver have as processes.
pytestmark = [pytest.mark.e2e, pytest.mark.full]


@pytest.mark.usefixtures("claim")
def test_three_pods_on_two_nodes_train_at_once(
    kube: Kube, cluster: Cluster, namespace: str, heart_disease: str
) -> None:
    storage = shared_storage(namespace)
    search = Search(cluster.images["runtime"], heart_disease, storage, ["--trials", "18"])
    running = RunningSearch(kube, namespace, search)
    running.start()
    assert len({pod["spec"]["nodeName"] for pod in running.running_workers()}) == 2
    running.await_complete()
    trials = running.check_trials(18)
    workers = {worker_name(pod) for pod in running.running_workers()}
    assert {trial["worker"] for trial in trials if trial["worker"]} == workers
    assert most_at_once(trials) == 3
    assert "on unseen patients: auc 0." in running.driver_log()


@pytest.mark.usefixtures("claim")
def test_workers_that_mount_something_else_are_refused_before_the_first_trial(
    kube: Kube, cluster: Cluster, namespace: str, heart_disease: str
) -> None:
    search = Search(
        cluster.images["runtime"],
        heart_disease,
        shared_storage(namespace),
        worker_storage=shared_storage(namespace, sub_path=f"{namespace}-elsewhere"),
        workers=1,
    )
    running = RunningSearch(kube, namespace, search)
    running.start()
    status = running.await_ended()
    assert status.get("failed") == 1
    (worker,) = running.running_workers()
    log = running.driver_log()
    assert f"{worker_name(worker)} (tcp://" in log
    assert f"is not the driver's storage there: {MOUNT}/{namespace}/{RUN}/" in log
    assert "mount the same storage at the same path" in log
    assert "Traceback" not in log
    assert running.trials_done() == 0
