"""Helm, as an administrator has it, and the release that all tests of the cluster share."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import pathlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.e2e.kube import Kube
from tests.e2e.objects import CLAIM, MOUNT
from tests.kind.cluster import Cluster
from tests.kind.images import ROOT
from tests.kind.pins import cache
from tests.waiting import until

CHART = ROOT / "charts" / "hyn-k8s"
RELEASE = "hyn-k8s"
NAMESPACE = "hyn-system"


@dataclass(frozen=True)
class Release:
    """An installation of the chart."""

    namespace: str
    name: str


SHARED = Release(NAMESPACE, RELEASE)
"""The one for all namespaces."""

Values = dict[str, Any]

_SMALL = {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}}


class HelmError(AssertionError):
    """Helm did not do something; what it said."""


class Helm:
    """Helm on the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._command = [cluster.helm, "--kubeconfig", cluster.kubeconfig]

    def __call__(self, namespace: str, *arguments: str, values: Values | None = None) -> str:
        """What it says to ``arguments``.

        Raises:
            HelmError: it ends with another code than 0.
        """
        words = [*self._command, "--namespace", namespace, *arguments]
        given = None
        if values is not None:
            words += ["--values", "-"]
            given = yaml.safe_dump(values)
        done = subprocess.run(words, input=given, capture_output=True, text=True)
        if done.returncode:
            raise HelmError(f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def install(self, namespace: str, release: str, values: Values, *flags: str) -> str:
        """Install or upgrade a release of the chart, and wait until its controllers work."""
        arguments = ("upgrade", "--install", release, str(CHART), "--wait", "--timeout", "5m")
        return self(namespace, *arguments, *flags, values=values)

    def description(self, namespace: str, release: str) -> str | None:
        """What a deployed release was described as, None if there is none."""
        try:
            status = json.loads(self(namespace, "status", release, "--output", "json"))
        except HelmError:
            return None
        is_deployed = status["info"]["status"] == "deployed"
        return str(status["info"]["description"]) if is_deployed else None


def images(cluster: Cluster) -> Values:
    """The values that name the cluster's images."""
    found: Values = {}
    for name in ("operator", "runtime"):
        repository, _, tag = cluster.images[name].rpartition(":")
        found[name] = {"repository": repository, "tag": tag}
    return found


def shared_values(cluster: Cluster) -> Values:
    """The values of the release that most tests share."""
    return {
        "images": images(cluster),
        "operator": _SMALL,
        "daskController": _SMALL,
        # A namespace that has such a claim needs no storage section in its SearchJobs.
        "storage": {"file": {"existingClaim": CLAIM, "mountPath": MOUNT}},
    }


def install_shared(helm: Helm, kube: Kube, cluster: Cluster) -> None:
    """Have the release that most tests share, once, whichever of them comes first."""
    values = shared_values(cluster)
    description = f"tests {_digest(values)}"
    with _alone():
        if helm.description(NAMESPACE, RELEASE) == description:
            return
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": NAMESPACE, "labels": labels}
        kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        helm.install(NAMESPACE, RELEASE, values, "--description", description)


def remove_shared(helm: Helm, kube: Kube) -> None:
    """Have no such release any more; there are no searches.

    Helm takes away the rights of controllers that still run, which would ask without them.
    """
    with _alone():
        for component in ("operator", "dask-controller"):
            where = ("apps/v1", "Deployment", f"{RELEASE}-{component}")
            if kube.get(*where, NAMESPACE):
                kube.patch(*where, NAMESPACE, {"spec": {"replicas": 0}})
            await_no_controller(kube, component)
        helm(NAMESPACE, "uninstall", RELEASE, "--ignore-not-found", "--no-hooks", "--wait")


def own_values(cluster: Cluster, namespace: str) -> Values:
    """The values of a release for one namespace."""
    return {
        **shared_values(cluster),
        "watchNamespaces": [namespace],
        "searchNamespaces": [namespace],
    }


@contextlib.contextmanager
def home(helm: Helm, kube: Kube, name: str) -> Iterator[str]:
    """A namespace for releases; those that a test which failed has left there are taken away.

    Searches of such a release go only while its controllers are there.
    """
    metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    try:
        yield name
    finally:
        with contextlib.suppress(HelmError):
            for release in helm(name, "list", "--all", "--short").split():
                helm(name, "uninstall", release, "--wait")
        kube.delete("v1", "Namespace", name)


def controller_labels(component: str, release: Release = SHARED) -> str:
    """The pods of a controller of a release: ``operator`` or ``dask-controller``."""
    return f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component={component}"


def await_controller(kube: Kube, component: str, release: Release = SHARED) -> None:
    """Wait until a controller works, and no earlier pod of it any more."""
    kube.await_status(
        *("apps/v1", "Deployment", f"{release.name}-{component}", release.namespace),
        lambda status: (
            status.get("availableReplicas") == 1
            and status.get("updatedReplicas") == 1
            and status.get("replicas") == 1
        ),
    )


def await_no_controller(kube: Kube, component: str, release: Release = SHARED) -> None:
    """Wait until a controller has no pod."""
    labels = controller_labels(component, release)
    until(lambda: not kube.find("v1", "Pod", release.namespace, labels), f"{component} to go", 60)


@contextlib.contextmanager
def stopped(kube: Kube, component: str, release: Release = SHARED) -> Iterator[None]:
    """Within, there is no such controller."""
    where = ("apps/v1", "Deployment", f"{release.name}-{component}", release.namespace)
    kube.patch(*where, {"spec": {"replicas": 0}})
    await_no_controller(kube, component, release)
    try:
        yield
    finally:
        kube.patch(*where, {"spec": {"replicas": 1}})
        await_controller(kube, component, release)


def leftovers(kube: Kube, release: Release) -> list[str]:
    """What a release has left, in its namespace and in the cluster."""
    labels = f"app.kubernetes.io/instance={release.name}"
    namespace = release.namespace
    kinds = [
        ("apps/v1", "Deployment", namespace),
        ("batch/v1", "Job", namespace),
        ("v1", "ServiceAccount", namespace),
        ("networking.k8s.io/v1", "NetworkPolicy", namespace),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", None),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", None),
        ("rbac.authorization.k8s.io/v1", "Role", None),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", None),
    ]
    found = [(kind, each) for api, kind, at in kinds for each in kube.find(api, kind, at, labels)]
    found += [("Secret", each) for each in kube.find("v1", "Secret", namespace, "owner=helm")]
    return [f"{kind} {each['metadata']['name']}" for kind, each in found]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Within, no other process of the tests is."""
    with (cache() / "release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(values: Mapping[str, Any]) -> str:
    """Of everything that makes the release what it is."""
    content = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for file in sorted(pathlib.Path(CHART).rglob("*")):
        if file.is_file():
            content.update(file.read_bytes())
    return content.hexdigest()[:12]
