"""What a user may say about the pods of a search: a narrow part of Kubernetes' own pod.

Only what Kubernetes and the older schema inside dask's DaskCluster both know, so that nothing a
user writes is dropped on the way to a pod; and nothing that would let a pod leave Pod Security
``restricted``. Names and meanings are those of Kubernetes (core/v1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field
from pydantic.alias_generators import to_camel

from hyn_k8s.api.placement import Affinity, Toleration
from hyn_k8s.api.schema import ApiModel, Quantity, Rule, amount, listed_by
from hyn_k8s.api.values import LABEL_KEY, LabelValue, ObjectName, Text
from hyn_k8s.api.volumes import Volume, VolumeMount


def _requests_fit(resources: Any) -> bool:
    requests, limits = resources.requests or {}, resources.limits or {}
    return all(
        amount(requests[each]) <= amount(limits[each]) for each in requests if each in limits
    )


class Resources(ApiModel):
    """What a container asks for and may use at most."""

    rules = (
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(each, "
            "!(each in self.limits) || quantity(string(self.limits[each])).compareTo("
            "quantity(string(self.requests[each]))) >= 0)",
            "requests must not be greater than limits",
            _requests_fit,
        ),
    )

    requests: Annotated[dict[str, Quantity] | None, Field(max_length=16)] = None
    """What the scheduler reserves, by resource: cpu, memory, nvidia.com/gpu."""
    limits: Annotated[dict[str, Quantity] | None, Field(max_length=16)] = None
    """The most it gets, by resource."""


class PullSecret(ApiModel):
    """A Secret with which images are pulled."""

    name: ObjectName
    """Its name."""


OWN_PREFIXES = (
    *("dask.org/", "hyn-k8s.dev/", "sidecar.istio.io/", "kopf."),
    *("batch.kubernetes.io/", "controller-uid", "job-name", "pod-template-hash"),
)
"""Beginnings of labels and annotations by which controllers recognize what is theirs."""


def _are_free(keys: Iterable[str] | None) -> bool:
    return not any(key.startswith(OWN_PREFIXES) for key in keys or ())


def _are_keys(keys: Iterable[str] | None) -> bool:
    return all(re.fullmatch(LABEL_KEY, key) for key in keys or ())


def _named(field: str) -> Rule:
    name = to_camel(field)
    return Rule(
        f"!has(self.{name}) || self.{name}.all(key, key.matches('^{LABEL_KEY}$'))",
        f"keys of {name} are names such as team or example.com/team",
        lambda self: _are_keys(getattr(self, field)),
        name,
    )


def _mounts_fit(settings: Any) -> bool:
    names = {volume.name for volume in settings.volumes or []}
    return all(mount.name in names for mount in settings.volume_mounts or [])


_FREE = " && ".join(f"!key.startsWith('{prefix}')" for prefix in OWN_PREFIXES)
_TAKEN = f"must not begin with {', '.join(OWN_PREFIXES)}: controllers tell their objects by these"


class PodSettings(ApiModel):
    """What the pods of one role are given in addition."""

    rules = (
        Rule(
            f"!has(self.labels) || self.labels.all(key, {_FREE})",
            f"keys of labels {_TAKEN}",
            lambda self: _are_free(self.labels),
            "labels",
        ),
        Rule(
            f"!has(self.annotations) || self.annotations.all(key, {_FREE})",
            f"keys of annotations {_TAKEN}",
            lambda self: _are_free(self.annotations),
            "annotations",
        ),
        Rule(
            "!has(self.volumeMounts) || (has(self.volumes) && self.volumeMounts.all(mount, "
            "self.volumes.exists(volume, volume.name == mount.name)))",
            "each of volumeMounts must name one of volumes",
            _mounts_fit,
            "volumeMounts",
        ),
        *(_named(name) for name in ("labels", "annotations", "node_selector")),
    )

    resources: Resources | None = None
    """What each container asks for and may use at most."""
    node_selector: Annotated[dict[str, LabelValue] | None, Field(max_length=16)] = None
    """Labels of the nodes they may run on."""
    tolerations: Annotated[list[Toleration] | None, Field(max_length=16)] = None
    """Taints of nodes that they put up with."""
    affinity: Affinity | None = None
    """Where they run, in detail."""
    priority_class_name: ObjectName | None = None
    """Their priority."""
    volumes: list[Volume] | None = listed_by("name", max_length=16)
    """Further volumes."""
    volume_mounts: list[VolumeMount] | None = listed_by("mountPath", max_length=16)
    """Where these are mounted."""
    labels: Annotated[dict[str, LabelValue] | None, Field(max_length=32)] = None
    """Further labels."""
    annotations: Annotated[dict[str, Text] | None, Field(max_length=32)] = None
    """Further annotations."""
    image_pull_secrets: list[PullSecret] | None = listed_by("name", max_length=8)
    """Secrets with which their images are pulled."""
    runtime_class_name: ObjectName | None = None
    """The container runtime that runs them."""
