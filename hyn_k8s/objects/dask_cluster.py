"""The DaskCluster of a search: a scheduler, and a worker for each trial in flight.

Dask's controller makes Deployments of it. Its schema is that of an older Kubernetes and drops what
it does not know, so nothing newer is used here. After the start only ``spec.worker.replicas``
counts; every other change is ignored by that controller.
"""

from __future__ import annotations

import json

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.objects.attachments import Attachment, variable
from hyn_k8s.objects.environment import WRITABLE, environment, environment_sources
from hyn_k8s.objects.pods import Container, pod_metadata, pod_spec
from hyn_k8s.objects.scripts import scripts
from hyn_k8s.objects.search import Search
from hyn_k8s.objects.storage import storage

DEATH_SECONDS = 120
"""How long a worker looks for a scheduler before it ends and is started again."""

WORKER_LEAVE_SECONDS = 30
"""How long a worker may take to end: it says so at once, and its trial is run elsewhere."""

_ROUTES = [f"distributed.http.{name}" for name in ("health", "scheduler.api", "scheduler.info")]
"""Dask's own, and ``scheduler.api``: without it dask's controller shrinks a cluster by injecting
code into the scheduler."""

_SCHEDULER_RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}}
_WORKER_RESOURCES = {"requests": {"cpu": "500m", "memory": "512Mi"}}

_COMM, _HTTP = "tcp-comm", "http-dashboard"
"""The names by which dask's controller looks for the scheduler's ports."""


def dask_cluster(search: Search, workers: int) -> Manifest:
    """The DaskCluster with ``workers`` workers."""
    name = names.cluster_name(search.name)
    spec = search.spec
    scheduler = pod_spec(search, _scheduler(), spec.scheduler)
    worker = pod_spec(search, _worker(search), spec.worker) | {
        "terminationGracePeriodSeconds": WORKER_LEAVE_SECONDS,
        "topologySpreadConstraints": [_spread(name)],
    }
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": search.metadata(name),
        "spec": {
            "idleTimeout": 0,  # what looks idle to Dask may be a long trial, or a script at work
            "scheduler": {
                "metadata": pod_metadata(search, names.SCHEDULER, spec.scheduler),
                "spec": scheduler,
                "service": _service(name),
            },
            "worker": {
                "metadata": pod_metadata(search, names.WORKER, spec.worker),
                "replicas": workers,
                "spec": worker,
            },
        },
    }


def _scheduler() -> Container:
    """It sees neither storage nor script: what passes through it are bytes to it."""
    env = (
        variable("DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES", json.dumps(_ROUTES)),
        # The driver counts the workers that a trial has cost; Dask must not give a trial up first.
        variable("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0"),
        *WRITABLE,
    )
    return Container(
        role=names.SCHEDULER,
        args=[
            *("dask", "scheduler", "--host", "0.0.0.0"),  # noqa: S104
            *("--port", str(names.SCHEDULER_PORT)),
            *("--dashboard-address", f":{names.DASHBOARD_PORT}"),
        ],
        attachment=Attachment(env=env),
        resources=_SCHEDULER_RESOURCES,
        more={
            "ports": [_port(_COMM, names.SCHEDULER_PORT), _port(_HTTP, names.DASHBOARD_PORT)],
            "readinessProbe": {**_health(), "periodSeconds": 1, "timeoutSeconds": 5},
            # One that hangs would keep the search waiting for ever; the driver survives a new one.
            "livenessProbe": {
                **_health(),
                "initialDelaySeconds": 30,
                "periodSeconds": 20,
                "timeoutSeconds": 10,
                "failureThreshold": 6,
            },
        },
    )


def _port(name: str, port: int) -> Manifest:
    return {"name": name, "containerPort": port, "protocol": "TCP"}


def _health() -> Manifest:
    return {"httpGet": {"path": "/health", "port": _HTTP}}


def _worker(search: Search) -> Container:
    """One worker of one thread, so one trial at a time.

    It has no probe: a trial may hold Python's lock for minutes, and a worker that trains would be
    called unready, or killed.
    """
    attachment = Attachment(env=tuple(environment(search))) + storage(search) + scripts(search)
    return Container(
        role=names.WORKER,
        args=[
            # By its name, and as the only one of its pod, dask's controller finds a worker.
            *("dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--nworkers", "1"),
            *("--nthreads", "1", "--local-directory", "/tmp"),  # noqa: S108
            # Trials, which are processes of their own, take the memory; hyn-k8s sees to that.
            *("--memory-limit", "0"),
            *("--worker-port", str(names.WORKER_PORT), "--nanny-port", str(names.NANNY_PORT)),
            *("--dashboard-address", f":{names.WORKER_DASHBOARD_PORT}"),
            *("--death-timeout", str(DEATH_SECONDS)),
            *("--preload", "hyn_k8s.search.preload"),
        ],
        attachment=attachment,
        resources=_WORKER_RESOURCES,
        env_from=environment_sources(search),
        more={
            "ports": [
                _port(_HTTP, names.WORKER_DASHBOARD_PORT),
                _port("worker", names.WORKER_PORT),
                _port("nanny", names.NANNY_PORT),
            ],
        },
    )


def _spread(cluster: str) -> Manifest:
    """Workers go to different nodes while there are some: a lost node then costs few trials."""
    labels = {names.DASK_CLUSTER_LABEL: cluster, names.DASK_COMPONENT_LABEL: names.WORKER}
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }


def _service(cluster: str) -> Manifest:
    ports = {_COMM: names.SCHEDULER_PORT, _HTTP: names.DASHBOARD_PORT}
    return {
        "type": "ClusterIP",
        "selector": {
            names.DASK_CLUSTER_LABEL: cluster,
            names.DASK_COMPONENT_LABEL: names.SCHEDULER,
        },
        "ports": [
            {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
            for name, port in ports.items()
        ],
    }
