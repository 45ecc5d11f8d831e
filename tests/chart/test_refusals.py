"""A wrong value is refused before anything is installed, with a sentence that names it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hyn_k8s.api.storage import FileStorage
from hyn_k8s.api.values import SYSTEM_PATHS
from tests.chart.rendering import Refused, Render

pytestmark = pytest.mark.helm

S3 = {"root": "/bucket/runs"}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a mistyped value": ({"operater": {}}, "additional properties 'operater' not allowed"),
    "a mistyped value within": (
        {"images": {"registri": "x"}},
        "at '/images': additional properties 'registri' not allowed",
    ),
    "another type": ({"watchNamespaces": "red"}, "at '/watchNamespaces': got string, want array"),
    "no name of a namespace": ({"searchNamespaces": ["Red!"]}, "at '/searchNamespaces/0': 'Red!'"),
    "no pull policy": ({"images": {"pullPolicy": "Sometimes"}}, "at '/images/pullPolicy': value"),
    "no bucket": ({"storage": {"s3": {"root": "bucket"}}}, "at '/storage/s3/root': 'bucket'"),
    "no size": (
        {"storage": {"file": {"claim": {"storageClassName": "c"}}}},
        "at '/storage/file/claim': missing property 'size'",
    ),
    "a label that is none": (
        {"operator": {"labels": {"team": "red and blue"}}},
        "at '/operator/labels/team'",
    ),
    "two storages": (
        {"storage": {"file": {"existingClaim": "c"}, "s3": S3}},
        "storage: set file or s3, not both",
    ),
    "no way to a volume": (
        {"storage": {"file": {"mountPath": "/mnt/x"}}},
        "storage.file: set exactly one of existingClaim, nfs and claim; found none",
    ),
    "two ways to a volume": (
        {"storage": {"file": {"existingClaim": "c", "nfs": {"server": "s", "path": "/p"}}}},
        "exactly one of existingClaim, nfs and claim; found existingClaim, nfs",
    ),
    "half a key": (
        {"storage": {"s3": {**S3, "accessKey": "who"}}},
        "storage.s3: set accessKey and secretKey together",
    ),
    "keys twice": (
        {
            "storage": {
                "s3": {
                    **S3,
                    "accessKey": "who",
                    "secretKey": "hush",
                    "secretName": "s",
                    "optionsField": "o",
                }
            }
        },
        "storage.s3: set secretName for keys that are in the cluster, or accessKey and secretKey",
    ),
    "a Secret without fields": (
        {"storage": {"s3": {**S3, "secretName": "keys"}}},
        "storage.s3: with secretName say what is in it",
    ),
    "half of its fields": (
        {"storage": {"s3": {**S3, "secretName": "keys", "accessKeyField": "a"}}},
        "storage.s3: set accessKeyField and secretKeyField together",
    ),
    "fields twice": (
        {
            "storage": {
                "s3": {
                    **S3,
                    "secretName": "keys",
                    "accessKeyField": "a",
                    "secretKeyField": "s",
                    "optionsField": "o",
                }
            }
        },
        "storage.s3: set accessKeyField and secretKeyField, or optionsField, not both",
    ),
    "options twice": (
        {
            "storage": {
                "s3": {**S3, "secretName": "k", "optionsField": "o", "endpoint": "http://minio"}
            }
        },
        "storage.s3: with optionsField the Secret has all options",
    ),
    "a mount over what the pods need": (
        {"storage": {"file": {"existingClaim": "c", "mountPath": "/usr"}}},
        "storage.file.mountPath: found /usr, where the pods have what they need",
    ),
    "a key among the options": (
        {"storage": {"s3": {**S3, "options": {"client_kwargs": {"aws_session_token": "hush"}}}}},
        "storage.s3.options: aws_session_token does not belong there; name a Secret",
    ),
    "an endpoint twice": (
        {
            "storage": {
                "s3": {
                    **S3,
                    "endpoint": "http://minio",
                    "options": {"endpoint_url": "http://minio"},
                }
            }
        },
        "storage.s3: say endpoint and region once",
    ),
    "a peer that is nobody": (
        {"networkPolicies": {"from": [{}]}},
        "networkPolicies.from: a peer has podSelector, namespaceSelector or both, or else ipBlock",
    ),
    "an address without its block": (
        {"networkPolicies": {"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}},
        "networkPolicies.from: found 10.0.0.1; a block of addresses is written as 10.0.0.0/8",
    ),
    "nowhere to make a claim": (
        {"storage": {"file": {"nfs": {"server": "s", "path": "/p"}}}},
        "searchNamespaces: name the namespaces in which the storage's claims or Secret are made",
    ),
    "nowhere to make a Secret": (
        {"storage": {"s3": {**S3, "accessKey": "who", "secretKey": "hush"}}},
        "searchNamespaces: name the namespaces in which the storage's claims or Secret are made",
    ),
    "a namespace that nobody watches": (
        {"watchNamespaces": ["red", "blue"], "searchNamespaces": ["green"]},
        "searchNamespaces: green is none of watchNamespaces (red, blue), so no search would run",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_refused_by_name(render: Render, case: tuple[dict[str, Any], str]) -> None:
    values, sentence = case
    with pytest.raises(Refused) as caught:
        render(values)
    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)


def is_taken(render: Render, path: str) -> bool:
    try:
        render({"storage": {"file": {"existingClaim": "c", "mountPath": path}}})
    except Refused:
        return False
    return True


def fits(path: str) -> bool:
    try:
        FileStorage(claim_name="c", mount_path=path)
    except ValidationError:
        return False
    return True


BESIDE = ("/opt/share", "/run/x", "/usr/x", "/var/x", "/opt/hyn-k8s/x", "/opt/script/x", "/mnt")


@pytest.mark.parametrize("path", [*SYSTEM_PATHS, *BESIDE])
def test_a_mount_path_is_taken_where_the_operator_takes_it(render: Render, path: str) -> None:
    assert is_taken(render, path) is fits(path)
