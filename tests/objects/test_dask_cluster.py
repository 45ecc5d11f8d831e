"""The DaskCluster, whole, and against dask's own schema."""

from __future__ import annotations

import copy
import json
from typing import Any

from dask_kubernetes.operator.kubecluster.kubecluster import make_cluster_spec

from hyn_k8s.api.pods import PodSettings
from hyn_k8s.objects import dask_cluster
from tests.objects.dask_schema import dask_cluster_schema, undeclared
from tests.objects.pod_security import violations
from tests.objects.searches import (
    FILE,
    FULL,
    IMAGE,
    LABELS,
    OWNERS,
    RUN,
    S3,
    SETTINGS,
    search,
    values,
)

POD = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
CONTAINER = {
    "image": IMAGE,
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}


def test_a_small_search_has_this_cluster() -> None:
    assert dask_cluster(search(), workers=2) == {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {
            "name": "iris",
            "namespace": "team",
            "labels": LABELS,
            "ownerReferences": OWNERS,
        },
        "spec": {
            "idleTimeout": 0,
            "scheduler": {
                "metadata": {
                    "labels": {
                        **LABELS,
                        "hyn-k8s.dev/role": "scheduler",
                        "app.kubernetes.io/component": "scheduler",
                    }
                },
                "spec": {
                    **POD,
                    "containers": [SCHEDULER],
                    "volumes": [{"name": "hyn-tmp", "emptyDir": {}}],
                },
                "service": {
                    "type": "ClusterIP",
                    "selector": {
                        "dask.org/cluster-name": "iris",
                        "dask.org/component": "scheduler",
                    },
                    "ports": [
                        {
                            "name": "tcp-comm",
                            "port": 8786,
                            "targetPort": "tcp-comm",
                            "protocol": "TCP",
                        },
                        {
                            "name": "http-dashboard",
                            "port": 8787,
                            "targetPort": "http-dashboard",
                            "protocol": "TCP",
                        },
                    ],
                },
            },
            "worker": {
                "metadata": {
                    "labels": {
                        **LABELS,
                        "hyn-k8s.dev/role": "worker",
                        "app.kubernetes.io/component": "worker",
                    }
                },
                "replicas": 2,
                "spec": {
                    **POD,
                    "containers": [WORKER],
                    "volumes": [
                        {"name": "hyn-storage", "persistentVolumeClaim": {"claimName": "shared"}},
                        {"name": "hyn-tmp", "emptyDir": {}},
                    ],
                    "terminationGracePeriodSeconds": 30,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {
                                "matchLabels": {
                                    "dask.org/cluster-name": "iris",
                                    "dask.org/component": "worker",
                                }
                            },
                        }
                    ],
                },
            },
        },
    }


SCHEDULER: dict[str, Any] = {
    **CONTAINER,
    "name": "scheduler",
    "args": [
        *("dask", "scheduler", "--host", "0.0.0.0", "--port", "8786"),
        *("--dashboard-address", ":8787"),
    ],
    "env": [
        {
            "name": "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES",
            "value": '["distributed.http.health", "distributed.http.scheduler.api", '
            '"distributed.http.scheduler.info"]',
        },
        {"name": "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "value": "0"},
        {"name": "HOME", "value": "/tmp"},
        {"name": "DASK_TEMPORARY_DIRECTORY", "value": "/tmp"},
    ],
    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
    "volumeMounts": [{"name": "hyn-tmp", "mountPath": "/tmp"}],
    "ports": [
        {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
        {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
    ],
    "readinessProbe": {
        "httpGet": {"path": "/health", "port": "http-dashboard"},
        "periodSeconds": 1,
        "timeoutSeconds": 5,
    },
    "livenessProbe": {
        "httpGet": {"path": "/health", "port": "http-dashboard"},
        "initialDelaySeconds": 30,
        "periodSeconds": 20,
        "timeoutSeconds": 10,
        "failureThreshold": 6,
    },
}

WORKER: dict[str, Any] = {
    **CONTAINER,
    "name": "worker",
    "args": [
        *("dask", "worker", "--name", "$(DASK_WORKER_NAME)", "--nworkers", "1"),
        *("--nthreads", "1", "--local-directory", "/tmp", "--memory-limit", "0"),
        *("--worker-port", "9000"),
        *("--nanny-port", "9001", "--dashboard-address", ":8788", "--death-timeout", "120"),
        *("--preload", "hyn_k8s.search.preload"),
    ],
    "env": [
        {"name": "HYN_SEARCH_BACKEND", "value": "dask"},
        {"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://iris-scheduler:8786"},
        {"name": "HYN_SEARCH_EXECUTORS", "value": "3"},
        {"name": "HYN_RUN_ID", "value": RUN},
        {"name": "HYN_SEARCH_TRIAL_ATTEMPTS", "value": "5"},
        {"name": "HYN_SEARCH_TRIAL_TIMEOUT", "value": ""},
        {"name": "HYN_SEARCH_GRACE", "value": "60"},
        {"name": "HYN_SEARCH_CLUSTER_PATIENCE", "value": "unlimited"},
        {"name": "HYN_STORAGE_TYPE", "value": "file"},
        {"name": "HYN_STORAGE_ROOT", "value": "/opt/share/hypernets"},
        {"name": "HYN_STORAGE_OPTIONS", "value": ""},
        {"name": "HYN_STORAGE_ACCESS_KEY", "value": ""},
        {"name": "HYN_STORAGE_SECRET_KEY", "value": ""},
        {"name": "HOME", "value": "/tmp"},
        {"name": "DASK_TEMPORARY_DIRECTORY", "value": "/tmp"},
    ],
    "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
    "volumeMounts": [
        {"name": "hyn-storage", "mountPath": "/opt/share"},
        {"name": "hyn-tmp", "mountPath": "/tmp"},
    ],
    "ports": [
        {"name": "http-dashboard", "containerPort": 8788, "protocol": "TCP"},
        {"name": "worker", "containerPort": 9000, "protocol": "TCP"},
        {"name": "nanny", "containerPort": 9001, "protocol": "TCP"},
    ],
}


def test_settings_of_worker_and_scheduler_reach_their_own_pods() -> None:
    worker, scheduler = {"labels": {"for": "worker"}}, {"labels": {"for": "scheduler"}}
    spec = dask_cluster(search(worker=worker, scheduler=scheduler), workers=1)["spec"]
    assert spec["worker"]["metadata"]["labels"]["for"] == "worker"
    assert spec["scheduler"]["metadata"]["labels"]["for"] == "scheduler"


def test_labels_for_one_role_only_are_not_on_the_cluster_which_hands_its_own_to_all() -> None:
    assert dask_cluster(search(**FULL), workers=1)["metadata"]["labels"] == LABELS


def test_workers_have_the_script_beside_the_storage_and_the_scheduler_has_neither() -> None:
    spec = dask_cluster(search(**FULL | {"scheduler": None}), workers=1)["spec"]
    worker, scheduler = spec["worker"]["spec"], spec["scheduler"]["spec"]
    assert {"name": "hyn-script", "configMap": {"name": "script"}} in worker["volumes"]
    assert [each["name"] for each in scheduler["volumes"]] == ["hyn-tmp"]
    assert "envFrom" not in scheduler["containers"][0]


def test_the_scheduler_serves_what_dasks_controller_asks_and_gives_up_no_trial() -> None:
    spec = dask_cluster(search(), workers=1)["spec"]["scheduler"]["spec"]
    env = values(spec["containers"][0]["env"])
    routes = json.loads(env["DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES"])
    assert "distributed.http.scheduler.api" in routes
    assert env["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] == "0"


def test_the_full_settings_leave_no_field_out() -> None:
    settings = PodSettings.model_validate(SETTINGS)
    assert settings.model_fields_set == set(PodSettings.model_fields)
    resources = {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}
    assert settings.to_manifest() == SETTINGS | {"resources": resources}


def test_dask_drops_nothing_of_it() -> None:
    for storage in (FILE, S3):
        for spec in (FULL, {}):
            built = dask_cluster(search(storage, **spec), workers=3)
            assert undeclared(built["spec"], dask_cluster_schema()) == []


def test_the_comparison_with_dasks_schema_finds_what_is_too_new() -> None:
    built = dask_cluster(search(), workers=3)
    worker = built["spec"]["worker"]["spec"]
    worker["hostUsers"] = False
    worker["containers"][0]["restartPolicy"] = "Always"
    worker["terminationGracePeriodSeconds"] = "30"
    assert undeclared(built["spec"], dask_cluster_schema()) == [
        "spec.worker.spec.containers[0].restartPolicy",
        "spec.worker.spec.terminationGracePeriodSeconds",
        "spec.worker.spec.hostUsers",
    ]


def test_it_has_all_that_a_cluster_of_dasks_own_making_has() -> None:
    ours = dask_cluster(search(), workers=1)
    theirs = make_cluster_spec("iris", image=IMAGE, n_workers=1, resources={}, env={"A": "b"})
    delay = ".spec.scheduler.spec.containers[].readinessProbe.initialDelaySeconds"  # it is 0
    assert _keys(theirs) - _keys(ours) == {delay}
    assert (
        theirs["spec"]["scheduler"]["service"]["selector"]
        == (ours["spec"]["scheduler"]["service"]["selector"])
    )
    for role in ("scheduler", "worker"):
        ports = [each["spec"][role]["spec"]["containers"][0]["ports"] for each in (ours, theirs)]
        assert [each for each in ports[0] if each in ports[1]] == ports[1]


def test_pods_pass_pod_security_restricted() -> None:
    for storage in (FILE, S3):
        spec = dask_cluster(search(storage, **FULL), workers=1)["spec"]
        assert violations(spec["scheduler"]["spec"]) == []
        assert violations(spec["worker"]["spec"]) == []


def test_building_one_changes_neither_the_search_nor_another_one() -> None:
    given = search(S3, **FULL)
    before = copy.deepcopy(given)
    first = dask_cluster(given, workers=1)
    untouched = copy.deepcopy(first)
    _spoil(dask_cluster(given, workers=1))
    assert given == before
    assert first == dask_cluster(given, workers=1) == untouched


def _spoil(value: Any) -> None:
    for item in list(value.values() if isinstance(value, dict) else value):
        if isinstance(item, (dict, list)):
            _spoil(item)
    value.clear()


def _keys(value: Any, path: str = "") -> set[str]:
    """The paths of all keys."""
    if isinstance(value, dict):
        return {f"{path}.{key}" for key in value}.union(
            *(_keys(item, f"{path}.{key}") for key, item in value.items())
        )
    if isinstance(value, list):
        return set().union(*(_keys(item, f"{path}[]") for item in value))
    return set()
