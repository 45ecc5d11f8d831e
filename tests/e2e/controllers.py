"""Both controllers out of our operator image, each with no more rights than it uses."""

from __future__ import annotations

import contextlib
import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.e2e.kube import Kube, Object
from tests.kind.images import ROOT
from tests.waiting import until

NAMESPACE = "hyn-system"

Rule = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""API groups, resources, verbs."""

_SEE = ["get", "list", "watch"]
_MAKE = ["create", "patch"]


@dataclass(frozen=True)
class Controller:
    """A process that watches the cluster."""

    name: str
    command: Sequence[str]
    rules: Sequence[Rule]
    env: Mapping[str, str] = field(default_factory=dict)


DASK = Controller(
    "dask-controller",
    [
        *("kopf", "run", "--standalone", "--all-namespaces"),
        *("--liveness", "http://0.0.0.0:8080/healthz"),
        *("--module", "dask_kubernetes.operator.controller"),
    ],
    [
        (["apiextensions.k8s.io"], ["customresourcedefinitions"], ["list", "watch"]),
        ([""], ["namespaces"], ["list", "watch"]),
        (
            ["kubernetes.dask.org"],
            ["daskclusters", "daskworkergroups", "daskworkergroups/scale", "daskautoscalers"]
            + ["daskjobs", "daskjobs/status"],
            [*_SEE, *_MAKE, "delete"],
        ),
        ([""], ["services", "pods"], [*_SEE, *_MAKE]),
        (["apps"], ["deployments"], [*_SEE, "create", "delete"]),
        ([""], ["events"], ["create"]),
    ],
)


def operator(runtime_image: str) -> Controller:
    """Ours, whose searches run in ``runtime_image``."""
    rules: list[Rule] = [
        (["apiextensions.k8s.io"], ["customresourcedefinitions"], ["list", "watch"]),
        (["hyn-k8s.dev"], ["searchjobs"], [*_SEE, "delete"]),
        (["hyn-k8s.dev"], ["searchjobs/status"], ["patch"]),
        (["kubernetes.dask.org"], ["daskclusters"], [*_SEE, *_MAKE, "delete"]),
        (["kubernetes.dask.org"], ["daskworkergroups"], ["list", "patch", "delete"]),
        (["apps"], ["deployments"], [*_SEE, "delete"]),
        (["batch"], ["jobs"], [*_SEE, *_MAKE, "delete"]),
        ([""], ["pods"], [*_SEE, "delete"]),
        ([""], ["services"], ["list", "delete"]),
        ([""], ["configmaps", "persistentvolumeclaims"], ["get", *_MAKE]),
        ([""], ["events"], ["list", "create"]),
    ]
    command = ["python", "-m", "hyn_k8s.operator"]
    return Controller("operator", command, rules, {"HYN_OPERATOR_IMAGE": runtime_image})


def install(kube: Kube, image: str, *controllers: Controller) -> None:
    """Have ``controllers`` run in a namespace of their own, and all kinds known."""
    kube.apply(_definitions())
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply([_object("v1", "Namespace", NAMESPACE, labels=labels)])
    for each in controllers:
        account = _object("v1", "ServiceAccount", each.name)
        kube.apply([account, *_rights(each), _deployment(each, image)], NAMESPACE)
    for each in controllers:
        await_controller(kube, each.name)


def await_controller(kube: Kube, name: str) -> None:
    """Wait until a controller works, and no earlier pod of it any more."""
    kube.await_status(
        *("apps/v1", "Deployment", name, NAMESPACE),
        lambda status: (
            status.get("availableReplicas") == 1
            and status.get("updatedReplicas") == 1
            and status.get("replicas") == 1
        ),
    )


@contextlib.contextmanager
def stopped(kube: Kube, name: str) -> Iterator[None]:
    """Within, there is no such controller."""
    where = ("apps/v1", "Deployment", name, NAMESPACE)
    kube.patch(*where, {"spec": {"replicas": 0}})
    until(lambda: not kube.find("v1", "Pod", NAMESPACE, f"app={name}"), f"{name} to go", 60)
    try:
        yield
    finally:
        kube.patch(*where, {"spec": {"replicas": 1}})
        await_controller(kube, name)


def _definitions() -> list[Object]:
    """The definitions of dask's kinds, which come with dask-kubernetes, and of ours."""
    chart = importlib.resources.files("dask_kubernetes.operator") / "deployment" / "helm"
    folder = chart / "dask-kubernetes-operator" / "crds"
    ours = yaml.safe_load((ROOT / "manifests" / "crd.yaml").read_text())
    return [*(yaml.safe_load(file.read_text()) for file in folder.iterdir()), ours]


def _rights(controller: Controller) -> list[Object]:
    rules = [
        {"apiGroups": groups, "resources": resources, "verbs": verbs}
        for groups, resources, verbs in controller.rules
    ]
    name = f"hyn-k8s-tests-{controller.name}"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": controller.name, "namespace": NAMESPACE}
    api = "rbac.authorization.k8s.io/v1"
    return [
        {**_object(api, "ClusterRole", name), "rules": rules},
        {**_object(api, "ClusterRoleBinding", name), "roleRef": role, "subjects": [subject]},
    ]


def _deployment(controller: Controller, image: str) -> Object:
    labels = {"app": controller.name}
    container = {
        "name": controller.name,
        "image": image,
        "args": list(controller.command),
        "env": [{"name": name, "value": value} for name, value in controller.env.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "serviceAccountName": controller.name,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        **_object("apps/v1", "Deployment", controller.name),
        "spec": {
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _object(api: str, kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}}
