"""Dask's controller out of our operator image, with no more rights than it uses."""

from __future__ import annotations

import importlib.resources
from typing import Any

import yaml

from tests.e2e.kube import Kube, Object

NAMESPACE = "hyn-system"
NAME = "dask-controller"

_RULES = [
    (["apiextensions.k8s.io"], ["customresourcedefinitions"], ["list", "watch"]),
    ([""], ["namespaces"], ["list", "watch"]),
    (
        ["kubernetes.dask.org"],
        ["daskclusters", "daskworkergroups", "daskworkergroups/scale", "daskautoscalers"]
        + ["daskjobs", "daskjobs/status"],
        ["get", "list", "watch", "create", "patch", "delete"],
    ),
    ([""], ["services", "pods"], ["get", "list", "watch", "create", "patch"]),
    (["apps"], ["deployments"], ["get", "list", "watch", "create", "delete"]),
    ([""], ["events"], ["create"]),
]


def install(kube: Kube, image: str) -> None:
    """Have the controller run in a namespace of its own, and dask's kinds known."""
    kube.apply(_definitions())
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply([_object("v1", "Namespace", NAMESPACE, labels=labels)])
    kube.apply([_object("v1", "ServiceAccount", NAME), *_rights(), _deployment(image)], NAMESPACE)
    kube.await_status(
        *("apps/v1", "Deployment", NAME, NAMESPACE),
        lambda status: status.get("availableReplicas") == 1,
    )


def _definitions() -> list[Object]:
    """The definitions of dask's kinds, which come with dask-kubernetes."""
    chart = importlib.resources.files("dask_kubernetes.operator") / "deployment" / "helm"
    folder = chart / "dask-kubernetes-operator" / "crds"
    return [yaml.safe_load(file.read_text()) for file in folder.iterdir()]


def _rights() -> list[Object]:
    rules = [
        {"apiGroups": groups, "resources": resources, "verbs": verbs}
        for groups, resources, verbs in _RULES
    ]
    name = "hyn-k8s-tests-dask-controller"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    api = "rbac.authorization.k8s.io/v1"
    return [
        {**_object(api, "ClusterRole", name), "rules": rules},
        {**_object(api, "ClusterRoleBinding", name), "roleRef": role, "subjects": [subject]},
    ]


def _deployment(image: str) -> Object:
    labels = {"app": NAME}
    container = {
        "name": NAME,
        "image": image,
        "args": [
            *("kopf", "run", "--standalone", "--all-namespaces"),
            *("--liveness", "http://0.0.0.0:8080/healthz"),
            *("--module", "dask_kubernetes.operator.controller"),
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "serviceAccountName": NAME,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        **_object("apps/v1", "Deployment", NAME),
        "spec": {
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _object(api: str, kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}}
