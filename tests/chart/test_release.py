"""What is installed: pods that pass Pod Security, rights of no more than is needed, ports."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest

from hyn_k8s.api.search_job import SearchJob
from tests.chart.rendering import CHART, KUBERNETES, Object, Render
from tests.chart.rendering import render as render_as
from tests.objects.pod_security import violations

pytestmark = pytest.mark.helm

ALL: dict[str, Any] = {
    "searchNamespaces": ["red"],
    "storage": {"file": {"nfs": {"server": "nfs.example.com", "path": "/export"}}},
    "images": {"pullSecrets": ["pull"]},
}


def test_helm_finds_nothing_wrong(helm: str) -> None:
    command = [helm, "lint", "--strict", str(CHART), "--kube-version", KUBERNETES]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


@pytest.mark.parametrize("values", [{}, ALL], ids=["default", "all"])
def test_every_pod_passes_pod_security_restricted(render: Render, values: dict[str, Any]) -> None:
    pods = list(render(values).pods())
    assert len(pods) >= 4
    for pod in pods:
        assert violations(pod) == []
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["resources"]["requests"]


def rules(role: Object) -> set[tuple[str, str, str]]:
    """Each thing that a role allows: group, resource, verb."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_no_role_has_a_wildcard_and_none_reads_secrets(render: Render) -> None:
    rendered = render(ALL)
    roles = rendered.all("ClusterRole") + rendered.all("Role")
    assert roles
    for role in roles:
        for rule in rules(role):
            assert "*" not in rule
            assert rule[1] != "secrets"


def test_with_watch_namespaces_there_are_roles_in_these_and_nothing_of_the_cluster(
    render: Render,
) -> None:
    rendered = render({"watchNamespaces": ["red", "blue"], "crds": {"install": False}})
    assert rendered.all("ClusterRole") == []
    assert rendered.all("ClusterRoleBinding") == []
    for name in ("hyn-system-hyn-k8s-operator", "hyn-system-hyn-k8s-dask-controller"):
        roles = [r for r in rendered.all("Role") if r["metadata"]["name"] == name]
        assert {role["metadata"]["namespace"] for role in roles} == {"red", "blue"}
        for role in roles:
            assert not any(r in {"namespaces", "customresourcedefinitions"}
                           for _, r, _ in rules(role))  # fmt: skip


def test_who_may_edit_or_view_a_namespace_may_do_so_with_its_searches(render: Render) -> None:
    rendered = render({})
    edits = rendered.get("ClusterRole", "hyn-system-hyn-k8s-searchjobs-edit")
    views = rendered.get("ClusterRole", "hyn-system-hyn-k8s-searchjobs-view")
    assert edits["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert views["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert {resource for role in (edits, views) for _, resource, _ in rules(role)} == {"searchjobs"}
    assert {verb for _, _, verb in rules(views)} == {"get", "list", "watch"}


def test_only_the_hook_may_write_definitions_and_only_ours_and_dasks(render: Render) -> None:
    rendered = render({"watchNamespaces": ["red"]})
    (role,) = rendered.all("ClusterRole")
    assert role["metadata"]["name"] == "hyn-system-hyn-k8s-prepare"
    assert role["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (rule,) = [r for r in role["rules"] if "patch" in r["verbs"]]
    assert all(name.endswith((".hyn-k8s.dev", ".kubernetes.dask.org"))
               for name in rule["resourceNames"])  # fmt: skip


def test_two_releases_share_no_name(render: Render) -> None:
    """Each in its namespace; what is of the cluster must differ by the release's namespace."""
    found = {(o["kind"], o["metadata"]["name"]) for o in render({}).objects
             if "namespace" not in o["metadata"]}  # fmt: skip
    assert found
    assert all(name.startswith("hyn-system-") for _, name in found)


@pytest.mark.parametrize(
    "release", ["hyn-k8s", "9.lives", "release-names-have-at-most-fifty-three-character-by.1"]
)
def test_the_search_of_helm_test_has_a_name_that_searchjobs_may_have(
    helm: str, release: str
) -> None:
    rendered = render_as(helm, ALL, release)
    (search,) = rendered.all("SearchJob")
    SearchJob.model_validate(search)
    (pod,) = rendered.all("Pod")
    assert pod["metadata"]["name"] == search["metadata"]["name"], "as helm test --logs has it"


def test_data_outlive_the_release(render: Render) -> None:
    rendered = render(ALL)
    kept = [*rendered.all("PersistentVolumeClaim"), *rendered.all("PersistentVolume")]
    assert len(kept) == 2
    for each in kept:
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert kept[1]["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def test_the_version_is_that_of_the_package() -> None:
    import yaml

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (pathlib.Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project
    assert chart["version"] == chart["appVersion"]
