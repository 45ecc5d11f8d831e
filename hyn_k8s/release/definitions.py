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

import yaml
from packaging.version import InvalidVersion, Version

from hyn_k8s.api.crd import definition
from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ReleaseError
from hyn_k8s.kube import CUSTOM_RESOURCE_DEFINITION, DASK_CLUSTER, Kube, Ref
from hyn_k8s.release.conditions import conditions, holding
from hyn_k8s.release.patience import NotYet, until

PACKAGE_ANNOTATION = "hyn-k8s.dev/package"
"""On a definition: the distribution that it came with, and the version of it."""

ESTABLISHED_SECONDS = 60.0
"""How long the API server may take until it serves a new kind."""

_PAUSE_SECONDS = 0.5

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Libyaml's where there is one: the other takes seconds for dask's definitions."""

_DASK = "dask-kubernetes"
_DASKS_FILES = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator/crds"


def read_definitions(with_dask: bool) -> list[Manifest]:
    """Those of this installation, each with the version that it is of."""
    ours = [_of_package(definition(), "hyn-k8s")]
    if not with_dask:
        return ours
    # Not by importing the package, which takes seconds.
    folder = importlib.metadata.distribution(_DASK).locate_file(_DASKS_FILES)
    files = sorted(pathlib.Path(str(folder)).iterdir())
    dasks = [yaml.load(file.read_text(), _Loader) for file in files]  # noqa: S506 - safe, both
    return ours + [_of_package(each, _DASK) for each in dasks]


def apply_definitions(
    kube: Kube,
    with_dask: bool,
    tell: Callable[[str], None],
    dask_runs: bool = False,
    seconds: float = ESTABLISHED_SECONDS,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Have the definitions in the cluster, and wait until it serves their kinds.

    Where dask's own chart runs, for other namespaces (``dask_runs``), the definitions that it has
    brought are its own: they do not say of which version they are.

    Raises:
        ReleaseError: dask's are left to another installation, and there is none; one is being
            deleted; or the API server does not come to serve it.
        ClusterError: the API server refuses them.
    """
    if not with_dask:
        _require_dask(kube)
    kept = [_DASK] if dask_runs else []
    refs = [_apply(kube, each, kept, tell) for each in read_definitions(with_dask)]
    try:
        until(lambda: _check_established(kube, refs), seconds, pause)
    except NotYet as error:
        problem = f"the API server does not serve them after {seconds:.0f} s: {error}"
        raise ReleaseError("CustomResourceDefinitions", problem) from None


def is_newer(found: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether the definition ``found`` in the cluster is of a later version than ``ours``.

    One that does not say so is not: it came by kubectl, or with dask's chart before it went.
    """
    (distribution, mine), (other, theirs) = _package(ours), _package(found)
    if distribution != other:
        return False
    try:
        return Version(theirs) > Version(mine)
    except InvalidVersion:
        return False


def _of_package(manifest: Manifest, distribution: str) -> Manifest:
    package = f"{distribution}=={importlib.metadata.version(distribution)}"
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), PACKAGE_ANNOTATION: package}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


def _package(manifest: Mapping[str, Any]) -> tuple[str, str]:
    annotations = manifest["metadata"].get("annotations") or {}
    distribution, _, version = str(annotations.get(PACKAGE_ANNOTATION, "")).partition("==")
    return distribution, version


def _apply(kube: Kube, manifest: Manifest, kept: Sequence[str], tell: Callable[[str], None]) -> Ref:
    """Apply a definition, unless the one found is newer, or unknown and of those ``kept``."""
    ref = Ref.to(manifest)
    found = kube.get(ref)
    if found is not None and "deletionTimestamp" in found["metadata"]:
        # What is applied to it would go with it.
        problem = "it is being deleted, and with it all objects of its kind; wait until it is gone"
        raise ReleaseError(str(ref), problem)
    if found is not None and is_newer(found, manifest):
        tell(f"{ref.name} stays as it is, of {'=='.join(_package(found))}, which is newer")
    elif found is not None and _package(manifest)[0] in kept and not _package(found)[0]:
        tell(f"{ref.name} stays as it is, of another installation, which runs")
    else:
        kube.apply(manifest)
        tell(f"{ref.name} is of {'=='.join(_package(manifest))}")
    return ref


def _require_dask(kube: Kube) -> None:
    ref = CUSTOM_RESOURCE_DEFINITION.ref(None, "daskclusters.kubernetes.dask.org")
    if kube.get(ref) is None:
        problem = (
            f"it is false, but the cluster does not know the kind {DASK_CLUSTER.name}; "
            "install dask-kubernetes' operator first, or leave it true"
        )
        raise ReleaseError("daskController.enabled", problem)


def _check_established(kube: Kube, refs: Sequence[Ref]) -> None:
    for ref in refs:
        found = kube.get(ref) or {}
        if "Established" not in holding(found):
            said = [each["message"] for each in conditions(found) if each.get("message")]
            raise NotYet("; ".join([f"{ref.name} is not established", *said]))
