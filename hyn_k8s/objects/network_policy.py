"""The NetworkPolicy of a search: who may connect to its pods.

Dask believes whoever reaches its ports, and runs what they send. So a search is reached by its own
pods only, and by the controllers at the two ports where they ask how it does. Probes and
``kubectl port-forward`` come from the node, which no NetworkPolicy keeps out. Where the pods
themselves connect to is not limited: storages and data may be anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hyn_k8s import names
from hyn_k8s.api.peers import NetworkPolicyPeer
from hyn_k8s.api.schema import Manifest
from hyn_k8s.objects.search import Search

_PORTS = (
    *(names.SCHEDULER_PORT, names.DASHBOARD_PORT, names.WORKER_DASHBOARD_PORT),
    *(names.WORKER_PORT, names.NANNY_PORT, names.DRIVER_PORT),
)
"""Everything that containers of a search listen at."""

_ASKED_PORTS = (names.DRIVER_PORT, names.DASHBOARD_PORT)
"""Our operator asks the driver for its progress, dask's controller the scheduler which workers may
go. The driver's metrics are at its port, too."""


def network_policy(search: Search, controllers: Sequence[NetworkPolicyPeer]) -> Manifest:
    """The NetworkPolicy; ``controllers`` are those who may ask from outside of the search."""
    ingress = [_rule([{"podSelector": _own(search)}], _PORTS)]
    if controllers:  # a rule from nobody would be one from everybody
        ingress.append(_rule([each.to_manifest() for each in controllers], _ASKED_PORTS))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": search.metadata(names.network_policy_name(search.name)),
        "spec": {"podSelector": _own(search), "policyTypes": ["Ingress"], "ingress": ingress},
    }


def _own(search: Search) -> Manifest:
    """By the uid: an earlier search of the name is another one."""
    return {"matchLabels": {names.UID_LABEL: search.uid}}


def _rule(peers: list[Manifest], ports: Iterable[int]) -> Manifest:
    return {"from": peers, "ports": [{"protocol": "TCP", "port": each} for each in ports]}
