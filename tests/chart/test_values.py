"""Every value does what it says: one case for each, and no value without one."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from hyn_k8s.api.chart import Values, values_schema
from hyn_k8s.operator import fixed_namespaces
from hyn_k8s.operator.settings import OperatorSettings
from tests.chart.rendering import CHART, Object, Render, Rendered

pytestmark = pytest.mark.helm

DIGEST = f"sha256:{'0' * 64}"
FILE = {"file": {"claim": {"storageClassName": "rook-cephfs", "size": "10Gi"}}}
NFS = {"file": {"nfs": {"server": "nfs.example.com", "path": "/export"}}}
KEYS = {"secretName": "keys", "accessKeyField": "access", "secretKeyField": "secret"}
TEAMS = {"searchNamespaces": ["red", "blue"]}


def file(**more: Any) -> dict[str, Any]:
    return {"storage": {"file": {"existingClaim": "shared", **more}}}


def nfs(**more: Any) -> dict[str, Any]:
    return {"storage": {"file": {"nfs": {**NFS["file"]["nfs"], **more}}}, **TEAMS}


def s3(**more: Any) -> dict[str, Any]:
    return {"storage": {"s3": {"root": "/bucket/runs", **more}}}


def default_storage(rendered: Rendered) -> dict[str, Any]:
    """The operator's, as the operator reads it."""
    found = OperatorSettings.from_env(rendered.operator_env()).storage
    assert found is not None
    return found.to_manifest()


def containers(rendered: Rendered) -> list[Object]:
    return [container for pod in rendered.pods() for container in pod["containers"]]


def volume(rendered: Rendered) -> Object:
    return dict(rendered.get("PersistentVolume", "hyn-k8s-red")["spec"])


def options(rendered: Rendered) -> dict[str, Any]:
    secret = rendered.get("Secret", "hyn-k8s-storage")
    found: dict[str, Any] = json.loads(secret["stringData"]["HYN_STORAGE_OPTIONS"])
    return found


GIVEN = {**s3(accessKey="who", secretKey="hush", endpoint="http://minio:9000")["storage"]["s3"]}

Check = Callable[[Rendered], object]

CASES: dict[str, tuple[dict[str, Any], Check]] = {
    "fullnameOverride": (
        {"fullnameOverride": "searches"},
        lambda r: (
            {each["metadata"]["name"] for each in r.all("Deployment")}
            == {"searches-operator", "searches-dask-controller"}
        ),
    ),
    "images.registry": (
        {"images": {"registry": "mirror.example.com:5000/x"}, **TEAMS, **file()},
        lambda r: (
            all(c["image"].startswith("mirror.example.com:5000/x/") for c in containers(r))
            and r.operator_env()["HYN_OPERATOR_IMAGE"].startswith(
                "mirror.example.com:5000/x/hyn-k8s/"
            )
        ),
    ),
    "images.pullPolicy": (
        {"images": {"pullPolicy": "Always"}, **TEAMS, **file()},
        lambda r: (
            {c["imagePullPolicy"] for c in containers(r)} == {"Always"}
            and OperatorSettings.from_env(r.operator_env()).image_pull_policy == "Always"
        ),
    ),
    "images.pullSecrets": (
        {"images": {"pullSecrets": ["a", "b"]}, **TEAMS, **file()},
        lambda r: (
            all(p["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}] for p in r.pods())
            and OperatorSettings.from_env(r.operator_env()).image_pull_secrets == ("a", "b")
        ),
    ),
    "images.operator.repository": (
        {"images": {"operator": {"repository": "our/operator"}}},
        lambda r: {c["image"] for c in containers(r)} == {"our/operator:0.1.0"},
    ),
    "images.operator.tag": (
        {"images": {"operator": {"tag": "t1"}}},
        lambda r: {c["image"] for c in containers(r)} == {"hyn-k8s/operator:t1"},
    ),
    "images.operator.digest": (
        {"images": {"operator": {"digest": DIGEST}}},
        lambda r: {c["image"] for c in containers(r)} == {f"hyn-k8s/operator@{DIGEST}"},
    ),
    "images.runtime.digest": (
        {"images": {"runtime": {"digest": DIGEST, "tag": "no"}}},
        lambda r: r.operator_env()["HYN_OPERATOR_IMAGE"] == f"hyn-k8s/runtime@{DIGEST}",
    ),
    "images.runtime.repository": (
        {"images": {"runtime": {"repository": "our/runtime"}}},
        lambda r: r.operator_env()["HYN_OPERATOR_IMAGE"] == "our/runtime:0.1.0",
    ),
    "images.runtime.tag": (
        {"images": {"runtime": {"tag": "t2"}}},
        lambda r: r.operator_env()["HYN_OPERATOR_IMAGE"] == "hyn-k8s/runtime:t2",
    ),
    "watchNamespaces": (
        {"watchNamespaces": ["red", "blue"]},
        lambda r: (
            OperatorSettings.from_env(r.operator_env()).namespaces == ("red", "blue")
            and r.controller("dask-controller")["containers"][0]["args"][-6:]
            == [
                *("--module", fixed_namespaces.__name__),
                *("--namespace", "red"),
                *("--namespace", "blue"),
            ]
        ),
    ),
    "searchNamespaces": (
        {"storage": FILE, **TEAMS},
        lambda r: (
            {c["metadata"]["namespace"] for c in r.all("PersistentVolumeClaim")} == {"red", "blue"}
        ),
    ),
    "storage.file.mountPath": (
        file(mountPath="/mnt/all"),
        lambda r: default_storage(r)["file"]["mountPath"] == "/mnt/all",
    ),
    "storage.file.root": (file(root=""), lambda r: default_storage(r)["file"]["root"] == ""),
    "storage.file.existingClaim": (
        file(),
        lambda r: (
            default_storage(r)
            == {"file": {"claimName": "shared", "mountPath": "/opt/share", "root": "hypernets"}}
            and not r.all("PersistentVolumeClaim")
        ),
    ),
    "storage.file.nfs.server": (nfs(), lambda r: volume(r)["nfs"]["server"] == "nfs.example.com"),
    "storage.file.nfs.path": (nfs(), lambda r: volume(r)["nfs"]["path"] == "/export"),
    "storage.file.nfs.mountOptions": (
        nfs(mountOptions=["hard"]),
        lambda r: volume(r)["mountOptions"] == ["hard"],
    ),
    "storage.file.claim.storageClassName": (
        {"storage": FILE, **TEAMS},
        lambda r: (
            {c["spec"]["storageClassName"] for c in r.all("PersistentVolumeClaim")}
            == {"rook-cephfs"}
        ),
    ),
    "storage.file.claim.size": (
        {"storage": FILE, **TEAMS},
        lambda r: (
            {c["spec"]["resources"]["requests"]["storage"] for c in r.all("PersistentVolumeClaim")}
            == {"10Gi"}
        ),
    ),
    "storage.s3.root": (s3(), lambda r: default_storage(r) == {"s3": {"root": "/bucket/runs"}}),
    "storage.s3.endpoint": (
        s3(endpoint="http://minio:9000"),
        lambda r: default_storage(r)["s3"]["endpoint"] == "http://minio:9000",
    ),
    "storage.s3.region": (
        s3(region="eu-1"),
        lambda r: default_storage(r)["s3"]["region"] == "eu-1",
    ),
    "storage.s3.secretName": (
        s3(**KEYS),
        lambda r: default_storage(r)["s3"]["secretName"] == "keys" and not r.all("Secret"),
    ),
    "storage.s3.accessKeyField": (
        s3(**KEYS),
        lambda r: default_storage(r)["s3"]["accessKeyField"] == "access",
    ),
    "storage.s3.secretKeyField": (
        s3(**KEYS),
        lambda r: default_storage(r)["s3"]["secretKeyField"] == "secret",
    ),
    "storage.s3.optionsField": (
        s3(secretName="keys", optionsField="all"),
        lambda r: default_storage(r)["s3"]["optionsField"] == "all",
    ),
    "storage.s3.options": (
        s3(options={"config_kwargs": {"s3": {"addressing_style": "path"}}}),
        lambda r: (
            default_storage(r)["s3"]["options"]["config_kwargs"]
            == {"s3": {"addressing_style": "path"}}
        ),
    ),
    "storage.s3.caBundle.configMapName": (
        s3(caBundle={"configMapName": "authorities"}),
        lambda r: default_storage(r)["s3"]["caBundle"]["configMapName"] == "authorities",
    ),
    "storage.s3.caBundle.key": (
        s3(caBundle={"configMapName": "authorities", "key": "ca.pem"}),
        lambda r: default_storage(r)["s3"]["caBundle"]["key"] == "ca.pem",
    ),
    "storage.s3.accessKey": (
        {"storage": {"s3": GIVEN}, "searchNamespaces": ["red"]},
        lambda r: (
            options(r)
            == {
                "client_kwargs": {
                    "endpoint_url": "http://minio:9000",
                    "aws_access_key_id": "who",
                    "aws_secret_access_key": "hush",
                }
            }
        ),
    ),
    "storage.s3.secretKey": (
        {"storage": {"s3": GIVEN}, "searchNamespaces": ["red"]},
        lambda r: (
            "hush" not in json.dumps([o for o in r.objects if o["kind"] != "Secret"])
            and default_storage(r)
            == {
                "s3": {
                    "root": "/bucket/runs",
                    "endpoint": "http://minio:9000",
                    "secretName": "hyn-k8s-storage",
                    "accessKeyField": "HYN_STORAGE_ACCESS_KEY",
                    "secretKeyField": "HYN_STORAGE_SECRET_KEY",
                }
            }
        ),
    ),
    "daskController.enabled": (
        {"daskController": {"enabled": False}},
        lambda r: (
            not any("dask-controller" in each["metadata"]["name"] for each in r.objects)
            and "--dask-controller" not in prepare_args(r)
        ),
    ),
    "daskController.namespace": (
        {"daskController": {"enabled": False, "namespace": "dask"}},
        lambda r: (
            peers(r)[-1]["namespaceSelector"]["matchLabels"]
            == {"kubernetes.io/metadata.name": "dask"}
        ),
    ),
    "crds.install": (
        {"crds": {"install": False}},
        lambda r: "--definitions" not in prepare_args(r),
    ),
    "networkPolicies.enabled": (
        {"networkPolicies": {"enabled": False}},
        lambda r: (
            not r.all("NetworkPolicy") and "HYN_OPERATOR_NETWORK_POLICY" not in r.operator_env()
        ),
    ),
    "networkPolicies.from": (
        {"networkPolicies": {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
        lambda r: peers(r)[-1] == {"ipBlock": {"cidr": "10.0.0.0/8"}} and len(peers(r)) == 2,
    ),
    "global": ({"global": {"of": "an umbrella"}}, lambda r: r.all("Deployment")),
}


def controller_cases(section: str, component: str) -> dict[str, tuple[dict[str, Any], Check]]:
    """The cases of a controller's pod."""
    limits = {"requests": {"cpu": "1", "memory": "192Mi"}, "limits": {"memory": "512Mi"}}
    nobody: Object = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    of_the_pod: dict[str, Any] = {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists"}],
        "affinity": nobody,
        "priorityClassName": "system-cluster-critical",
    }

    def is_in_pod(rendered: Rendered, field: str) -> bool:
        return bool(rendered.controller(component)[field] == of_the_pod[field])

    def is_in_metadata(rendered: Rendered, field: str) -> bool:
        deployment = rendered.get("Deployment", f"hyn-k8s-{component}")
        return bool(deployment["spec"]["template"]["metadata"][field]["team"] == "red")

    def account(rendered: Rendered) -> Object:
        return dict(rendered.get("ServiceAccount", f"hyn-k8s-{component}")["metadata"])

    cases: dict[str, tuple[dict[str, Any], Check]] = {
        field: ({section: {field: value}}, functools.partial(is_in_pod, field=field))
        for field, value in of_the_pod.items()
    }
    cases["resources"] = (
        {section: {"resources": limits}},
        lambda r: r.controller(component)["containers"][0]["resources"] == limits,
    )
    for field in ("labels", "annotations"):
        cases[field] = (
            {section: {field: {"team": "red"}}},
            functools.partial(is_in_metadata, field=field),
        )
    cases["serviceAccountAnnotations"] = (
        {section: {"serviceAccountAnnotations": {"role": "reader"}}},
        lambda r: account(r)["annotations"] == {"role": "reader"},
    )
    return {f"{section}.{field}": case for field, case in cases.items()}


CASES |= controller_cases("operator", "operator")
CASES |= controller_cases("daskController", "dask-controller")


def prepare_args(rendered: Rendered) -> list[str]:
    job = rendered.get("Job", "hyn-k8s-prepare")
    return list(job["spec"]["template"]["spec"]["containers"][0]["args"])


def peers(rendered: Rendered) -> list[Object]:
    found: list[Object] = json.loads(rendered.operator_env()["HYN_OPERATOR_NETWORK_POLICY"])
    return found


KUBERNETES_OWN = ("resources", "affinity", "tolerations", "options", "from")
"""Values whose inside is Kubernetes' or s3fs' and not the chart's."""


def paths(schema: dict[str, Any], before: str = "") -> list[str]:
    """Every value that the schema knows, as Helm's --set writes it."""
    found = []
    for name, each in schema["properties"].items():
        path = f"{before}{name}"
        has_parts = "properties" in each and name not in KUBERNETES_OWN
        found += paths(each, f"{path}.") if has_parts else [path]
    return found


def test_every_value_has_its_case() -> None:
    assert sorted(paths(values_schema())) == sorted(CASES)


def test_a_second_file_of_values_may_choose_another_storage(render: Render) -> None:
    rendered = render({"storage": {"file": None, "s3": {"root": "/bucket/runs"}}})
    assert default_storage(rendered) == {"s3": {"root": "/bucket/runs"}}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_value_does_what_it_says(render: Render, case: tuple[dict[str, Any], Check]) -> None:
    values, holds = case
    assert holds(render(values))


def test_the_defaults_are_those_of_the_types() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert defaults == Values().to_manifest()


def test_the_schema_is_fresh() -> None:
    text = (CHART / "values.schema.json").read_text()
    assert json.loads(text) == values_schema(), (
        "run: python -m hyn_k8s.api values-schema > charts/hyn-k8s/values.schema.json"
    )
