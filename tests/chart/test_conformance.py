"""Every object of the chart and of the manifests is one that Kubernetes knows, field by field."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from tests.chart.kubernetes_schemas import write_schemas
from tests.chart.rendering import CHART, Object, Render, objects_of
from tests.kind.go_programs import module_folder
from tests.kind.pins import read_pins

pytestmark = pytest.mark.helm

MANIFESTS = CHART.parents[1] / "manifests"
EVERYTHING: list[dict[str, Any]] = [
    {},
    {
        "searchNamespaces": ["red", "blue"],
        "storage": {"file": {"nfs": {"server": "nfs.example.com", "path": "/export"}}},
        "images": {"pullSecrets": ["pull"]},
        "operator": {"affinity": {"podAntiAffinity": {}}, "nodeSelector": {"pool": "system"}},
        "networkPolicies": {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    },
    {
        "watchNamespaces": ["red"],
        "searchNamespaces": ["red"],
        "storage": {"s3": {"root": "/bucket", "accessKey": "who", "secretKey": "hush"}},
        "daskController": {"tolerations": [{"key": "system", "operator": "Exists"}]},
    },
    {
        # Names that YAML would take for something else.
        "fullnameOverride": "123",
        "watchNamespaces": ["on", "1234"],
        "searchNamespaces": ["1234"],
        "storage": {"file": {"claim": {"storageClassName": "42", "size": "1"}}},
        "images": {"pullSecrets": ["7"]},
        "operator": {"priorityClassName": "1"},
    },
]
KINDS = (
    *("ClusterRole", "ClusterRoleBinding", "ConfigMap", "Deployment", "Job", "Namespace"),
    *("NetworkPolicy", "PersistentVolume", "PersistentVolumeClaim", "Pod", "Role", "RoleBinding"),
    *("Secret", "Service", "ServiceAccount"),
)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of them."""
    folder = tmp_path_factory.mktemp("schemas")
    kubernetes = module_folder("k8s.io/kubernetes", read_pins().kubernetes)
    write_schemas(kubernetes / "api" / "openapi-spec" / "swagger.json", folder, KINDS)
    return folder


def check(kubeconform: str, schemas: pathlib.Path, objects: list[Object]) -> str:
    """What kubeconform finds wrong; empty if nothing is."""
    where = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [kubeconform, "-strict", "-schema-location", where, "-summary"]
    given = yaml.safe_dump_all(objects)
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("values", EVERYTHING)
def test_what_helm_applies(
    render: Render, kubeconform: str, schemas: pathlib.Path, values: dict[str, Any]
) -> None:
    assert check(kubeconform, schemas, list(render(values).objects)) == ""


def test_the_samples_and_what_they_run_on(kubeconform: str, schemas: pathlib.Path) -> None:
    files = [*(MANIFESTS / "samples").glob("*.yaml"), *(MANIFESTS / "dev").glob("*.yaml")]
    objects = [each for file in files for each in objects_of(file.read_text())]
    objects = [each for each in objects if "kind" in each]  # the chart's values have none
    assert len(objects) > 12
    assert check(kubeconform, schemas, objects) == ""


def test_a_field_that_kubernetes_does_not_know_is_found(
    render: Render, kubeconform: str, schemas: pathlib.Path
) -> None:
    deployment = render({}).get("Deployment", "hyn-k8s-operator")
    deployment["spec"]["replica"] = 2
    assert "replica" in check(kubeconform, schemas, [deployment])
