"""What is asked for in the environment, and what is said when it cannot be had."""

from __future__ import annotations

import pytest
import yaml

from tests.kind.choice import ChoiceError, Way, choose, official_node
from tests.kind.images import ROOT
from tests.kind.pins import read_pins

EXISTING = {
    "HYN_E2E_KUBECONFIG": "/home/me/.kube/config",
    "HYN_E2E_REGISTRY": "registry.example/hyn-k8s",
    "HYN_E2E_STORAGE_CLASS": "cephfs",
}


def test_a_kubeconfig_means_that_cluster() -> None:
    assert choose(read_pins(), EXISTING) is Way.EXISTING


@pytest.mark.parametrize("missing", ["HYN_E2E_REGISTRY", "HYN_E2E_STORAGE_CLASS"])
def test_what_an_existing_cluster_needs_is_named(missing: str) -> None:
    environ = {name: value for name, value in EXISTING.items() if name != missing}
    with pytest.raises(ChoiceError, match=f"tested with {missing} set"):
        choose(read_pins(), environ)


def test_a_way_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ChoiceError) as caught:
        choose(read_pins(), {"HYN_E2E_CLUSTER": "minikube"})
    assert str(caught.value) == (
        "HYN_E2E_CLUSTER is 'minikube'; accepted are existing, kind, offline"
    )


@pytest.mark.parametrize("way", [Way.KIND, Way.OFFLINE])
def test_a_way_that_is_asked_for_is_taken(way: Way) -> None:
    assert choose(read_pins(), {"HYN_E2E_CLUSTER": way}) is way


def test_the_node_image_is_the_pinned_one_unless_another_kubernetes_is_asked_for() -> None:
    pins = read_pins()
    assert official_node(pins, {}) == pins.images["node"]
    other = "kindest/node:v1.32.2"
    assert official_node(pins, {"HYN_E2E_NODE_IMAGE": other}) == other


def test_the_volume_for_people_is_over_the_directory_that_all_worker_nodes_share() -> None:
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text())
    workers = [node for node in config["nodes"] if node["role"] == "worker"]
    shared = {mount["containerPath"] for node in workers for mount in node["extraMounts"]}
    text = (ROOT / "manifests" / "dev" / "shared-volume.yaml").read_text()
    volume, claim = yaml.safe_load_all(text)
    assert len(workers) == 2
    assert {volume["spec"]["hostPath"]["path"]} == shared
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
