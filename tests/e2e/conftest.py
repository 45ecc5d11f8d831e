"""The cluster, and for each test a namespace of its own that is shown when the test fails."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import uuid
from collections.abc import Generator, Iterator

import pytest

from tests.e2e.helm import Helm, install_shared
from tests.e2e.kube import Kube
from tests.e2e.kubectl import kubectl
from tests.e2e.objects import CLAIM, CLUSTER, shared_volume
from tests.e2e.search_jobs import API, KIND, Kept, in_bucket, on_claim
from tests.e2e.servers import KEYS, await_server, minio
from tests.kind.cluster import Cluster, read_cluster
from tests.kind.images import ROOT

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed, for its namespace."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests have measured."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that is up."""
    found = read_cluster()
    if found is None:
        pytest.fail("no cluster is up; begin with: make kind-up")
    return found


@pytest.fixture(scope="session")
def helm(cluster: Cluster) -> Helm:
    """Helm on it."""
    return Helm(cluster)


@pytest.fixture(scope="session")
def kube(cluster: Cluster, helm: Helm) -> Kube:
    """Its API server, with the chart installed."""
    kube = Kube(cluster.kubeconfig)
    install_shared(helm, kube, cluster)
    return kube


@pytest.fixture
def namespace(kube: Kube, cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new namespace; gone afterwards, and shown before if the test failed."""
    with _namespace(kube, cluster, request.node) as name:
        yield name


@pytest.fixture
def other_namespace(kube: Kube, cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A second one."""
    with _namespace(kube, cluster, request.node) as name:
        yield name


@contextlib.contextmanager
def _namespace(kube: Kube, cluster: Cluster, test: pytest.Item) -> Iterator[str]:
    stem = re.sub(r"[^a-z0-9]+", "-", test.name.removeprefix("test_").lower())[:40]
    name = f"{stem.strip('-')}-{uuid.uuid4().hex[:6]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": labels}
    kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    try:
        yield name
    finally:
        if test.stash.get(FAILED, False):
            show(cluster, name)
        for search in kube.find(API, KIND, name):
            kube.await_gone(API, KIND, search["metadata"]["name"], name)
        # Its children go only while dask's controller sees the namespace as it was.
        kube.await_gone("kubernetes.dask.org/v1", "DaskCluster", CLUSTER, name)
        # Whatever else it has goes by itself, and there is room for pods that are still about to.
        kube.delete("v1", "Namespace", name)
        kube.delete("v1", "PersistentVolume", name)


@pytest.fixture
def shared_class(kube: Kube, cluster: Cluster, namespace: str) -> str:
    """A storage class with one shared volume to give away."""
    if not cluster.has_nodes:
        return cluster.shared
    kube.apply([shared_volume(namespace, storage_class=namespace)])
    return namespace


@pytest.fixture
def claim(kube: Kube, cluster: Cluster, namespace: str) -> str:
    """A claim of the shared volume in the namespace."""
    return _claim(kube, cluster, namespace)


@pytest.fixture
def other_claim(kube: Kube, cluster: Cluster, other_namespace: str) -> str:
    """One of the same volume in the second namespace."""
    return _claim(kube, cluster, other_namespace)


def _claim(kube: Kube, cluster: Cluster, namespace: str) -> str:
    spec: dict[str, object] = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    if cluster.has_nodes:
        spec |= {"storageClassName": "", "volumeName": namespace}
        kube.apply([shared_volume(namespace)])
        # A claim of one that is not known yet is looked at again only a moment later.
        kube.await_status(
            *("v1", "PersistentVolume", namespace, None),
            lambda status: status.get("phase") == "Available",
        )
    else:
        spec["storageClassName"] = cluster.shared
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}}
    kube.apply([{**claim, "spec": spec}], namespace)
    if cluster.has_nodes:  # elsewhere it may wait for its first pod
        kube.await_status(
            *("v1", "PersistentVolumeClaim", CLAIM, namespace),
            lambda status: status.get("phase") == "Bound",
        )
    return CLAIM


@pytest.fixture
def shared(claim: str, namespace: str) -> Kept:
    """The shared volume."""
    return on_claim(claim, namespace)


@pytest.fixture
def bucket(kube: Kube, cluster: Cluster, namespace: str) -> Kept:
    """A bucket that is not there yet."""
    kube.apply(minio(cluster.images["minio"]), namespace)
    keys = {"access-key": KEYS[0], "secret-key": KEYS[1]}
    options = {"endpoint_url": "http://minio:9000", "key": KEYS[0], "secret": KEYS[1]}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s3"},
        "stringData": {**keys, "options": json.dumps(options)},
    }
    kube.apply([secret], namespace)
    await_server(kube, "minio", namespace)
    return in_bucket("searches", "http://minio:9000", "s3")


@pytest.fixture(scope="session")
def heart_disease() -> str:
    """The example that the README begins with."""
    return (ROOT / "examples" / "heart_disease.py").read_text()


def show(cluster: Cluster, namespace: str) -> None:
    """Print what there is in a namespace: events, descriptions and logs."""
    listed = kubectl(cluster, "--namespace", namespace, "get", "pods", "--output", "name")
    commands = [["get", "events", "--sort-by=.lastTimestamp"]]
    commands += [["describe", "searchjobs,daskclusters,jobs,pods,pvc"]]
    commands += [["logs", pod, "--all-containers", "--tail=100"] for pod in listed.split()]
    for command in commands:
        shown = kubectl(cluster, "--namespace", namespace, *command)
        print(f"--- kubectl {' '.join(command)}\n{shown}", file=sys.stderr)
