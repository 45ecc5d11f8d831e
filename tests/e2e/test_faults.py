"""Pods, a node and the storage of a search go away in its middle; its trials are all there."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.kube import Kube
from tests.e2e.objects import Search, shared_storage
from tests.e2e.searches import RunningSearch
from tests.faults.scripts import SCRIPT
from tests.kind.ceph import CephFS
from tests.kind.cluster import WORKER_NODES, Cluster
from tests.kind.running import shared_directory
from tests.waiting import last_for

# What befalls workers and drivers, tests/faults has as processes.
pytestmark = [pytest.mark.e2e, pytest.mark.full]

TRIALS = 24
DRIVERS_NODE, OTHER_NODE = WORKER_NODES


@pytest.fixture
def running(kube: Kube, cluster: Cluster, namespace: str, claim: str) -> RunningSearch:
    """A search of 24 trials of up to 3 s each, some of which are done."""
    arguments = ["--trials", str(TRIALS), "--seconds", "3"]
    node = DRIVERS_NODE if cluster.has_nodes else None
    image = cluster.images["runtime"]
    search = Search(image, SCRIPT, shared_storage(namespace), arguments, node=node)
    running = RunningSearch(kube, namespace, search)
    running.start()
    running.await_done(4)
    return running


def test_a_worker_pod_is_deleted(kube: Kube, running: RunningSearch) -> None:
    worker = running.running_workers()[0]
    kube.delete("v1", "Pod", worker["metadata"]["name"], running.namespace)
    running.await_complete()
    running.check_trials(TRIALS)


def test_the_driver_pod_is_deleted(kube: Kube, running: RunningSearch) -> None:
    (first,) = running.driver_pods()
    kube.delete("v1", "Pod", first["metadata"]["name"], running.namespace)
    running.await_complete()
    assert "continuing it: " in running.driver_log()
    running.check_trials(TRIALS)


@pytest.fixture
def nodes(cluster: Cluster) -> None:
    if not cluster.has_nodes:
        pytest.skip("the nodes of this cluster are not for tests to stop")


@pytest.fixture
def ceph(cluster: Cluster) -> CephFS:
    """The CephFS under the shared volume."""
    if cluster.shared != "cephfs":
        pytest.skip("the shared volume of this cluster is no CephFS of the tests'")
    return CephFS()


@pytest.mark.alone
@pytest.mark.usefixtures("nodes")
def test_a_node_of_workers_is_stopped(kube: Kube, running: RunningSearch) -> None:
    with stopped(kube, OTHER_NODE):
        running.await_complete()
        running.check_trials(TRIALS)


@pytest.mark.alone
def test_a_nodes_cephfs_client_is_killed(kube: Kube, ceph: CephFS, running: RunningSearch) -> None:
    directory = shared_directory(OTHER_NODE)
    ceph.kill_client(directory)
    try:
        running.await_complete()
        running.check_trials(TRIALS)
    finally:
        with stopped(kube, OTHER_NODE):  # a node finds its mounts when it starts
            ceph.unmount(directory)
            ceph.mount(directory)


@pytest.mark.alone
def test_cephfs_hangs_for_half_a_minute(ceph: CephFS, running: RunningSearch) -> None:
    with ceph.osd_paused():
        done = running.trials_done()
        last_for(30)
        assert running.trials_done() <= done + 3, "what was asked of the storage is not there yet"
    running.await_complete()
    running.check_trials(TRIALS)


@contextlib.contextmanager
def stopped(kube: Kube, node: str) -> Iterator[None]:
    """Within, a node is off; afterwards it is ready again."""
    subprocess.run(["docker", "stop", node], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "start", node], check=True, capture_output=True)
        kube.await_status(
            *("v1", "Node", node, None),
            lambda status: any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in status.get("conditions") or []
            ),
        )
