"""The Jobs of a search: the driver, and the reporter of a run that is over.

A Job starts another driver where another one helps, and only there: it goes on where the first
was. The driver says by its exit code (``contract.DriverExit``) whether it would.
"""

from __future__ import annotations

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.contract import DriverExit, DriverPod, PodPaths
from hyn_k8s.objects.attachments import Attachment
from hyn_k8s.objects.environment import GRACE_SECONDS, environment, environment_sources
from hyn_k8s.objects.pods import Container, pod_metadata, pod_spec
from hyn_k8s.objects.scripts import config, scripts
from hyn_k8s.objects.search import Search
from hyn_k8s.objects.storage import storage

LEAVE_SECONDS = GRACE_SECONDS + 30
"""How long a driver may take to end: its trials' grace, and then what is left to write."""

REPORT_RETRIES = 3

_DRIVER_RESOURCES = {"requests": {"cpu": "250m", "memory": "512Mi"}}
_REPORT_RESOURCES = {"requests": {"cpu": "50m", "memory": "256Mi"}}

_PORT = "http"


def driver_job(search: Search, done: int = 0) -> Manifest:
    """The Job that runs the script, of which ``done`` trials have come to something before."""
    container = Container(
        role=names.DRIVER,
        args=["python", "-m", "hyn_k8s.driver", "run"],
        attachment=_attachment(search) + config(search) + scripts(search) + _identity(),
        resources=_DRIVER_RESOURCES,
        env_from=environment_sources(search),
        more={
            "ports": [
                {"name": _PORT, "containerPort": names.DRIVER_PORT, "protocol": "TCP"},
            ],
            # There is no liveness probe: a script may hold Python's lock for minutes, and would be
            # killed for it. One that hangs meets activeDeadlineSeconds.
            "readinessProbe": {
                "httpGet": {"path": "/healthz", "port": _PORT},
                "periodSeconds": 2,
                "timeoutSeconds": 5,
            },
            **_message(),
        },
    )
    name, retries = names.driver_name(search.name), search.spec.driver_retries
    job = _job(search, name, container, retries, LEAVE_SECONDS)
    job["metadata"]["annotations"] = {names.DONE_ANNOTATION: str(done)}
    return job


def report_job(search: Search) -> Manifest:
    """The Job that reads from the storage what a run came to, whose driver's pod is gone."""
    container = Container(
        role=names.REPORT,
        args=["python", "-m", "hyn_k8s.driver", "report"],
        attachment=_attachment(search),
        resources=_REPORT_RESOURCES,
        env_from=environment_sources(search),
        more=_message(),
    )
    return _job(search, names.report_name(search.name), container, REPORT_RETRIES)


def _attachment(search: Search) -> Attachment:
    return Attachment(env=tuple(environment(search))) + storage(search)


def _identity() -> Attachment:
    """By which the driver says whose its Outcome is."""
    fields = {
        DriverPod.POD: "metadata.uid",
        DriverPod.JOB: "metadata.labels['batch.kubernetes.io/controller-uid']",
    }
    env = [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in fields.items()
    ]
    return Attachment(env=tuple(env))


def _message() -> Manifest:
    """Where the Outcome is. Never the end of the log instead: it would be taken for one."""
    return {
        "terminationMessagePath": PodPaths.TERMINATION_MESSAGE,
        "terminationMessagePolicy": "File",
    }


def _job(
    search: Search, name: str, container: Container, retries: int, leave_seconds: int | None = None
) -> Manifest:
    """A Job of one pod at a time, in the driver's place and with its settings."""
    settings = search.spec.driver
    lasting = {
        "containerName": container.role,
        "operator": "NotIn",
        "values": list(DriverExit.RETRIED),
    }
    pod = pod_spec(search, container, settings) | {"restartPolicy": "Never"}
    if leave_seconds is not None:
        pod["terminationGracePeriodSeconds"] = leave_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": search.metadata(name),
        "spec": {
            "backoffLimit": retries,
            "podReplacementPolicy": "Failed",  # never two drivers
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",  # evicted, preempted, drained: no fault of the driver
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {"action": "FailJob", "onExitCodes": lasting},
                ]
            },
            "template": {
                "metadata": pod_metadata(search, container.role, settings),
                "spec": pod,
            },
        },
    }
