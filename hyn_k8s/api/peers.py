"""Who may reach the pods of a search, as in Kubernetes (networking.k8s.io/v1).

An installation says it once for all searches. What Kubernetes would refuse is refused here, since
otherwise each search would be.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from hyn_k8s.api.placement import LabelSelector
from hyn_k8s.api.schema import ApiModel, Rule
from hyn_k8s.api.values import Short


def _cidr(text: str) -> str:
    if "/" not in text:
        raise ValueError("a block of addresses is written as 10.0.0.0/8")
    ipaddress.ip_network(text, strict=False)
    return text


Cidr = Annotated[Short, AfterValidator(_cidr)]


class IPBlock(ApiModel):
    """A block of addresses."""

    cidr: Cidr
    """The block, as 10.0.0.0/8."""
    excepted: Annotated[list[Cidr] | None, Field(alias="except")] = None
    """Blocks in it that are not meant."""


class NetworkPolicyPeer(ApiModel):
    """Who may reach a search."""

    rules = (
        Rule(
            None,
            "a peer has podSelector, namespaceSelector or both, or else ipBlock",
            lambda self: (
                (self.pod_selector is None and self.namespace_selector is None)
                is (self.ip_block is not None)
            ),
        ),
    )

    pod_selector: LabelSelector | None = None
    """Pods with these labels, of the search's namespace if there is no namespaceSelector."""
    namespace_selector: LabelSelector | None = None
    """Those of namespaces with these labels, all of them if there is no podSelector."""
    ip_block: IPBlock | None = None
    """Whoever has one of these addresses."""

    def to_manifest(self) -> dict[str, Any]:
        """The peer as the API server gives it back: it keeps selectors that are empty, which mean
        all, but nothing empty in them. So one that is there can be compared with one to apply."""
        return {field: _filled(each) for field, each in super().to_manifest().items()}


def _filled(value: Any) -> Any:
    """``value`` without empty lists and objects in it."""
    if isinstance(value, dict):
        return {key: _filled(each) for key, each in value.items() if each not in ({}, [])}
    if isinstance(value, list):
        return [_filled(each) for each in value]
    return value
