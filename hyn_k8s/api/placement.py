"""Where a pod runs: tolerations and affinity, as in Kubernetes (core/v1).

Whatever Kubernetes would refuse in the pods of a worker is refused here, at apply: dask's
controller makes those pods, and only its log would tell.
"""

from __future__ import annotations

import enum
import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hyn_k8s.api.schema import ApiModel, Rule
from hyn_k8s.api.values import LabelKey, LabelValue, Short


class TolerationOperator(enum.StrEnum):
    """How a toleration's value is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(enum.StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(ApiModel):
    """A taint of a node that the pod puts up with."""

    rules = (
        Rule(
            "(has(self.key) && self.key != '') || "
            "(has(self.operator) && self.operator == 'Exists')",
            "a toleration without key needs operator Exists",
            lambda self: bool(self.key) or self.operator is TolerationOperator.EXISTS,
        ),
        Rule(
            "!(has(self.operator) && self.operator == 'Exists') || "
            "!has(self.value) || self.value == ''",
            "a toleration with operator Exists has no value",
            lambda self: self.operator is not TolerationOperator.EXISTS or not self.value,
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds needs effect NoExecute",
            lambda self: self.toleration_seconds is None or self.effect is TaintEffect.NO_EXECUTE,
        ),
    )

    key: Short | None = None
    """The taint's key; every key where it is missing, with operator Exists."""
    operator: TolerationOperator | None = None
    """Exists, or Equal, which is the default."""
    value: Short | None = None
    """The taint's value."""
    effect: TaintEffect | None = None
    """The taint's effect; every effect where it is missing."""
    toleration_seconds: int | None = None
    """How long a NoExecute taint is tolerated, in seconds."""


class SelectorOperator(enum.StrEnum):
    """How the values of a label are compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


_LISTING = (SelectorOperator.IN, SelectorOperator.NOT_IN)
_COMPARING = (SelectorOperator.GREATER, SelectorOperator.LESS)


def _values_fit(requirement: Any) -> bool:
    values = requirement.values or []
    if requirement.operator in _LISTING:
        return bool(values)
    if requirement.operator in _COMPARING:
        return len(values) == 1 and re.fullmatch(r"-?[0-9]+", values[0]) is not None
    return not values


class Requirement(ApiModel):
    """What a label has to be like."""

    rules = (
        Rule(
            "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : "
            "self.operator in ['Gt', 'Lt'] ? has(self.values) && self.values.size() == 1 && "
            "self.values[0].matches('^-?[0-9]+$') : !has(self.values) || self.values.size() == 0",
            "In and NotIn need values, Gt and Lt need one whole number, Exists and DoesNotExist "
            "have none",
            _values_fit,
        ),
    )

    key: LabelKey
    """The label's key."""
    operator: SelectorOperator
    """How its value is compared; Gt and Lt for nodes only."""
    values: Annotated[list[Short] | None, Field(max_length=64)] = None
    """What it is compared with."""


def _is_node_name(requirement: Requirement) -> bool:
    return (
        requirement.key == "metadata.name"
        and requirement.operator in _LISTING
        and len(requirement.values or []) == 1
    )


class NodeSelectorTerm(ApiModel):
    """Nodes that satisfy all of these."""

    rules = (
        Rule(
            "!has(self.matchFields) || self.matchFields.all(each, each.key == 'metadata.name' && "
            "each.operator in ['In', 'NotIn'] && has(each.values) && each.values.size() == 1)",
            "matchFields knows metadata.name only, In or NotIn one value",
            lambda self: all(map(_is_node_name, self.match_fields or [])),
        ),
    )

    match_expressions: Annotated[list[Requirement] | None, Field(max_length=16)] = None
    """Of their labels."""
    match_fields: Annotated[list[Requirement] | None, Field(max_length=16)] = None
    """Of their fields: metadata.name."""


class NodeSelector(ApiModel):
    """Nodes that satisfy one of these."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], Field(min_length=1, max_length=16)]
    """The alternatives."""


class PreferredNodes(ApiModel):
    """Nodes that are preferred."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """How much they count."""
    preference: NodeSelectorTerm
    """Which nodes."""


class NodeAffinity(ApiModel):
    """On which nodes the pod runs."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """On these only."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredNodes] | None, Field(max_length=16)
    ] = None
    """On these rather."""


class LabelSelector(ApiModel):
    """Pods with these labels."""

    rules = (
        Rule(
            "!has(self.matchExpressions) || "
            "self.matchExpressions.all(each, !(each.operator in ['Gt', 'Lt']))",
            "Gt and Lt are for nodes only",
            lambda self: all(
                each.operator not in _COMPARING for each in self.match_expressions or []
            ),
        ),
    )

    match_labels: Annotated[dict[str, LabelValue] | None, Field(max_length=16)] = None
    """Labels and their values."""
    match_expressions: Annotated[list[Requirement] | None, Field(max_length=16)] = None
    """Further conditions."""


class PodAffinityTerm(ApiModel):
    """Pods, and what being near to them means."""

    label_selector: LabelSelector | None = None
    """Which pods, of the same namespace."""
    topology_key: Annotated[str, StringConstraints(min_length=1, max_length=317)]
    """The label of nodes that are near to each other if they share its value."""


class WeightedPodAffinityTerm(ApiModel):
    """Pods near to which it is preferred to be, or not to be."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """How much it counts."""
    pod_affinity_term: PodAffinityTerm
    """Which pods."""


class PodAffinity(ApiModel):
    """Near to which pods, or away from which, the pod runs."""

    required_during_scheduling_ignored_during_execution: Annotated[
        list[PodAffinityTerm] | None, Field(max_length=16)
    ] = None
    """These without exception."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm] | None, Field(max_length=16)
    ] = None
    """These if possible."""


class Affinity(ApiModel):
    """Where the pod runs."""

    node_affinity: NodeAffinity | None = None
    """On which nodes."""
    pod_affinity: PodAffinity | None = None
    """Near to which pods."""
    pod_anti_affinity: PodAffinity | None = None
    """Away from which pods."""
