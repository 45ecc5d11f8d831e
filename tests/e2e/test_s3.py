"""A bucket of any S3 server, with its address and keys in a Secret."""

from __future__ import annotations

import pytest

from tests.e2e.kube import Kube
from tests.e2e.objects import Search, Storage, s3_secret, s3_storage
from tests.e2e.searches import RunningSearch, most_at_once
from tests.e2e.servers import KEYS, await_server, minio, versitygw
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster

# With an operator, other tests search in buckets of MinIO.
pytestmark = [pytest.mark.e2e, pytest.mark.full]

SERVERS = {"minio": minio, "versitygw": versitygw}


@pytest.fixture(params=list(SERVERS))
def storage(
    kube: Kube, cluster: Cluster, namespace: str, request: pytest.FixtureRequest
) -> Storage:
    """A bucket of a server in the namespace, which is not there yet."""
    name: str = request.param
    kube.apply(SERVERS[name](cluster.images[name]), namespace)
    kube.apply([s3_secret("s3", f"http://{name}:9000", *KEYS)], namespace)
    await_server(kube, name, namespace)
    return s3_storage("searches", "s3")


def test_three_pods_train_at_once(
    kube: Kube, cluster: Cluster, namespace: str, heart_disease: str, storage: Storage
) -> None:
    search = Search(cluster.images["runtime"], heart_disease, storage, ["--trials", "18"])
    running = RunningSearch(kube, namespace, search)
    running.start()
    running.await_complete()
    trials = running.check_trials(18)
    assert most_at_once(trials) == 3
    assert KEYS[1] not in running.driver_log()


def test_a_worker_pod_and_then_the_driver_pod_are_deleted(
    kube: Kube, cluster: Cluster, namespace: str, storage: Storage
) -> None:
    arguments = ["--trials", "24", "--seconds", "3"]
    search = Search(cluster.images["runtime"], SCRIPT, storage, arguments)
    running = RunningSearch(kube, namespace, search)
    running.start()
    running.await_done(4)
    worker = running.running_workers()[0]
    kube.delete("v1", "Pod", worker["metadata"]["name"], namespace)
    running.await_done(10)
    (first,) = running.driver_pods()
    kube.delete("v1", "Pod", first["metadata"]["name"], namespace)
    running.await_complete()
    assert "continuing it: " in running.driver_log()
    running.check_trials(24)
