"""Two controllers for one object undo each other's work, so a second one is refused.

What runs already is known by its Deployments: those of this chart say in an annotation whose
searches they look after, those of dask's own chart by the flags of their kopf.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ReleaseError
from hyn_k8s.kube import DEPLOYMENT, Kube, Ref

NAMESPACES_ANNOTATION = "hyn-k8s.dev/namespaces"
"""On the Deployments of a release: the namespaces that it looks after, with commas; empty: all."""

RELEASE_ANNOTATION = "hyn-k8s.dev/release"
"""Beside it: the release's name. Some who deploy charts overwrite the label that says it."""

_NAME = "app.kubernetes.io/name"
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
    problem = conflict(release, ours, dasks_own(kube))
    if problem is not None:
        raise ReleaseError(release.name, problem)


def find_watched(kube: Kube, name: str, namespace: str) -> tuple[str, ...] | None:
    """Whose searches the operator of a release looks after, empty for all; None without one.

    Raises:
        ClusterError: the API server does not tell.
    """
    for each in kube.list(DEPLOYMENT, namespace, {_NAME: "hyn-k8s", _COMPONENT: _OPERATOR}):
        if _annotations(each).get(RELEASE_ANNOTATION) == name:
            return _annotated(each)
    return None


def dasks_own(kube: Kube) -> list[Manifest]:
    """The controllers that dask's own chart has installed."""
    return kube.list(DEPLOYMENT, None, {_NAME: _DASKS_CHART})


def conflict(
    release: Release, ours: Iterable[Mapping[str, Any]], dasks: Iterable[Mapping[str, Any]]
) -> str | None:
    """Why the release cannot be installed beside these Deployments, if it cannot.

    Of another release the operator is told of first: to do without a dask controller of one's own
    would not help beside it.
    """
    others = [each for each in ours if not _is_of(release, each)]
    for each in others:
        shared = _shared(release.watched, _annotated(each))
        if shared is not None and _label(each, _COMPONENT) == _OPERATOR:
            return (
                f"{Ref.to(each)} already runs the searches of {shared}; give each release other "
                "watchNamespaces, or uninstall that one first"
            )
    if not release.has_dask:
        return None
    controllers = [
        (each, _annotated(each)) for each in others if _label(each, _COMPONENT) == _DASK_CONTROLLER
    ]
    controllers += [(each, _watched_by_kopf(each)) for each in dasks]
    for each, watched in controllers:
        shared = _shared(release.watched, watched)
        if shared is not None:
            return (
                f"{Ref.to(each)} is a dask controller for {shared}, and a second one would undo "
                "its work; set daskController.enabled=false to use that one"
            )
    return None


def listed(names: str) -> tuple[str, ...]:
    """The namespaces of a text with commas between."""
    return tuple(name for name in names.split(",") if name)


def _is_of(release: Release, deployment: Mapping[str, Any]) -> bool:
    is_there = deployment["metadata"].get("namespace") == release.namespace
    return is_there and _annotations(deployment).get(RELEASE_ANNOTATION) == release.name


def _label(deployment: Mapping[str, Any], name: str) -> str | None:
    found: str | None = (deployment["metadata"].get("labels") or {}).get(name)
    return found


def _annotated(deployment: Mapping[str, Any]) -> tuple[str, ...]:
    """The namespaces of one of ours; all where it does not say, which is the safe side."""
    return listed(_annotations(deployment).get(NAMESPACES_ANNOTATION, ""))


def _annotations(deployment: Mapping[str, Any]) -> Mapping[str, str]:
    return deployment["metadata"].get("annotations") or {}


def _watched_by_kopf(deployment: Mapping[str, Any]) -> tuple[str, ...]:
    """The namespaces on kopf's command line; empty for all, which is what kopf means by none."""
    found = []
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
            if word in ("-n", "--namespace"):
                found.append(following)
            elif word.startswith("--namespace="):
                found.append(word.removeprefix("--namespace="))
            elif word.startswith("-n"):
                found.append(word.removeprefix("-n"))
    return tuple(found)


def _shared(mine: Sequence[str], theirs: Sequence[str]) -> str | None:
    """The namespaces of both, in words; None if there are none. Theirs may be patterns of kopf."""
    if not mine:
        return ", ".join(theirs) or "all namespaces"
    both = [each for each in mine if not theirs or any(_matches(each, other) for other in theirs)]
    return ", ".join(both) or None


def _matches(namespace: str, pattern: str) -> bool:
    """As kopf reads a pattern: the first of its globs takes in, later ones with ! take out, and
    others back in."""
    globs = [glob.strip() for glob in pattern.split(",")]
    if globs[0].startswith("!"):
        globs.insert(0, "*")
    is_in = is_first_in = fnmatch.fnmatchcase(namespace, globs[0])
    for glob in globs[1:]:
        if fnmatch.fnmatchcase(namespace, glob.removeprefix("!")):
            is_in = is_first_in and not glob.startswith("!")
    return is_in
