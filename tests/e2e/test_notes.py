"""What Helm says before and after an installation, about what the cluster lacks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.helm import CHART, Helm, HelmError
from tests.e2e.kube import Kube

pytestmark = pytest.mark.e2e

S3 = {"root": "/bucket/runs", "secretName": "keys", "optionsField": "options"}
CLASS = {"storageClassName": "no-such-class", "size": "1Gi"}
NARROW = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "narrow"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


def notes(helm: Helm, values: dict[str, Any]) -> str:
    """What Helm would say of an installation with ``values``, which it does not make."""
    arguments = ("install", "would-be", str(CHART), "--dry-run=server")
    said = helm("default", *arguments, values=values)
    return said.partition("NOTES:")[2]


def test_without_a_default_storage_it_says_so(helm: Helm, kube: Kube) -> None:
    said = notes(helm, {})
    assert "runs the SearchJobs of all namespaces" in said
    assert "No default storage: every SearchJob has to say spec.storage itself." in said
    assert "test would-be" not in said


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ({"file": {"existingClaim": "absent"}}, "No claim absent in namespace {}: searches"),
        ({"file": {"existingClaim": "narrow"}}, "Claim narrow in namespace {} is ReadWriteOnce"),
        ({"file": {"claim": CLASS}}, "No StorageClass no-such-class: the claims stay Pending"),
        ({"s3": S3}, "No Secret keys in namespace {}: searches there wait for it."),
    ],
)
def test_what_a_storage_lacks_is_named(
    helm: Helm, kube: Kube, namespace: str, storage: dict[str, Any], sentence: str
) -> None:
    kube.apply([NARROW], namespace)
    said = notes(helm, {"searchNamespaces": [namespace], "storage": storage})
    assert sentence.format(namespace) in said
    assert said.count("\n  - ") == 1, "and nothing else is missing"
    assert "test would-be" in said


def test_what_is_there_is_not_missed(helm: Helm, kube: Kube, namespace: str, claim: str) -> None:
    storage = {"file": {"existingClaim": claim}}
    said = notes(helm, {"searchNamespaces": [namespace], "storage": storage})
    assert "What is missing" not in said


def test_a_namespace_that_is_not_there_is_refused(helm: Helm, kube: Kube) -> None:
    storage = {"file": {"existingClaim": "shared"}}
    with pytest.raises(HelmError, match="there is no namespace nowhere; make it first"):
        notes(helm, {"searchNamespaces": ["nowhere"], "storage": storage})
