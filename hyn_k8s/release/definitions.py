"""The CustomResourceDefinitions: ours, and dask's, which come with dask-kubernetes.

They belong to the cluster and not to a release: several releases share them, they stay when the
last one goes, and with them all SearchJobs. An older release leaves those of a newer one alone, or
the API server would drop fields that it no longer knows.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import stamina
import yaml
from packaging.version import Version

from hyn_k8s.api.crd import definition
from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ReleaseError
from hyn_k8s.kube import CUSTOM_RESOURCE_DEFINITION, DASK_CLUSTER, Kube, Ref

PACKAGE_ANNOTATION = "hyn-k8s.dev/package"
"""On a definition: the distribution that it came with, and the version of it."""

ESTABLISHED_SECONDS = 60.0
"""How long the API server may take until it serves a new kind."""

_DASKS = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator/crds"


class _NotYet(Exception):
    """The API server does not serve a kind yet."""


def read_definitions(with_dask: bool) -> list[Manifest]:
    """Those of this installation, each with the version that it is of."""
    ours = [_of_package(definition(), "hyn-k8s")]
    if not with_dask:
        return ours
    # Not by importing the package, which takes seconds.
    folder = importlib.metadata.distribution("dask-kubernetes").locate_file(_DASKS)
    files = sorted(pathlib.Path(str(folder)).iterdir())
    dasks = [yaml.safe_load(file.read_text()) for file in files]
    return ours + [_of_package(each, "dask-kubernetes") for each in dasks]


def apply_definitions(kube: Kube, with_dask: bool, tell: Callable[[str], None]) -> None:
    """Have the definitions in the cluster, and wait until it serves their kinds.

    Raises:
        ReleaseError: dask's are left to another installation, and there is none.
        ClusterError: the API server refuses them.
    """
    if not with_dask:
        _require_dask(kube)
    refs = [_apply(kube, each, tell) for each in read_definitions(with_dask)]
    for attempt in stamina.retry_context(
        on=_NotYet, attempts=None, timeout=ESTABLISHED_SECONDS, wait_initial=0.2, wait_max=2.0
    ):
        with attempt:
            _check_established(kube, refs)


def is_older(ours: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether the definition ``found`` in the cluster is of a newer version than ``ours``."""
    if found is None:
        return False
    mine, theirs = _package(ours), _package(found)
    return mine[0] == theirs[0] and Version(mine[1]) < Version(theirs[1])


def _of_package(manifest: Manifest, distribution: str) -> Manifest:
    package = f"{distribution}=={importlib.metadata.version(distribution)}"
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), PACKAGE_ANNOTATION: package}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


def _package(manifest: Mapping[str, Any]) -> tuple[str, str]:
    annotations = manifest["metadata"].get("annotations") or {}
    distribution, _, version = str(annotations.get(PACKAGE_ANNOTATION, "")).partition("==")
    return distribution, version


def _apply(kube: Kube, manifest: Manifest, tell: Callable[[str], None]) -> Ref:
    ref = Ref.to(manifest)
    found = kube.get(ref)
    if is_older(manifest, found):
        assert found is not None
        tell(f"{ref.name} stays as it is, of {'=='.join(_package(found))}, which is newer")
    else:
        kube.apply(manifest)
        tell(f"{ref.name} is of {'=='.join(_package(manifest))}")
    return ref


def _require_dask(kube: Kube) -> None:
    ref = CUSTOM_RESOURCE_DEFINITION.ref(None, "daskclusters.kubernetes.dask.org")
    if kube.get(ref) is None:
        problem = (
            f"daskController.enabled is false, but the cluster has no {DASK_CLUSTER.name}s; "
            "install dask-kubernetes' operator first, or leave daskController.enabled true"
        )
        raise ReleaseError("hyn-k8s", problem)


def _check_established(kube: Kube, refs: Sequence[Ref]) -> None:
    for ref in refs:
        conditions = ((kube.get(ref) or {}).get("status") or {}).get("conditions") or []
        if {"type": "Established", "status": "True"} not in [
            {"type": each["type"], "status": each["status"]} for each in conditions
        ]:
            raise _NotYet(f"{ref} is not established")
