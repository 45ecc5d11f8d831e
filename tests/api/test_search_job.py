"""A SearchJob is read and written as Kubernetes has it, and refused where a rule says so."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from pydantic import ValidationError

from hyn_k8s.api.search_job import MOST_NAME, OPERATOR_VARIABLES, SearchJob
from tests.objects.searches import FILE, FULL, S3

SMALL: dict[str, Any] = {
    "apiVersion": "hyn-k8s.dev/v1alpha1",
    "kind": "SearchJob",
    "metadata": {"name": "iris", "namespace": "team"},
    "spec": {"script": {"inline": "pass"}},
}
STATUS: dict[str, Any] = {
    "phase": "Running",
    "observedGeneration": 2,
    "conditions": [
        {
            "type": "StorageReady",
            "status": "True",
            "reason": "Proved",
            "message": "It is.",
            "lastTransitionTime": "2026-11-28T07:00:00Z",
            "observedGeneration": 2,
        }
    ],
    "search": {"ordinal": 1, "name": "search-1"},
    "trials": {"total": 9, "done": 3, "succeeded": 1, "failed": 1, "pruned": 0, "skipped": 1,
               "running": 2},
    "best": {
        "trial": 1,
        "rewards": [0.5],
        "hyperparameters": {"max_depth": 3, "a.b": None},
        "model": "m.pkl",
    },
    "pareto": {"size": 1},
    "eta": "3m",
    "startTime": "2026-11-28T07:00:00Z",
    "completionTime": "2026-11-28T08:00:00Z",
    "resultsPath": "s3://bucket/runs/iris-0a1b2c3d",
    "clusterName": "iris",
    "driverName": "iris-driver",
}  # fmt: skip


def changed(path: str, value: Any) -> dict[str, Any]:
    """SMALL with something else at ``path``; the objects on the way are made."""
    found = copy.deepcopy(SMALL)
    *way, last = path.split(".")
    place = found
    for name in way:
        place = place.setdefault(name, {})
    place[last] = value
    return found


def test_what_is_read_is_what_is_written() -> None:
    given = changed("spec", FULL | {"storage": S3, "suspend": True, "image": "i:1"})
    given["spec"] |= {"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 0}
    given["status"] = STATUS
    resources = {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}
    expected = copy.deepcopy(given)
    for role in ("worker", "driver", "scheduler"):
        expected["spec"][role]["resources"] = resources
    read = SearchJob.model_validate(given)
    assert read.to_manifest() == expected
    assert SearchJob.model_validate(read.to_manifest()) == read


def test_python_says_it_in_its_own_way() -> None:
    read = SearchJob.model_validate(changed("spec.driverRetries", 2))
    assert read.spec.driver_retries == 2
    assert read.spec.trial_timeout_seconds is None


def test_what_is_not_said_has_the_documented_defaults() -> None:
    spec = SearchJob.model_validate(SMALL).spec
    assert (spec.executors, spec.startup_timeout_seconds) == (3, 600)
    assert (spec.driver_retries, spec.trial_attempts, spec.suspend) == (6, 5, False)


def test_metadata_may_have_whatever_kubernetes_adds() -> None:
    SearchJob.model_validate(
        changed("metadata", {"name": "iris", "uid": "u", "labels": {"a": "b"}})
    )


def test_an_operator_may_read_a_newer_one() -> None:
    newer = changed("spec.colour", "red")
    with pytest.raises(ValidationError):
        SearchJob.model_validate(newer)
    assert SearchJob.model_validate(newer, extra="ignore").spec.executors == 3


def mount(path: str) -> dict[str, Any]:
    volumes = [{"name": "v", "emptyDir": {}}]
    return {"volumes": volumes, "volumeMounts": [{"name": "v", "mountPath": path}]}


def s3(**fields: Any) -> dict[str, Any]:
    return {"root": "/bucket", **fields}


REFUSED: list[tuple[str, Any, str, str]] = [
    ("spec.script", {}, "spec.script", "set exactly one of inline, configMap and path"),
    ("spec.script", {"inline": "a", "path": "/b"}, "spec.script", "set exactly one of inline"),
    ("spec.script", {"inline": ""}, "spec.script.inline", "at least 1 character"),
    ("spec.script", {"inline": "a" * 65537}, "spec.script.inline", "at most 65536 characters"),
    ("spec.script", {"path": "search.py"}, "spec.script.path", "match pattern"),
    ("spec.script", {"path": "/a/../b.py"}, "spec.script.path", "match pattern"),
    ("spec.script", {"path": "/tmp/b.py"}, "spec.script", "path must not be below"),
    ("spec.script", {"configMap": {"name": "a"}}, "spec.script.configMap.key", "required"),
    ("spec.script", {"configMap": {"name": "a", "key": ".."}}, "configMap.key", "match"),
    ("spec.script", None, "spec.script", "valid"),
    ("spec.image", "a b", "spec.image", "match pattern"),
    ("spec.run", "", "spec.run", "at least 1 character"),
    ("spec.run", "../other", "spec.run", "match pattern"),
    ("spec.run", "a" * 64, "spec.run", "at most 63 characters"),
    ("spec.executors", 0, "spec.executors", "greater than or equal to 1"),
    ("spec.executors", 1001, "spec.executors", "less than or equal to 1000"),
    ("spec.executors", "many", "spec.executors", "valid integer"),
    ("spec.startupTimeoutSeconds", 1, "spec.startupTimeoutSeconds", "greater than or equal to 10"),
    ("spec.trialAttempts", 0, "spec.trialAttempts", "greater than or equal to 1"),
    ("spec.driverRetries", -1, "spec.driverRetries", "greater than or equal to 0"),
    ("spec.maxTrials", 3, "spec.maxTrials", "Extra inputs"),
    ("spec.args", ["a" * 4096] * 33, "spec", "args must have at most 131072 characters in all"),
    ("spec.env", [{"name": "A=B"}], "spec.env.0.name", "match pattern"),
    ("spec.env", [{"name": "A"}, {"name": "A"}], "spec", "env has A more than once"),
    ("spec.env", [{"name": "A", "value": "1", "valueFrom": {"fieldRef":
        {"fieldPath": "spec.nodeName"}}}], "spec.env.0", "set at most one of value and valueFrom"),
    ("spec.env", [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nam"}}}],
     "spec.env.0.valueFrom.fieldRef.fieldPath", "match pattern"),
    ("spec.env", [{"name": "A", "valueFrom": {}}], "spec.env.0.valueFrom", "set exactly one of"),
    ("spec.envFrom", [{}], "spec.envFrom.0", "set exactly one of configMapRef and secretRef"),
    *(("spec.env", [{"name": name, "value": "x"}], "", "the operator sets these")
      for name in OPERATOR_VARIABLES),
    ("spec.storage", {}, "spec.storage", "set exactly one of file and s3"),
    ("spec.storage", FILE | S3, "spec.storage", "set exactly one of file and s3"),
    ("spec.storage.file", {}, "spec.storage.file", "set exactly one of claimName and"),
    ("spec.storage.file", {"claimName": "c", "root": "../x"}, "spec.storage.file.root", "match"),
    ("spec.storage.file", {"claimName": "c", "mountPath": "/"}, "file.mountPath", "at least 2"),
    *(("spec.storage.file", {"claimName": "c", "mountPath": path}, "spec.storage.file",
       "mountPath must be none of")
      for path in ("/opt", "/opt/hyn-k8s/lib", "/opt/script", "/tmp/x", "/etc/x", "/usr", "/var")),
    *(("spec.storage.file", {"claimName": "c", "mountPath": path},
       "spec.storage.file.mountPath", "match pattern")
      for path in ("/opt/../etc", "//etc", "/./etc", "/mnt/", "/a:b")),
    ("spec.storage.file", {"claimTemplate": {"size": "10GB"}},
     "spec.storage.file.claimTemplate.size", "an amount is a number"),
    ("spec.storage.s3", {}, "spec.storage.s3.root", "required"),
    ("spec.storage.s3", {"root": "bucket"}, "spec.storage.s3.root", "match pattern"),
    ("spec.storage.s3", s3(endpoint="minio:9000"), "spec.storage.s3.endpoint", "match pattern"),
    ("spec.storage.s3", s3(secretName="s"), "spec.storage.s3", "with secretName say what is in it"),
    ("spec.storage.s3", s3(secretName="s", accessKeyField="a"), "spec.storage.s3", "together"),
    ("spec.storage.s3", s3(optionsField="o"), "spec.storage.s3", "without secretName, by neither"),
    ("spec.storage.s3", s3(secretName="s", optionsField="o", accessKeyField="a",
                           secretKeyField="b"), "spec.storage.s3", "set at most one of"),
    ("spec.storage.s3", s3(secretName="s", optionsField="o", region="r"), "spec.storage.s3",
     "with optionsField the Secret has all options"),
    *(("spec.storage.s3", s3(options=options), "spec.storage.s3", "keys do not belong in options")
      for options in ({"key": "k"}, {"secret": "s"}, {"token": "t"},
                      {"client_kwargs": {"aws_secret_access_key": "s"}})),
    ("spec.storage.s3", s3(endpoint="http://a", options={"endpoint_url": "http://b"}),
     "spec.storage.s3", "say endpoint and region once"),
    ("spec.storage.s3", s3(region="a", options={"client_kwargs": {"region_name": "b"}}),
     "spec.storage.s3", "say endpoint and region once"),
    ("spec.storage.s3", s3(options={"client_kwargs": 1}), "spec.storage.s3", "must be an object"),
    ("spec.worker", {"hostNetwork": True}, "spec.worker.hostNetwork", "Extra inputs"),
    ("spec.worker", {"volumes": [{"name": "h", "hostPath": {"path": "/"}}]},
     "spec.worker.volumes.0.hostPath", "Extra inputs"),
    ("spec.worker", {"volumes": [{"name": "hyn-a", "emptyDir": {}}]}, "spec.worker.volumes.0",
     "names of volumes that begin with hyn- are taken"),
    ("spec.worker", {"volumes": [{"name": "a", "emptyDir": {}}] * 2}, "spec.worker",
     "volumes has a more than once"),
    ("spec.worker", {"volumes": [{"name": "a"}]}, "spec.worker.volumes.0", "set exactly one of"),
    ("spec.worker", {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}, "spec.worker",
     "each of volumeMounts must name one of volumes"),
    ("spec.worker", {"volumes": [{"name": "a", "emptyDir": {}}],
                     "volumeMounts": [{"name": "a", "mountPath": "/a", "subPath": "../b"}]},
     "spec.worker.volumeMounts.0.subPath", "match pattern"),
    *(("spec.driver", mount(path), "spec.driver.volumeMounts.0", "mountPath must be none of")
      for path in ("/tmp", "/opt", "/etc", "/etc/hyn-k8s", "/etc/hyn-k8s/run", "/opt/script/x")),
    *(("spec", {"script": {"inline": "a"}, "storage": FILE, role: mount("/opt/share")}, "spec",
       "the storage is mounted there")
      for role in ("worker", "driver", "scheduler")),
    ("spec.worker.labels", {"dask.org/component": "x"}, "spec.worker", "keys of labels"),
    ("spec.worker.labels", {"job-name": "x"}, "spec.worker", "keys of labels"),
    ("spec.worker.labels", {"a": "b c"}, "spec.worker.labels.a", "match pattern"),
    ("spec.worker.labels", {"a b": "c"}, "spec.worker", "are names such as team"),
    ("spec.worker.nodeSelector", {"/a": "c"}, "spec.worker", "are names such as team"),
    ("spec.worker.annotations", {"kopf.zalando.org/x": ""}, "spec.worker", "keys of annotations"),
    ("spec.worker.resources", {"limits": {"memory": "4GB"}}, "spec.worker.resources.limits.memory",
     "an amount is a number"),
    ("spec.worker.resources", {"requests": {"memory": "2Gi"}, "limits": {"memory": "2G"}},
     "spec.worker.resources", "requests must not be greater than limits"),
    ("spec.worker.tolerations", [{}], "spec.worker.tolerations.0", "needs operator Exists"),
    ("spec.worker.tolerations", [{"key": "a", "operator": "Exists", "value": "b"}],
     "spec.worker.tolerations.0", "has no value"),
    ("spec.worker.tolerations", [{"key": "a", "tolerationSeconds": 1}],
     "spec.worker.tolerations.0", "needs effect NoExecute"),
    ("spec.worker.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
     {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]},
     "nodeSelectorTerms.0.matchExpressions.0", "In and NotIn need values"),
    ("spec.worker.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
     {"nodeSelectorTerms": [{"matchExpressions": [
         {"key": "a", "operator": "Gt", "values": ["many"]}]}]},
     "nodeSelectorTerms.0.matchExpressions.0", "Gt and Lt need one whole number"),
    ("spec.worker.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
     {"nodeSelectorTerms": [{"matchFields": [{"key": "a", "operator": "Exists"}]}]},
     "nodeSelectorTerms.0", "matchFields knows metadata.name only"),
    ("spec.worker.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution",
     [{"topologyKey": "a", "labelSelector": {"matchExpressions": [
         {"key": "a", "operator": "Lt", "values": ["1"]}]}}],
     "0.labelSelector", "Gt and Lt are for nodes only"),
    ("metadata.name", "a" * (MOST_NAME + 1), "metadata.name", "at most 37 characters"),
    ("metadata.name", "9iris", "metadata.name", "match pattern"),
    ("kind", "Job", "", "apiVersion must be hyn-k8s.dev/v1alpha1 and kind SearchJob"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "message"), REFUSED)
def test_a_mistake_is_refused_with_its_place_and_what_is_accepted(
    path: str, value: Any, where: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        SearchJob.model_validate(changed(path, value))
    found = [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]
    assert any(place.endswith(where) and message in text for place, text in found), found


ACCEPTED: list[tuple[str, Any]] = [
    ("spec.script", {"path": "/opt/share/.code/search.py"}),
    ("spec.storage.file", {"claimName": "c", "mountPath": "/opt/share/deep"}),
    ("spec.storage.file", {"claimName": "c", "mountPath": "/var/data"}),
    ("spec.storage.s3", s3(options={"anon": True, "client_kwargs": {"verify": False}})),
    ("spec.storage.s3", s3(secretName="s", optionsField="o", caBundle={"configMapName": "c"})),
    ("spec.run", "Heart_1.old-0c1f6a52"),
    ("spec.driver", mount("/dev/shm")),
    ("spec.driver", mount("/etc/ssl/certs")),
    ("spec.worker.resources", {"requests": {"memory": "2G"}, "limits": {"memory": "2Gi"}}),
    ("spec.worker.tolerations", [{"operator": "Exists"}]),
    ("spec.worker.labels", {"example.com/team": "a", "team": ""}),
    ("metadata.name", "a" * MOST_NAME),
]


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_what_is_right_at_the_edge_is_taken(path: str, value: Any) -> None:
    SearchJob.model_validate(changed(path, value))


def test_patterns_are_whole() -> None:
    """Kubernetes finds a pattern anywhere in a value unless it says otherwise."""
    from tests.api.test_schema import SPEC

    for path, node in SPEC.items():
        pattern = node.get("pattern", "^$")
        assert re.fullmatch(r"\^.*\$", pattern), path
