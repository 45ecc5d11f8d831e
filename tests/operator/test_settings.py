"""The operator's environment."""

from __future__ import annotations

import json

import pytest

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import SettingsError
from hyn_k8s.operator.settings import OperatorSettings
from tests.operator.objects import SHARED

IMAGE = {"HYN_OPERATOR_IMAGE": "hyn-k8s/runtime:1"}

PEERS: list[Manifest] = [
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "hyn-k8s"}},
        "podSelector": {"matchLabels": {"app": "operator"}},
    },
    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
]


def peers(text: str) -> dict[str, str]:
    return IMAGE | {"HYN_OPERATOR_NETWORK_POLICY": text}


def test_an_image_is_enough() -> None:
    assert OperatorSettings.from_env(IMAGE) == OperatorSettings("hyn-k8s/runtime:1")


def test_everything_can_be_said() -> None:
    more = {
        "HYN_OPERATOR_STORAGE": json.dumps(SHARED),
        "HYN_OPERATOR_NAMESPACES": "a, b,",
        "HYN_OPERATOR_IMAGE_PULL_POLICY": "Never",
        "HYN_OPERATOR_IMAGE_PULL_SECRETS": "registry, mirror.example,registry,",
        "HYN_OPERATOR_NETWORK_POLICY": json.dumps(PEERS),
    }
    found = OperatorSettings.from_env(IMAGE | more)
    assert found.storage is not None
    assert found.storage.file is not None
    assert found.storage.file.claim_name == "shared"
    assert found.namespaces == ("a", "b")
    assert found.image_pull_policy == "Never"
    assert found.image_pull_secrets == ("registry", "mirror.example")
    assert [each.to_manifest() for each in found.network_policy or ()] == PEERS


def test_nobody_else_may_reach_a_search_is_not_the_same_as_everybody_may() -> None:
    assert OperatorSettings.from_env(peers("[]")).network_policy == ()
    assert OperatorSettings.from_env(IMAGE).network_policy is None


def test_what_is_empty_is_not_said() -> None:
    more = ("STORAGE", "NAMESPACES", "IMAGE_PULL_POLICY", "IMAGE_PULL_SECRETS", "NETWORK_POLICY")
    empty = {f"HYN_OPERATOR_{each}": " " for each in more}
    assert OperatorSettings.from_env(IMAGE | empty) == OperatorSettings.from_env(IMAGE)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "HYN_OPERATOR_IMAGE: found nothing"),
        ({"HYN_OPERATOR_IMAGE": " "}, "HYN_OPERATOR_IMAGE: found nothing"),
        (IMAGE | {"HYN_OPERATOR_STORAGE": "nfs"}, "HYN_OPERATOR_STORAGE: found no JSON"),
        (IMAGE | {"HYN_OPERATOR_STORAGE": "[]"}, "HYN_OPERATOR_STORAGE: found "),
        (IMAGE | {"HYN_OPERATOR_STORAGE": "{}"}, "set exactly one of file and s3"),
        (IMAGE | {"HYN_OPERATOR_STORAGE": '{"s3": {"root": 5}}'}, "s3.root"),
        (
            IMAGE | {"HYN_OPERATOR_IMAGE_PULL_POLICY": "always"},
            "HYN_OPERATOR_IMAGE_PULL_POLICY: found always; accepted: Always, IfNotPresent or Never",
        ),
        (
            IMAGE | {"HYN_OPERATOR_IMAGE_PULL_SECRETS": "registry;mirror"},
            "HYN_OPERATOR_IMAGE_PULL_SECRETS: found registry;mirror; accepted: names of Secrets",
        ),
        (peers("all"), "HYN_OPERATOR_NETWORK_POLICY: found no JSON"),
        (peers("{}"), "HYN_OPERATOR_NETWORK_POLICY: found Input should be a valid list"),
        (peers('["operator"]'), "HYN_OPERATOR_NETWORK_POLICY: found [0]: "),
        (peers('[{"podSelector": {}, "ports": []}]'), "found [0].ports: Extra inputs"),
        (peers("[{}]"), "[0]: a peer has podSelector, namespaceSelector or both, or else ipBlock"),
        (peers('[{"ipBlock": {"cidr": "10.0.0.1"}}]'), "[0].ipBlock.cidr: a block of addresses is"),
    ],
)
def test_a_mistake_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        OperatorSettings.from_env(environ)
    assert said in str(wrong.value)
