"""The NetworkPolicy, whole, and against all that listens in a search."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from pydantic import ValidationError

from hyn_k8s import names
from hyn_k8s.api.peers import NetworkPolicyPeer
from hyn_k8s.api.schema import Manifest
from hyn_k8s.objects import dask_cluster, driver_job, network_policy, report_job
from tests.objects.searches import FULL, LABELS, OWNERS, UID, search

OWN = {"matchLabels": {"hyn-k8s.dev/search-uid": UID}}

OPERATOR: dict[str, Any] = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "hyn-k8s"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/component": "operator"}},
}


def peer(manifest: Manifest) -> NetworkPolicyPeer:
    return NetworkPolicyPeer.model_validate(manifest)


def tcp(*ports: int) -> list[Manifest]:
    return [{"protocol": "TCP", "port": each} for each in ports]


def ports_from(policy: Manifest, peer: Manifest) -> set[int]:
    """The ports at which a policy lets in a peer."""
    rules = [rule for rule in policy["spec"]["ingress"] if peer in rule["from"]]
    return {each["port"] for rule in rules for each in rule["ports"]}


def test_it_lets_in_the_searchs_own_pods_and_the_controllers_where_they_ask() -> None:
    assert network_policy(search(), [peer(OPERATOR)]) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "iris-network",
            "namespace": "team",
            "labels": LABELS,
            "ownerReferences": OWNERS,
        },
        "spec": {
            "podSelector": OWN,
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": OWN}],
                    "ports": tcp(8786, 8787, 8788, 9000, 9001, 8080),
                },
                {"from": [OPERATOR], "ports": tcp(8080, 8787)},
            ],
        },
    }


def test_without_controllers_there_is_no_rule_for_them_which_would_be_for_everybody() -> None:
    (rule,) = network_policy(search(), [])["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": OWN}]


def templates() -> list[Manifest]:
    """The pods of a search that says everything."""
    given = search(**FULL)
    cluster = dask_cluster(given, workers=1)["spec"]
    jobs = [each(given)["spec"]["template"] for each in (driver_job, report_job)]
    return [cluster["scheduler"], cluster["worker"], *jobs]


def containers() -> list[Manifest]:
    return [each for pod in templates() for each in pod["spec"]["containers"]]


def declared(container: Manifest) -> set[int]:
    return {each["containerPort"] for each in container.get("ports", [])}


def listened(container: Manifest) -> set[int]:
    """The ports that its arguments tell a process to listen at."""
    pairs = zip(container["args"], container["args"][1:], strict=False)
    values = [value for flag, value in pairs if re.fullmatch("--(.*port|.*address)", flag)]
    return {int(each.rpartition(":")[2]) for each in values}


def test_whatever_listens_is_declared_and_has_its_rule() -> None:
    ports = {port for each in containers() for port in declared(each)}
    policy = network_policy(search(**FULL), [peer(OPERATOR)])
    assert ports_from(policy, {"podSelector": OWN}) == ports
    for each in containers():
        assert listened(each) <= declared(each), each["name"]
    assert {port for each in containers() for port in listened(each)} == ports - {names.DRIVER_PORT}


def test_the_controllers_reach_progress_and_the_schedulers_api_and_nothing_that_runs_code() -> None:
    ports = ports_from(network_policy(search(), [peer(OPERATOR)]), OPERATOR)
    assert ports == {names.DRIVER_PORT, names.DASHBOARD_PORT}


def test_it_is_around_every_pod_and_its_own_pods_are_all_of_them() -> None:
    policy = network_policy(search(**FULL), [])["spec"]
    for labels in (each["metadata"]["labels"] for each in templates()):
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()


def test_building_one_changes_neither_the_search_nor_another_one() -> None:
    given, controllers = search(**FULL), [peer(OPERATOR)]
    before = copy.deepcopy(given)
    first = network_policy(given, controllers)
    untouched = copy.deepcopy(first)
    spoiled = network_policy(given, controllers)["spec"]
    spoiled["podSelector"]["matchLabels"].clear()
    spoiled["ingress"][0]["from"][0].clear()
    spoiled["ingress"][1]["from"][0]["podSelector"].clear()
    assert given == before
    assert first == network_policy(given, controllers) == untouched


@pytest.mark.parametrize(
    ("given", "back"),
    [
        ({"podSelector": {}}, {"podSelector": {}}),
        ({"podSelector": {"matchLabels": {}, "matchExpressions": []}}, {"podSelector": {}}),
        ({"namespaceSelector": {"matchLabels": {"a": ""}}}, None),
        (
            {
                "podSelector": {
                    "matchExpressions": [{"key": "a", "operator": "Exists", "values": []}]
                }
            },
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
        ),
        ({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}, None),
        ({"ipBlock": {"cidr": "fd00::/8", "except": []}}, {"ipBlock": {"cidr": "fd00::/8"}}),
    ],
)
def test_a_peer_is_as_the_api_server_gives_it_back(given: Manifest, back: Manifest | None) -> None:
    assert peer(given).to_manifest() == (given if back is None else back)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ports": []},
        {"podSelector": None},
        {"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}},
        {"podSelector": {"matchLabels": {"a": "b c"}}},
        {"ipBlock": {"cidr": "10.0.0.1"}},
        {"ipBlock": {"cidr": "10.0.0.0/33"}},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["all"]}},
    ],
)
def test_a_peer_that_kubernetes_would_refuse_is_none(given: Manifest) -> None:
    with pytest.raises(ValidationError):
        peer(given)
