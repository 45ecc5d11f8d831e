"""The chart for all namespaces, as the docs have people install it, and as plain manifests.

These need the cluster to themselves: another release for all namespaces would be refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.helm import Helm, Release, install_shared, leftovers, remove_shared
from tests.e2e.kube import EVERY, Kube
from tests.e2e.kubectl import kubectl, programs
from tests.kind.cluster import Cluster
from tests.kind.images import ROOT
from tests.pages import commands, run_as_written
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.alone]


@pytest.fixture(scope="module", autouse=True)
def release_afterwards(helm: Helm, kube: Kube, cluster: Cluster) -> Iterator[None]:
    """Other tests find the release that they share."""
    yield
    install_shared(helm, kube, cluster)


@pytest.fixture
def bare(helm: Helm, kube: Kube) -> None:
    """There is no release for all namespaces."""
    remove_shared(helm, kube)


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
        left = leftovers(kube, Release("hyn-k8s", "hyn-k8s"))
        kube.delete("v1", "Namespace", "hyn-k8s")
    assert left == []


@pytest.mark.full  # a minute; what it applies is made of the chart, which all others install
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
