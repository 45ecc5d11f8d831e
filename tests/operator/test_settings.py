"""The operator's environment."""

from __future__ import annotations

import json

import pytest

from hyn_k8s.errors import SettingsError
from hyn_k8s.operator.settings import OperatorSettings
from tests.operator.objects import SHARED

IMAGE = {"HYN_OPERATOR_IMAGE": "hyn-k8s/runtime:1"}


def test_an_image_is_enough() -> None:
    assert OperatorSettings.from_env(IMAGE) == OperatorSettings("hyn-k8s/runtime:1")


def test_everything_can_be_said() -> None:
    more = {"HYN_OPERATOR_STORAGE": json.dumps(SHARED), "HYN_OPERATOR_NAMESPACES": "a, b,"}
    found = OperatorSettings.from_env(IMAGE | more)
    assert found.storage is not None
    assert found.storage.file is not None
    assert found.storage.file.claim_name == "shared"
    assert found.namespaces == ("a", "b")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "HYN_OPERATOR_IMAGE: found nothing"),
        ({"HYN_OPERATOR_IMAGE": " "}, "HYN_OPERATOR_IMAGE: found nothing"),
        (IMAGE | {"HYN_OPERATOR_STORAGE": "nfs"}, "HYN_OPERATOR_STORAGE: found no JSON"),
        (IMAGE | {"HYN_OPERATOR_STORAGE": "[]"}, "HYN_OPERATOR_STORAGE: found "),
        (IMAGE | {"HYN_OPERATOR_STORAGE": "{}"}, "set exactly one of file and s3"),
        (IMAGE | {"HYN_OPERATOR_STORAGE": '{"s3": {"root": 5}}'}, "s3.root"),
    ],
)
def test_a_mistake_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        OperatorSettings.from_env(environ)
    assert said in str(wrong.value)
