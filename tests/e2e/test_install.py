"""The chart's life: upgraded, taken away and installed again while searches run, and twice at once.

These need the cluster to themselves: nowhere else is a second release for all namespaces refused.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from tests.e2e.helm import (
    NAMESPACE,
    RELEASE,
    Helm,
    HelmError,
    Values,
    controller_labels,
    images,
    install_shared,
    shared_values,
)
from tests.e2e.kube import EVERY, Kube, Object
from tests.e2e.kubectl import kubectl, programs
from tests.e2e.search_jobs import AppliedSearch, Kept, on_claim
from tests.e2e.servers import KEYS, await_server, minio
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.kind.images import ROOT
from tests.pages import commands, run_as_written
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

TRIALS = 24
ARGUMENTS = ["--trials", str(TRIALS), "--seconds", "3"]
LONG = 45
"""Trials of a search that is still at it when a release has been upgraded."""

DEFINITIONS = ("searchjobs.hyn-k8s.dev", "daskclusters.kubernetes.dask.org")


@pytest.fixture(scope="module", autouse=True)
def release_afterwards(helm: Helm, kube: Kube, cluster: Cluster) -> Iterator[None]:
    """Other tests find the release that they share."""
    yield
    install_shared(helm, kube, cluster)


@pytest.fixture
def bare(helm: Helm) -> None:
    """There is no release for all namespaces."""
    helm(NAMESPACE, "uninstall", RELEASE, "--ignore-not-found", "--wait")


@pytest.fixture
def running(kube: Kube, cluster: Cluster, namespace: str, shared: Kept) -> AppliedSearch:
    """A search some of whose trials are done."""
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], shared)
    search.apply(script={"inline": SCRIPT}, args=["--trials", str(LONG), "--seconds", "3"])
    search.await_done(3)
    return search


@contextlib.contextmanager
def home(kube: Kube, name: str) -> Iterator[str]:
    """A namespace for a release."""
    metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    try:
        yield name
    finally:
        kube.delete("v1", "Namespace", name)


def test_an_upgrade_with_a_search_running_loses_no_trial(
    helm: Helm, kube: Kube, cluster: Cluster, running: AppliedSearch
) -> None:
    labels = ("operator", "dask-controller")
    before = {pod["metadata"]["uid"] for each in labels for pod in controller(kube, each)}
    values = shared_values(cluster)
    for section in ("operator", "daskController"):
        values[section] = {**values[section], "labels": {"upgraded": "yes"}}
    helm.install(NAMESPACE, RELEASE, values)
    after = {pod["metadata"]["uid"] for each in labels for pod in controller(kube, each)}
    assert len(after) == 2
    assert not before & after
    assert running.status()["phase"] == "Running"
    running.await_complete()
    assert {trial["status"] for trial in running.check_trials(LONG)} == {"succeeded"}


def controller(kube: Kube, component: str) -> list[Object]:
    return kube.pods(NAMESPACE, controller_labels(component))


def test_uninstalled_with_a_search_running_and_installed_by_another_name_it_goes_on(
    helm: Helm, kube: Kube, cluster: Cluster, bare: None, namespace: str, shared_class: str
) -> None:
    values: Values = {
        "images": images(cluster),
        "searchNamespaces": [namespace],
        "storage": {"file": {"claim": {"storageClassName": shared_class, "size": "1Gi"}}},
    }
    search = AppliedSearch(
        *(kube, namespace, cluster.images["runtime"]), on_claim("hyn-k8s", "hypernets")
    )
    with home(kube, "hyn-one") as one:
        helm.install(one, "one", values)
        search.apply(script={"inline": SCRIPT}, args=ARGUMENTS, storage=None)
        search.await_done(3)
        said = helm(one, "uninstall", "one", "--wait")
        assert 'release "one" uninstalled' in said
        assert search.condition("Suspended")["status"] == "True"
        done = search.status()["trials"]["done"]
        assert 3 <= done < TRIALS
        assert leftovers(kube, one, "one") == []
        assert running_objects(kube, namespace) == []
    for name in DEFINITIONS:
        assert kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    claim = kube.get("v1", "PersistentVolumeClaim", "hyn-k8s", namespace)
    with home(kube, "hyn-two") as two:
        helm.install(two, "two", values)
        kept = kube.get("v1", "PersistentVolumeClaim", "hyn-k8s", namespace)
        assert claim is not None
        assert kept is not None
        assert kept["metadata"]["uid"] == claim["metadata"]["uid"]
        search.patch(suspend=False)
        search.await_complete()
        search.check_trials(TRIALS)
        helm(two, "uninstall", "two", "--wait")


def leftovers(kube: Kube, namespace: str, release: str) -> list[str]:
    """What a release has left, in its namespace and in the cluster."""
    labels = f"app.kubernetes.io/instance={release}"
    kinds = [
        ("apps/v1", "Deployment", namespace),
        ("batch/v1", "Job", namespace),
        ("v1", "ServiceAccount", namespace),
        ("networking.k8s.io/v1", "NetworkPolicy", namespace),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", None),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", None),
        ("rbac.authorization.k8s.io/v1", "Role", None),
    ]
    found = [(kind, each) for api, kind, at in kinds for each in kube.find(api, kind, at, labels)]
    found += [("Secret", each) for each in kube.find("v1", "Secret", namespace, "owner=helm")]
    return [f"{kind} {each['metadata']['name']}" for kind, each in found]


def running_objects(kube: Kube, namespace: str) -> list[str]:
    """What of searches runs."""
    kinds = [("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "Job")]
    kinds.append(("kubernetes.dask.org/v1", "DaskCluster"))
    return [
        f"{kind} {each['metadata']['name']}"
        for api, kind in kinds
        for each in kube.find(api, kind, namespace)
    ]


def test_two_releases_for_a_namespace_each_see_nothing_else_and_a_rival_is_refused(
    helm: Helm,
    kube: Kube,
    cluster: Cluster,
    bare: None,
    namespace: str,
    claim: str,
    shared: Kept,
    other_namespace: str,
) -> None:
    kube.apply(minio(cluster.images["minio"]), other_namespace)
    with home(kube, "hyn-red") as red, home(kube, "hyn-blue") as blue:
        volume = {"storage": {"file": {"existingClaim": claim}}}
        bucket = {"root": "/searches/runs", "endpoint": "http://minio:9000"}
        keys = {"accessKey": KEYS[0], "secretKey": KEYS[1]}
        helm.install(red, "red", only(cluster, namespace) | volume)
        await_server(kube, "minio", other_namespace)
        said = helm.install(
            *(blue, "blue"),
            only(cluster, other_namespace)
            | {"storage": {"s3": {**bucket, **keys}}, "crds": {"install": False}},
        )
        assert KEYS[1] not in said
        with ThreadPoolExecutor() as at_once:
            for tested in at_once.map(
                lambda each: helm(each[0], "test", each[1], "--logs"),
                [(red, "red"), (blue, "blue")],
            ):
                assert "Phase:          Succeeded" in tested
                assert "4 of 4 trials done" in tested
        places = [("hyn-red:red", namespace, other_namespace)]
        places.append(("hyn-blue:blue", other_namespace, namespace))
        for account, own, elsewhere in places:
            for controller_ in ("operator", "dask-controller"):
                who = f"system:serviceaccount:{account}-{controller_}"
                assert may(cluster, who, "list", "pods", own)
                assert may(cluster, who, "list", "daskclusters.kubernetes.dask.org", own)
                assert not may(cluster, who, "list", "pods", elsewhere)
                assert not may(cluster, who, "list", "daskclusters.kubernetes.dask.org", elsewhere)
                assert not may(cluster, who, "list", "namespaces", elsewhere)
        with home(kube, "hyn-all") as everywhere:
            with pytest.raises(HelmError) as caught:
                helm.install(everywhere, "all", {"images": images(cluster)})
            assert "already runs the searches of" in str(caught.value)
            assert "give each release other watchNamespaces" in str(caught.value)
            # Taken away, one that was refused leaves the searches of others alone.
            search = AppliedSearch(kube, namespace, cluster.images["runtime"], shared)
            search.apply(script={"inline": SCRIPT}, args=["--trials", "6"], executors=1)
            helm(everywhere, "uninstall", "all", "--wait")
            assert not search.manifest()["spec"].get("suspend")
            search.await_complete()
        helm(red, "uninstall", "red", "--wait")
        helm(blue, "uninstall", "blue", "--wait")


def only(cluster: Cluster, namespace: str) -> Values:
    """The values of a release for one namespace."""
    return {
        "images": images(cluster),
        "watchNamespaces": [namespace],
        "searchNamespaces": [namespace],
    }


def may(cluster: Cluster, who: str, verb: str, resource: str, namespace: str) -> bool:
    """Whether an account may do something."""
    said = kubectl(
        *(cluster, "auth", "can-i", verb, resource, "--namespace", namespace, "--as", who)
    )
    answer = said.splitlines()[-1]
    assert answer in ("yes", "no"), said
    return answer == "yes"


def test_what_the_readme_says_for_kind(
    helm: Helm, kube: Kube, cluster: Cluster, bare: None
) -> None:
    first, *others = commands("README.md", "kind").lines
    assert first == "make kind-up"
    script = "\n".join(["set -e", *others])
    # What an earlier run on this cluster has left.
    kube.await_gone("v1", "Namespace", "hyn-k8s")
    try:
        # Somebody in the clone who has Helm and kubectl, and no cluster yet.
        where = programs(cluster)
        said = run_as_written(script, ROOT, *where, env={"KUBECONFIG": None}, seconds=280)
        assert "runs the SearchJobs of all namespaces" in said
        assert "What is missing" not in said
        assert "searchjob.hyn-k8s.dev/minimal created" in said
        waited = ("wait", "--for=condition=Complete", "searchjob/minimal", "--timeout=240s")
        assert "condition met" in kubectl(cluster, "--namespace", "default", *waited)
        script = commands("chart.md", "verify").script
        tested = run_as_written(script, ROOT, *where, env={"KUBECONFIG": cluster.kubeconfig})
        assert re.search(r"^hyn-k8s-operator +1/1 ", tested, re.M)
        assert "4 of 4 trials done" in tested
    finally:
        for name in ("minimal", "test-hyn-k8s"):
            kube.await_gone("hyn-k8s.dev/v1alpha1", "SearchJob", name, "default")
        helm("hyn-k8s", "uninstall", "hyn-k8s", "--ignore-not-found", "--wait")
        kube.delete("v1", "Namespace", "hyn-k8s")


@pytest.mark.faults  # a minute; what it applies is made of the chart, which all others install
def test_plain_kubectl_installs_it_too(
    kube: Kube, cluster: Cluster, bare: None, namespace: str, claim: str
) -> None:
    text = (ROOT / "manifests" / "install.yaml").read_text()
    objects = [each for each in yaml.safe_load_all(text) if each]
    apply = ("apply", "--server-side", "--force-conflicts", "--filename")
    said = kubectl(cluster, *apply, str(ROOT / "manifests" / "install.yaml"))
    try:
        assert "deployment.apps/hyn-k8s-operator serverside-applied" in said
        sample = str(ROOT / "manifests" / "samples" / "file.yaml")
        kubectl(cluster, "--namespace", namespace, "apply", "--filename", sample)
        waited = ("wait", "--for=condition=Complete", "searchjob/file", "--timeout=180s")
        said = kubectl(cluster, "--namespace", namespace, *waited)
        assert "condition met" in said, said
        kubectl(cluster, "--namespace", namespace, "delete", "--filename", sample)
    finally:
        remove(kube, objects)


def remove(kube: Kube, objects: list[dict[str, Any]]) -> None:
    """Delete everything but the definitions, which other tests' objects are of."""
    for each in reversed(objects):
        if each["kind"] != "CustomResourceDefinition":
            metadata = each["metadata"]
            kube.delete(
                each["apiVersion"], each["kind"], metadata["name"], metadata.get("namespace")
            )
    (namespace,) = [each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"]
    until(lambda: kube.get("v1", "Namespace", namespace) is None, "it to go", 120, EVERY)
