"""What dask's own chart installs is recognized as a second controller."""

from __future__ import annotations

import importlib.metadata
import subprocess

import pytest

from hyn_k8s.release.rivals import Release, conflict
from tests.chart.rendering import KUBERNETES, Object, objects_of

pytestmark = pytest.mark.helm

CHART = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator"
EVERYWHERE: tuple[str, ...] = ()


def installed(helm: str, *flags: str) -> list[Object]:
    """The Deployments of dask's chart, as they come with the wheel."""
    chart = str(importlib.metadata.distribution("dask-kubernetes").locate_file(CHART))
    command = [helm, "template", "theirs", chart, "--namespace", "dask", *flags]
    command += ["--kube-version", KUBERNETES]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = objects_of(text)
    deployments = [each for each in found if each["kind"] == "Deployment"]
    for each in deployments:  # which the chart leaves to helm's flag
        each["metadata"].setdefault("namespace", "dask")
    return deployments


def test_for_all_namespaces(helm: str) -> None:
    problem = conflict(
        Release("hyn-k8s", "hyn-system", EVERYWHERE, has_dask=True), [], installed(helm)
    )
    assert problem is not None
    assert "dask/theirs-dask-kubernetes-operator is a dask controller" in problem
    assert "set daskController.enabled=false to use that one" in problem


def test_for_one_that_is_not_ours(helm: str) -> None:
    theirs = installed(helm, "--set", "kopfArgs={--namespace=green}")
    release = Release("hyn-k8s", "hyn-system", ("red", "blue"), has_dask=True)
    assert conflict(release, [], theirs) is None
    release = Release("hyn-k8s", "hyn-system", ("red", "green"), has_dask=True)
    assert "for green" in str(conflict(release, [], theirs))


def test_without_a_controller_of_our_own_it_is_welcome(helm: str) -> None:
    release = Release("hyn-k8s", "hyn-system", EVERYWHERE, has_dask=False)
    assert conflict(release, [], installed(helm)) is None
