"""The Jobs of driver and report, whole."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from hyn_k8s.api.schema import Manifest
from hyn_k8s.contract import DriverExit
from hyn_k8s.objects import Search, driver_job, report_job
from hyn_k8s.objects.environment import GRACE_SECONDS
from tests.objects.pod_security import violations
from tests.objects.searches import FILE, FULL, LABELS, OWNERS, RUN, S3, SETTINGS, search
from tests.objects.test_dask_cluster import CONTAINER, POD

ENV = [
    {"name": "HYN_SEARCH_BACKEND", "value": "dask"},
    {"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://iris-scheduler:8786"},
    {"name": "HYN_SEARCH_EXECUTORS", "value": "8"},
    {"name": "HYN_RUN_ID", "value": RUN},
    {"name": "HYN_SEARCH_TRIAL_ATTEMPTS", "value": "3"},
    {"name": "HYN_SEARCH_TRIAL_TIMEOUT", "value": "3600"},
    {"name": "HYN_SEARCH_GRACE", "value": "60"},
    {"name": "HYN_SEARCH_CLUSTER_PATIENCE", "value": "unlimited"},
    {"name": "HYN_STORAGE_TYPE", "value": "s3"},
    {"name": "HYN_STORAGE_ROOT", "value": "/bucket/runs"},
    {
        "name": "HYN_STORAGE_OPTIONS",
        "value": '{"client_kwargs": {"endpoint_url": "https://s3.example:9000", '
        '"region_name": "us-east-1", "verify": "/etc/hyn-k8s/ca/ca.crt"}, '
        '"config_kwargs": {"s3": {"addressing_style": "path"}}}',
    },
    {
        "name": "HYN_STORAGE_ACCESS_KEY",
        "valueFrom": {"secretKeyRef": {"name": "keys", "key": "access"}},
    },
    {
        "name": "HYN_STORAGE_SECRET_KEY",
        "valueFrom": {"secretKeyRef": {"name": "keys", "key": "secret"}},
    },
    {"name": "AWS_CA_BUNDLE", "value": "/etc/hyn-k8s/ca/ca.crt"},
    *FULL["env"],
    {"name": "HOME", "value": "/tmp"},
    {"name": "DASK_TEMPORARY_DIRECTORY", "value": "/tmp"},
]
WHOSE = [
    {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
    for name, path in (
        ("HYN_DRIVER_POD", "metadata.uid"),
        ("HYN_DRIVER_JOB", "metadata.labels['batch.kubernetes.io/controller-uid']"),
    )
]
"""By these the driver says whose its Outcome is; the report's pod has none of its own."""

AUTHORITIES = {
    "name": "hyn-authorities",
    "configMap": {"name": "authorities", "items": [{"key": "root.pem", "path": "ca.crt"}]},
}


def expected_job(name: str, role: str, retries: int, pod: Manifest) -> Manifest:
    labels = {"hyn-k8s.dev/role": role, "app.kubernetes.io/component": role}
    exit_codes = {"containerName": role, "operator": "NotIn", "values": [75, 128, 137, 143]}
    disruption = {"type": "DisruptionTarget", "status": "True"}
    settings = {
        key: value
        for key, value in SETTINGS.items()
        if key not in ("labels", "annotations", "resources", "volumes", "volumeMounts")
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "team",
            "labels": LABELS,
            "ownerReferences": OWNERS,
        },
        "spec": {
            "backoffLimit": retries,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [disruption]},
                    {"action": "FailJob", "onExitCodes": exit_codes},
                ]
            },
            "template": {
                "metadata": {
                    "labels": LABELS | labels | SETTINGS["labels"],
                    "annotations": SETTINGS["annotations"],
                },
                "spec": {**POD, **settings, "restartPolicy": "Never", **pod},
            },
        },
    }


def test_the_driver_of_a_search_that_says_everything() -> None:
    container: dict[str, Any] = {
        **CONTAINER,
        "name": "driver",
        "args": ["python", "-m", "hyn_k8s.driver", "run"],
        "env": [*ENV, *WHOSE],
        "envFrom": FULL["envFrom"],
        "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [
            {"name": "hyn-authorities", "mountPath": "/etc/hyn-k8s/ca", "readOnly": True},
            {"name": "hyn-run", "mountPath": "/etc/hyn-k8s/run", "readOnly": True},
            {"name": "hyn-script", "mountPath": "/opt/script", "readOnly": True},
            {"name": "hyn-tmp", "mountPath": "/tmp"},
            *SETTINGS["volumeMounts"],
        ],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 2,
            "timeoutSeconds": 5,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    pod = {
        "containers": [container],
        "volumes": [
            AUTHORITIES,
            {"name": "hyn-run", "configMap": {"name": "iris-run"}},
            {"name": "hyn-script", "configMap": {"name": "script"}},
            {"name": "hyn-tmp", "emptyDir": {}},
            *SETTINGS["volumes"],
        ],
        "terminationGracePeriodSeconds": 90,
    }
    expected = expected_job("iris-driver", "driver", 2, pod)
    expected["metadata"]["annotations"] = {"hyn-k8s.dev/trials-done": "7"}
    assert driver_job(search(S3, **FULL), done=7) == expected


def test_the_report_of_a_search_that_says_everything() -> None:
    container: dict[str, Any] = {
        **CONTAINER,
        "name": "report",
        "args": ["python", "-m", "hyn_k8s.driver", "report"],
        "env": ENV,
        "envFrom": FULL["envFrom"],
        "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [
            {"name": "hyn-authorities", "mountPath": "/etc/hyn-k8s/ca", "readOnly": True},
            {"name": "hyn-tmp", "mountPath": "/tmp"},
            *SETTINGS["volumeMounts"],
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    pod = {
        "containers": [container],
        "volumes": [AUTHORITIES, {"name": "hyn-tmp", "emptyDir": {}}, *SETTINGS["volumes"]],
    }
    assert report_job(search(S3, **FULL)) == expected_job("iris-report", "report", 3, pod)


def test_a_driver_is_tried_again_only_where_another_one_helps() -> None:
    *_, rule = driver_job(search())["spec"]["podFailurePolicy"]["rules"]
    retried = rule["onExitCodes"]["values"]
    assert DriverExit.LATER in retried
    assert DriverExit.FAILED not in retried


def test_no_retries_are_no_retries() -> None:
    assert driver_job(search(driverRetries=0))["spec"]["backoffLimit"] == 0


def test_a_driver_has_time_for_its_trials_grace_and_more() -> None:
    pod = driver_job(search())["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > GRACE_SECONDS


def test_without_settings_there_are_resources_and_no_annotations() -> None:
    template = driver_job(search())["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "250m", "memory": "512Mi"}}
    assert "annotations" not in template["metadata"]
    assert "envFrom" not in container


def test_only_the_drivers_own_settings_reach_it() -> None:
    others = {"worker": {"labels": {"for": "worker"}}, "scheduler": {"labels": {"for": "x"}}}
    template = driver_job(search(**others, driver={"labels": {"for": "driver"}}))["spec"][
        "template"
    ]
    assert template["metadata"]["labels"]["for"] == "driver"


@pytest.mark.parametrize("storage", [FILE, S3])
@pytest.mark.parametrize("job", [driver_job, report_job])
def test_pods_pass_pod_security_restricted(job: Any, storage: dict[str, Any]) -> None:
    assert violations(job(search(storage, **FULL))["spec"]["template"]["spec"]) == []
    assert violations(job(search(storage))["spec"]["template"]["spec"]) == []


def test_the_check_of_pod_security_finds_what_is_wrong() -> None:
    pod = driver_job(search())["spec"]["template"]["spec"]
    pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    pod["hostNetwork"] = True
    del pod["securityContext"]["seccompProfile"]
    pod["containers"][0]["securityContext"]["capabilities"]["drop"] = []
    assert violations(pod) == [
        "hostNetwork is set",
        "no seccomp profile",
        "volume host is of kind hostPath",
        "driver: keeps capabilities",
    ]


def test_building_changes_nothing_of_the_search() -> None:
    given = search(S3, **FULL)
    before: Search = copy.deepcopy(given)
    driver_job(given)["spec"]["template"]["spec"]["containers"][0]["env"].clear()
    report_job(given)["spec"]["template"]["spec"]["volumes"][0].clear()
    assert given == before
    assert driver_job(given) == driver_job(before)
    assert report_job(given) == report_job(before)


def test_the_image_is_pulled_as_the_operator_says() -> None:
    given = search()
    never = dataclasses.replace(given, image_pull_policy="Never")
    for each, policy in ((never, "Never"), (given, None)):
        (container,) = driver_job(each)["spec"]["template"]["spec"]["containers"]
        assert container.get("imagePullPolicy") == policy
