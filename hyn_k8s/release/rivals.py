"""Two controllers for one object undo each other's work, so a second one is refused.

What runs already is known by its Deployments: those of this chart say in an annotation whose
searches they look after, those of dask's own chart by the flags of their kopf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyn_k8s.errors import ReleaseError
from hyn_k8s.kube import DEPLOYMENT, Kube

NAMESPACES_ANNOTATION = "hyn-k8s.dev/namespaces"
"""On the Deployments of a release: the namespaces that it looks after, with commas; empty: all."""

_NAME, _INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
_COMPONENT = "app.kubernetes.io/component"
_OPERATOR, _DASK_CONTROLLER = "operator", "dask-controller"
_DASKS_CHART = "dask-kubernetes-operator"


@dataclass(frozen=True)
class Release:
    """A release of the chart that is about to be installed."""

    name: str
    namespace: str
    watched: tuple[str, ...]
    """The namespaces that it looks after; empty for all."""
    has_dask: bool
    """Whether it brings dask's controller."""


def find_rivals(kube: Kube, release: Release) -> None:
    """Look for what runs already.

    Raises:
        ReleaseError: something does, for the same namespaces.
        ClusterError: the API server does not tell.
    """
    ours = kube.list(DEPLOYMENT, None, {_NAME: "hyn-k8s"})
    dasks = kube.list(DEPLOYMENT, None, {_NAME: _DASKS_CHART})
    problem = conflict(release, ours, dasks)
    if problem is not None:
        raise ReleaseError(release.name, problem)


def conflict(
    release: Release, ours: Iterable[Mapping[str, Any]], dasks: Iterable[Mapping[str, Any]]
) -> str | None:
    """Why the release cannot be installed beside these Deployments, if it cannot."""
    others = [each for each in ours if not _is_of(release, each)]
    for each in others:
        watched = _split(each["metadata"].get("annotations", {}).get(NAMESPACES_ANNOTATION, ""))
        shared = _shared(release.watched, watched)
        if shared is None:
            continue
        component, where = _label(each, _COMPONENT), _place(each)
        if component == _OPERATOR:
            return (
                f"{where} already runs the searches of {shared}; give each release other "
                "watchNamespaces, or uninstall that one first"
            )
        if component == _DASK_CONTROLLER and release.has_dask:
            return _second_controller(where, shared)
    if release.has_dask:
        for each in dasks:
            shared = _shared(release.watched, _watched_by_kopf(each))
            if shared is not None:
                return _second_controller(_place(each), shared)
    return None


def _second_controller(where: str, shared: str) -> str:
    return (
        f"{where} is a dask controller for {shared}, and a second one would undo its work; "
        "set daskController.enabled=false to use that one"
    )


def _is_of(release: Release, deployment: Mapping[str, Any]) -> bool:
    is_there = deployment["metadata"].get("namespace") == release.namespace
    return is_there and _label(deployment, _INSTANCE) == release.name


def _label(deployment: Mapping[str, Any], name: str) -> str | None:
    found: str | None = (deployment["metadata"].get("labels") or {}).get(name)
    return found


def _place(deployment: Mapping[str, Any]) -> str:
    metadata = deployment["metadata"]
    return f"Deployment {metadata['namespace']}/{metadata['name']}"


def _shared(mine: Sequence[str], theirs: Sequence[str]) -> str | None:
    """The namespaces of both, in words; None if there are none."""
    if not mine and not theirs:
        return "all namespaces"
    both = [each for each in mine or theirs if not theirs or not mine or each in theirs]
    return ", ".join(both) if both else None


def _watched_by_kopf(deployment: Mapping[str, Any]) -> tuple[str, ...]:
    """The namespaces on kopf's command line; empty for all, which is what kopf means by none."""
    found = []
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        words = [*container.get("command", []), *container.get("args", [])]
        for word, following in zip(words, [*words[1:], ""], strict=True):
            if word.startswith("--namespace="):
                found.append(word.removeprefix("--namespace="))
            elif word in ("-n", "--namespace"):
                found.append(following)
    return tuple(found)


def _split(names: str) -> tuple[str, ...]:
    return tuple(name for name in names.split(",") if name)
