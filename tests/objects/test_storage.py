"""Both storages in a pod, and the claim of a template."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hyn_k8s.objects import claim
from hyn_k8s.objects.attachments import Attachment
from hyn_k8s.objects.storage import storage
from hyn_k8s.search.settings import Settings, StorageSettings
from tests.objects.searches import FILE, S3, search, values

TEMPLATE = {"file": {"claimTemplate": {"storageClassName": "rook-cephfs", "size": "10Gi"}}}


def s3(**changes: Any) -> dict[str, Any]:
    """The S3 storage with fields changed, or left out where None."""
    fields = {**S3["s3"], **changes}
    return {"s3": {key: value for key, value in fields.items() if value is not None}}


def understood(attachment: Attachment) -> StorageSettings:
    """The storage as a driver reads it from these variables, Secrets left out."""
    return Settings.from_env(values(attachment.env), "/").storage


def test_a_claim_is_mounted_where_the_variables_say_the_root_is() -> None:
    found = storage(search({"file": {"claimName": "c", "mountPath": "/mnt/a", "root": "b/c"}}))
    assert found == Attachment(
        env=(
            {"name": "HYN_STORAGE_TYPE", "value": "file"},
            {"name": "HYN_STORAGE_ROOT", "value": "/mnt/a/b/c"},
            {"name": "HYN_STORAGE_OPTIONS", "value": ""},
            {"name": "HYN_STORAGE_ACCESS_KEY", "value": ""},
            {"name": "HYN_STORAGE_SECRET_KEY", "value": ""},
        ),
        volumes=({"name": "hyn-storage", "persistentVolumeClaim": {"claimName": "c"}},),
        mounts=({"name": "hyn-storage", "mountPath": "/mnt/a"},),
    )


def test_the_root_may_be_the_volume_itself() -> None:
    found = storage(search({"file": {"claimName": "c", "root": ""}}))
    assert values(found.env)["HYN_STORAGE_ROOT"] == "/opt/share"


def test_a_driver_understands_either() -> None:
    assert understood(storage(search())).root == "/opt/share/hypernets"
    bucket = understood(
        storage(search(s3(accessKeyField=None, secretKeyField=None, secretName=None)))
    )
    assert (bucket.kind, bucket.root) == ("s3", "bucket/runs")
    assert bucket.endpoint == "https://s3.example:9000"
    assert bucket.options["client_kwargs"]["verify"] == "/etc/hyn-k8s/ca/ca.crt"


def test_options_in_a_secret_come_whole_and_keys_from_nowhere_else() -> None:
    given = s3(accessKeyField=None, secretKeyField=None, endpoint=None, region=None, options=None,
               optionsField="options.json")  # fmt: skip
    assert storage(search(given)) == Attachment(
        env=(
            {"name": "HYN_STORAGE_TYPE", "value": "s3"},
            {"name": "HYN_STORAGE_ROOT", "value": "/bucket/runs"},
            {
                "name": "HYN_STORAGE_OPTIONS",
                "valueFrom": {"secretKeyRef": {"name": "keys", "key": "options.json"}},
            },
            {"name": "HYN_STORAGE_ACCESS_KEY", "value": ""},
            {"name": "HYN_STORAGE_SECRET_KEY", "value": ""},
            {"name": "AWS_CA_BUNDLE", "value": "/etc/hyn-k8s/ca/ca.crt"},
        ),
        volumes=(
            {
                "name": "hyn-authorities",
                "configMap": {
                    "name": "authorities",
                    "items": [{"key": "root.pem", "path": "ca.crt"}],
                },
            },
        ),
        mounts=({"name": "hyn-authorities", "mountPath": "/etc/hyn-k8s/ca", "readOnly": True},),
    )


def test_without_a_secret_the_pods_own_environment_may_have_the_keys() -> None:
    given = s3(secretName=None, accessKeyField=None, secretKeyField=None, caBundle=None)
    names = [each["name"] for each in storage(search(given)).env]
    assert names == ["HYN_STORAGE_TYPE", "HYN_STORAGE_ROOT", "HYN_STORAGE_OPTIONS"]


def test_arguments_of_the_client_that_the_user_gave_are_kept() -> None:
    given = s3(options={"client_kwargs": {"use_ssl": True}}, caBundle=None)
    options = json.loads(values(storage(search(given)).env)["HYN_STORAGE_OPTIONS"])
    assert options["client_kwargs"] == {
        "use_ssl": True,
        "endpoint_url": "https://s3.example:9000",
        "region_name": "us-east-1",
    }


def test_no_options_are_an_empty_object() -> None:
    found = storage(search({"s3": {"root": "/bucket"}}))
    assert values(found.env)["HYN_STORAGE_OPTIONS"] == "{}"


def test_kubernetes_replaces_nothing_in_values() -> None:
    found = storage(search({"file": {"claimName": "c", "root": "$(HOME)/$$x"}}))
    assert values(found.env)["HYN_STORAGE_ROOT"] == "/opt/share/$$(HOME)/$$$$x"


def test_a_claim_of_a_template_is_nobodys() -> None:
    assert claim(search(TEMPLATE)) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "iris",
            "namespace": "team",
            "labels": {"app.kubernetes.io/name": "hyn-k8s", "hyn-k8s.dev/search": "iris"},
        },
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "10Gi"}},
            "storageClassName": "rook-cephfs",
        },
    }


def test_the_clusters_default_class_is_not_named() -> None:
    built = claim(search({"file": {"claimTemplate": {"size": "1Gi"}}}))
    assert built is not None
    assert "storageClassName" not in built["spec"]


def test_it_is_mounted_by_its_name() -> None:
    (volume,) = storage(search(TEMPLATE)).volumes
    assert volume["persistentVolumeClaim"] == {"claimName": "iris"}


@pytest.mark.parametrize("given", [FILE, S3])
def test_without_a_template_there_is_no_claim_to_make(given: dict[str, Any]) -> None:
    assert claim(search(given)) is None
