"""What is wrong in a SearchJob is refused when it is applied, with field and reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hyn_k8s.api.search_job import SearchJobSpec
from tests.e2e.kube import Kube, Object
from tests.e2e.kubectl import kubectl
from tests.kind.cluster import Cluster

pytestmark = pytest.mark.e2e

Spec = dict[str, Any]

GOOD: Object = {
    "apiVersion": "hyn-k8s.dev/v1alpha1",
    "kind": "SearchJob",
    "metadata": {"name": "good"},
    "spec": {"script": {"inline": "print('a search')"}},
}

FILE = {"claimName": "shared"}
S3 = {"root": "/bucket/runs"}


def _file(**changes: Any) -> Spec:
    return {"storage": {"file": {**FILE, **changes}}}


def _s3(**changes: Any) -> Spec:
    return {"storage": {"s3": {**S3, **changes}}}


def _worker(**settings: Any) -> Spec:
    return {"worker": settings}


ALSO_GOOD: dict[str, Spec] = {
    "a claim": _file(),
    "a claim template": {"storage": {"file": {"claimTemplate": {"size": "10Gi"}}}},
    "the volume's own root": _file(root=""),
    "a bucket": _s3(),
    "a bucket with two fields": _s3(secretName="s", accessKeyField="a", secretKeyField="b"),
    "a bucket with options in a Secret": _s3(secretName="s", optionsField="o"),
    "further options": _s3(options={"config_kwargs": {"retries": {"max_attempts": 9}}}),
    "a script of a ConfigMap": {"script": {"configMap": {"name": "scripts", "key": "a.py"}}},
    "resources": _worker(resources={"requests": {"cpu": 2, "memory": "4Gi"}}),
    "variables": {"env": [{"name": "HYN_SEARCH_SEED", "value": "7"}]},
}

BAD: dict[str, tuple[Spec, str, str]] = {
    # what is wrong: the changed spec, the field that is named, a part of the reason
    "no script": ({"script": {}}, "spec.script", "exactly one of inline, configMap and path"),
    "two scripts": (
        {"script": {"inline": "a", "path": "/app/a.py"}},
        "spec.script",
        "exactly one of inline, configMap and path",
    ),
    "an empty script": ({"script": {"inline": ""}}, "spec.script.inline", "at least 1 char"),
    "a script too long": (
        {"script": {"inline": "#" * 65537}},
        "spec.script.inline",
        "may not be more than 65536",
    ),
    "a ConfigMap without key": (
        {"script": {"configMap": {"name": "scripts"}}},
        "spec.script.configMap.key",
        "Required",
    ),
    "a key with a slash": (
        {"script": {"configMap": {"name": "scripts", "key": "a/b.py"}}},
        "spec.script.configMap.key",
        "should match",
    ),
    "a relative path": ({"script": {"path": "a.py"}}, "spec.script.path", "should match"),
    "no executors": ({"executors": 0}, "spec.executors", "greater than or equal to 1"),
    "executors in words": ({"executors": "three"}, "spec.executors", "expected numeric"),
    "too many executors": ({"executors": 1001}, "spec.executors", "less than or equal to 1000"),
    "a slip of the pen": ({"executers": 3}, "spec.executers", "field not declared"),
    "no storage inside": ({"storage": {}}, "spec.storage", "exactly one of file and s3"),
    "two storages": (
        {"storage": {"file": FILE, "s3": S3}},
        "spec.storage",
        "exactly one of file and s3",
    ),
    "no claim": (
        {"storage": {"file": {}}},
        "spec.storage.file",
        "exactly one of claimName and claimTemplate",
    ),
    "two claims": (
        _file(claimTemplate={"size": "1Gi"}),
        "spec.storage.file",
        "exactly one of claimName and claimTemplate",
    ),
    "a template without size": (
        {"storage": {"file": {"claimTemplate": {}}}},
        "spec.storage.file.claimTemplate.size",
        "Required",
    ),
    "a size in words": (
        {"storage": {"file": {"claimTemplate": {"size": "big"}}}},
        "spec.storage.file.claimTemplate.size",
        "should match",
    ),
    "a mount over /tmp": (
        _file(mountPath="/tmp/x"),
        "spec.storage.file.mountPath",
        "the pods need what is there",
    ),
    "a mount over /": (_file(mountPath="/"), "spec.storage.file.mountPath", "should"),
    "a relative mount": (_file(mountPath="share"), "spec.storage.file.mountPath", "should match"),
    "a root outside": (_file(root="../other"), "spec.storage.file.root", "should match"),
    "an absolute root": (_file(root="/runs"), "spec.storage.file.root", "should match"),
    "no bucket": (_s3(root="/"), "spec.storage.s3.root", "should match"),
    "a bucket without slash": (_s3(root="bucket"), "spec.storage.s3.root", "should match"),
    "a bucket with capitals": (_s3(root="/Bucket"), "spec.storage.s3.root", "should match"),
    "an endpoint without scheme": (
        _s3(endpoint="minio:9000"),
        "spec.storage.s3.endpoint",
        "should match",
    ),
    "a password in the endpoint": (
        _s3(endpoint="http://me:secret@minio:9000"),
        "spec.storage.s3.endpoint",
        "should match",
    ),
    "one of two keys": (
        _s3(secretName="s", accessKeyField="a"),
        "spec.storage.s3",
        "accessKeyField and secretKeyField together",
    ),
    "a Secret and no field": (_s3(secretName="s"), "spec.storage.s3", "say what is in it"),
    "fields and no Secret": (_s3(optionsField="o"), "spec.storage.s3", "say what is in it"),
    "keys and options of a Secret": (
        _s3(secretName="s", optionsField="o", accessKeyField="a", secretKeyField="b"),
        "spec.storage.s3",
        "at most one of accessKeyField and optionsField",
    ),
    "an endpoint beside the Secret's options": (
        _s3(secretName="s", optionsField="o", endpoint="http://minio:9000"),
        "spec.storage.s3",
        "endpoint, region and options go there",
    ),
    "a key in options": (_s3(options={"key": "AK"}), "spec.storage.s3", "belong in options"),
    "a variable of the operator's": (
        {"env": [{"name": "HYN_RUN_ID", "value": "mine"}]},
        "spec.env",
        "the operator sets these",
    ),
    "a variable twice": (
        {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        "spec.env",
        "duplicate",
    ),
    "a value and its source": (
        {"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        "spec.env[0]",
        "at most one of value and valueFrom",
    ),
    "a source of nothing": ({"envFrom": [{}]}, "spec.envFrom[0]", "exactly one of configMapRef"),
    "memory in GB": (
        _worker(resources={"limits": {"memory": "4GB"}}),
        "spec.worker.resources.limits.memory",
        "should match",
    ),
    "a resource that dask does not know": (
        _worker(topologySpreadConstraints=[]),
        "spec.worker.topologySpreadConstraints",
        "field not declared",
    ),
    "a toleration in small letters": (
        _worker(tolerations=[{"operator": "exists"}]),
        "spec.worker.tolerations[0].operator",
        "Unsupported value",
    ),
    "a mount of no volume": (
        _worker(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
        "spec.worker",
        "must name one of volumes",
    ),
    "a volume of two kinds": (
        _worker(volumes=[{"name": "x", "emptyDir": {}, "configMap": {"name": "c"}}]),
        "spec.worker.volumes[0]",
        "exactly one of configMap, secret",
    ),
    "a volume of the host": (
        _worker(volumes=[{"name": "x", "hostPath": {"path": "/"}}]),
        "spec.worker.volumes",
        "field not declared",
    ),
    "a label of dask's": (
        _worker(labels={"dask.org/cluster-name": "other"}),
        "spec.worker",
        "keys of labels must not begin with dask.org/",
    ),
    "a deadline of nothing": (
        {"activeDeadlineSeconds": 0},
        "spec.activeDeadlineSeconds",
        "greater than or equal to 1",
    ),
    "a startup of no time": (
        {"startupTimeoutSeconds": 5},
        "spec.startupTimeoutSeconds",
        "greater than or equal to 10",
    ),
    "a path for a run": ({"run": "../theirs"}, "spec.run", "should match"),
    "negative retries": ({"driverRetries": -1}, "spec.driverRetries", "greater than or equal to 0"),
    "a switch in words": ({"suspend": "yes"}, "spec.suspend", "boolean"),
}

BAD_NAMES = {
    "a name too long": ("a" * 38, "at most 37 characters"),
    "a name that begins with a digit": ("1st-search", "must begin with a letter"),
    "a name with a dot": ("heart.disease", "must begin with a letter"),
}

MAY_CHANGE: dict[str, Spec] = {
    "suspend": {"suspend": True},
    "the deadline": {"activeDeadlineSeconds": 3600},
    "the time it is kept": {"ttlSecondsAfterFinished": 60},
}
MUST_STAY: dict[str, Spec] = {
    "the script": {"script": {"inline": "print('another')"}},
    "the image": {"image": "another:1"},
    "the arguments": {"args": ["--rows", "10"]},
    "the storage": _s3(),
    "the run": {"run": "old-0c1f6a52"},
    "the executors": {"executors": 4},
    "the workers": _worker(priorityClassName="high"),
}


def _changed(spec: Spec) -> Object:
    changed = copy.deepcopy(GOOD)
    changed["spec"] |= spec
    return changed


@pytest.mark.parametrize("spec", ALSO_GOOD.values(), ids=ALSO_GOOD)
def test_what_is_right_is_taken(kube: Kube, spec: Spec) -> None:
    assert kube.refusal(_changed(spec), "default") is None


@pytest.mark.parametrize(("spec", "field", "reason"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_refused(kube: Kube, spec: Spec, field: str, reason: str) -> None:
    refusal = kube.refusal(_changed(spec), "default")
    assert refusal is not None
    assert field in refusal
    assert reason in refusal


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_name_that_others_are_made_of_fits(kube: Kube, name: str, reason: str) -> None:
    refusal = kube.refusal({**GOOD, "metadata": {"name": name}}, "default")
    assert refusal is not None
    assert reason in refusal


def test_kubectl_explains_every_field_in_a_sentence(kube: Kube, cluster: Cluster) -> None:
    explained = kubectl(cluster, "explain", "searchjob.spec")
    for name in SearchJobSpec.model_fields:
        field = SearchJobSpec.model_fields[name]
        wire = field.alias or name
        _, found, rest = explained.partition(f"\n  {wire}\t<")
        assert found, wire
        description = " ".join(rest.partition("\n")[2].split("\n\n")[0].split())
        assert " ".join(str(field.description).split()) in description, wire


class TestOnceItHasBegun:
    @pytest.fixture
    def begun(self, kube: Kube, namespace: str) -> str:
        """The namespace of a SearchJob that has begun, as far as its status says."""
        # Once it rests, it is left alone by the operator.
        kube.apply([_changed({"suspend": True})], namespace)
        kube.await_status(*(*_REF, namespace), lambda status: status.get("phase") == "Suspended")
        kube.set_status(*_REF, namespace, {"startTime": "2026-01-01T00:00:00Z"})
        return namespace

    def test_some_things_may_change_and_others_not(self, kube: Kube, begun: str) -> None:
        for spec in MAY_CHANGE.values():
            assert kube.refusal(_changed(spec), begun) is None
        for name, spec in MUST_STAY.items():
            refusal = kube.refusal(_changed(spec), begun)
            assert refusal is not None, name
            (field,) = spec
            assert f"spec.{field} must not change once the search has begun" in refusal

    def test_what_pods_are_like_may_change_while_there_are_none(
        self, kube: Kube, begun: str
    ) -> None:
        for name in ("the executors", "the workers"):
            assert kube.refusal(_changed({**MUST_STAY[name], "suspend": True}), begun) is None

    def test_nor_while_it_is_only_told_to_rest(self, kube: Kube, begun: str) -> None:
        rests = {"type": "Suspended", "status": "False", "reason": "Resumed", "message": "it runs"}
        more = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
        kube.set_status(*_REF, begun, {"conditions": [rests | more]})
        refusal = kube.refusal(_changed({**MUST_STAY["the workers"], "suspend": True}), begun)
        assert refusal is not None
        assert "except while its condition Suspended is True" in refusal


_REF = (GOOD["apiVersion"], GOOD["kind"], GOOD["metadata"]["name"])
