"""The objects of a search without an operator: a DaskCluster, a driver's Job, volumes, S3 servers.

All pods satisfy Pod Security ``restricted``, and all of a search mount the same things at the same
paths.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.kube import Object

MOUNT = "/opt/share"
"""Where the shared volume is mounted, in every pod."""

CLAIM = "shared"
CLUSTER = "search"
RUN = "it"
DRIVER = {"app": "driver"}
WORKERS = f"dask.org/cluster-name={CLUSTER},dask.org/component=worker"

_POD = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_ROUTES = [f"distributed.http.{name}" for name in ("health", "scheduler.api", "scheduler.info")]


@dataclass(frozen=True)
class Storage:
    """Where runs are kept, as the pods of a search are told."""

    env: Sequence[Mapping[str, Any]]
    volumes: Sequence[Mapping[str, Any]] = ()
    mounts: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Search:
    """A script, its arguments and what it runs on."""

    image: str
    script: str
    storage: Storage
    arguments: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workers: int = 3
    worker_storage: Storage | None = None
    """Another storage than the driver's, which is a mistake."""
    node: str | None = None
    """The node of driver and scheduler; workers spread over all."""


def shared_storage(root: str, sub_path: str = "", claim: str = CLAIM) -> Storage:
    """A directory ``root`` of the shared volume; ``sub_path`` mounts another part of it."""
    return Storage(
        env=[{"name": "HYN_STORAGE_ROOT", "value": f"{MOUNT}/{root}"}],
        volumes=[{"name": "shared", "persistentVolumeClaim": {"claimName": claim}}],
        mounts=[{"name": "shared", "mountPath": MOUNT, "subPath": sub_path}],
    )


def s3_storage(bucket: str, secret: str, authorities: str | None = None) -> Storage:
    """A bucket, with the options in a Secret, and who signed its certificate in a ConfigMap."""
    reference = {"secretKeyRef": {"name": secret, "key": "options"}}
    env: list[Mapping[str, Any]] = [
        {"name": "HYN_STORAGE_TYPE", "value": "s3"},
        {"name": "HYN_STORAGE_ROOT", "value": f"/{bucket}/runs"},
        {"name": "HYN_STORAGE_OPTIONS", "valueFrom": reference},
    ]
    if authorities is None:
        return Storage(env)
    return Storage(
        [*env, {"name": "AWS_CA_BUNDLE", "value": "/authorities/ca.crt"}],
        [{"name": "authorities", "configMap": {"name": authorities}}],
        [{"name": "authorities", "mountPath": "/authorities"}],
    )


def s3_secret(name: str, endpoint: str, access_key: str, secret_key: str) -> Object:
    """The Secret that ``s3_storage`` refers to."""
    client = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    options = json.dumps({"client_kwargs": client | keys})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"options": options},
    }


def shared_volume(name: str, storage_class: str = "", path: str = "/shared") -> Object:
    """A volume of the directory ``path`` of every node, which is the same on all of them."""
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "storageClassName": storage_class,
        "hostPath": {"path": path, "type": "Directory"},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": spec,
    }


def config_map(name: str, data: Mapping[str, str]) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": dict(data),
    }


def dask_cluster(search: Search) -> Object:
    """A scheduler and workers for dask's controller to make."""
    storage = search.worker_storage or search.storage
    scheduler = {
        **_container("scheduler", search.image, Storage(env=[])),
        "args": ["dask", "scheduler", "--host", "0.0.0.0", "--port", "8786"],
        "ports": [
            {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
            {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
        ],
        "readinessProbe": _health("http-dashboard"),
    }
    scheduler["env"] += [
        {"name": "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES", "value": json.dumps(_ROUTES)},
        {"name": "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "value": "0"},
    ]
    worker = {
        **_container("worker", search.image, storage),
        "args": [
            *("dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--nworkers", "1"),
            *("--nthreads", "1", "--worker-port", "9000", "--nanny-port", "9001"),
            *("--dashboard-address", ":8788", "--local-directory", "/tmp"),
        ],
        "ports": [{"name": "http-dashboard", "containerPort": 8788, "protocol": "TCP"}],
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"dask.org/component": "worker"}},
    }
    ports = [
        {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
        for name, port in (("tcp-comm", 8786), ("http-dashboard", 8787))
    ]
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": CLUSTER},
        "spec": {
            "idleTimeout": 0,
            "scheduler": {
                "spec": {**_pod(scheduler, Storage(env=[])), "nodeSelector": _on_node(search.node)},
                "service": {
                    "type": "ClusterIP",
                    "selector": {
                        "dask.org/cluster-name": CLUSTER,
                        "dask.org/component": "scheduler",
                    },
                    "ports": ports,
                },
            },
            "worker": {
                "replicas": search.workers,
                "spec": {**_pod(worker, storage), "topologySpreadConstraints": [spread]},
            },
        },
    }


def driver_job(search: Search) -> Object:
    """``hyn-k8s run`` of the script, begun again where it ends with 75 or is evicted."""
    script = Storage(
        env=[],
        volumes=[{"name": "script", "configMap": {"name": "script"}}],
        mounts=[{"name": "script", "mountPath": "/opt/script", "readOnly": True}],
    )
    storage = Storage(
        env=[
            *search.storage.env,
            {"name": "DASK_SCHEDULER_ADDRESS", "value": f"tcp://{CLUSTER}-scheduler:8786"},
            {"name": "HYN_RUN_ID", "value": RUN},
            *({"name": name, "value": value} for name, value in search.env.items()),
        ],
        volumes=[*search.storage.volumes, *script.volumes],
        mounts=[*search.storage.mounts, *script.mounts],
    )
    container = {
        **_container("driver", search.image, storage),
        "args": ["hyn-k8s", "run", "/opt/script/search.py", *search.arguments],
    }
    lasting = {"containerName": "driver", "operator": "NotIn", "values": [75, 137, 143]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "driver"},
        "spec": {
            "backoffLimit": 6,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {"action": "FailJob", "onExitCodes": lasting},
                ]
            },
            "template": {
                "metadata": {"labels": DRIVER},
                "spec": {
                    **_pod(container, storage),
                    "restartPolicy": "Never",
                    "nodeSelector": _on_node(search.node),
                },
            },
        },
    }


def reader_pod(
    image: str,
    storage: Storage,
    command: Sequence[str],
    name: str = "reader",
    node: str | None = None,
) -> Object:
    """A pod of a user who looks at the storage: what ``command`` prints is its log."""
    container = {**_container("reader", image, storage), "args": list(command)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            **_pod(container, storage),
            "restartPolicy": "Never",
            "nodeSelector": _on_node(node),
        },
    }


def s3_server(
    name: str,
    image: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    certificates: str | None = None,
) -> list[Any]:
    """An S3 server that forgets everything when it ends, and its Service at port 9000.

    A Secret with ``certificates`` is mounted at /certificates.
    """
    data = Storage(
        env=[{"name": key, "value": value} for key, value in env.items()],
        volumes=[{"name": "data", "emptyDir": {}}],
        mounts=[{"name": "data", "mountPath": "/data"}],
    )
    if certificates is not None:
        data = Storage(
            data.env,
            [*data.volumes, {"name": "certificates", "secret": {"secretName": certificates}}],
            [*data.mounts, {"name": "certificates", "mountPath": "/certificates"}],
        )
    container = {
        **_container(name, image, data),
        "args": list(arguments),
        "ports": [{"containerPort": 9000}],
        "readinessProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 1},
    }
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {**_pod(container, data), "terminationGracePeriodSeconds": 1},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": 9000}]},
    }
    return [deployment, service]


def _on_node(node: str | None) -> dict[str, str]:
    return {} if node is None else {"kubernetes.io/hostname": node}


def _container(name: str, image: str, storage: Storage) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "env": list(storage.env),
        "securityContext": _CONTAINER,
        "resources": {"requests": {"cpu": "50m", "memory": "200Mi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *storage.mounts],
    }


def _pod(container: Mapping[str, Any], storage: Storage) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _POD,
        "containers": [dict(container)],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *storage.volumes],
    }


def _health(port: str) -> dict[str, Any]:
    return {"httpGet": {"path": "/health", "port": port}, "periodSeconds": 2, "timeoutSeconds": 5}
