"""Storages that a SearchJob can name, beside the claim and the two fields of a Secret."""

from __future__ import annotations

import json

import pytest

from tests.certificates import self_signed
from tests.e2e.kube import Kube, Object
from tests.e2e.objects import (
    CLAIM,
    MOUNT,
    config_map,
    s3_storage,
    shared_storage,
    shared_volume,
)
from tests.e2e.search_jobs import NAME, Kept, applied, on_claim
from tests.e2e.servers import KEYS, await_server, minio
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster

pytestmark = pytest.mark.e2e

CLAIM_OF_SEARCH = "v1", "PersistentVolumeClaim", NAME


def test_a_claim_is_made_of_a_template_and_stays(
    kube: Kube, cluster: Cluster, namespace: str, shared_class: str
) -> None:
    template = {"storageClassName": shared_class, "size": "1Gi"}
    file = {"claimTemplate": template, "mountPath": MOUNT, "root": namespace}
    kept = Kept({"file": file}, shared_storage(namespace, claim=NAME))
    search = applied(
        *(kube, cluster, namespace, kept),
        script={"inline": SCRIPT},
        args=["--trials", "6"],
        executors=1,
    )
    search.await_complete()
    search.check_trials(6)
    search.delete()
    claim = kube.get(*CLAIM_OF_SEARCH, namespace)
    assert claim is not None
    assert "ownerReferences" not in claim["metadata"]
    assert claim["status"]["phase"] == "Bound"


def test_a_volume_that_pods_may_not_write_is_told_with_pod_path_and_cure(
    kube: Kube, cluster: Cluster, namespace: str
) -> None:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": namespace,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}}
    kube.apply([shared_volume(namespace, path="/usr"), {**claim, "spec": spec}], namespace)
    kept = on_claim(CLAIM, "runs")
    search = applied(*(kube, cluster, namespace, kept), script={"inline": SCRIPT}, executors=1)
    message = search.await_failed("StorageRefused")
    assert message.startswith("pod search-driver-")
    assert f"storage {MOUNT}/runs: Permission denied (EACCES)" in message
    assert "change its owner" in message
    assert search.condition("StorageReady")["message"] == message


@pytest.fixture
def sealed(kube: Kube, cluster: Cluster, namespace: str) -> Kept:
    """A bucket over TLS, by a certificate that signed itself; all options are in a Secret."""
    certificate, key = self_signed("minio")
    options = {"endpoint_url": "https://minio:9000", "key": KEYS[0], "secret": KEYS[1]}
    kube.apply(
        [
            secret("tls", {"public.crt": certificate.decode(), "private.key": key.decode()}),
            secret("s3", {"options": json.dumps(options)}),
            config_map("authorities", {"ca.crt": certificate.decode()}),
            *minio(cluster.images["minio"], certificates="tls"),
        ],
        namespace,
    )
    await_server(kube, "minio", namespace)
    s3 = {
        "root": "/searches/runs",
        "secretName": "s3",
        "optionsField": "options",
        "caBundle": {"configMapName": "authorities"},
    }
    return Kept({"s3": s3}, s3_storage("searches", "s3", "authorities"))


def secret(name: str, data: dict[str, str]) -> Object:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def test_a_bucket_behind_a_companys_own_certificate_with_all_options_in_a_secret(
    kube: Kube, cluster: Cluster, namespace: str, sealed: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, sealed),
        script={"inline": SCRIPT},
        args=["--trials", "6"],
        executors=1,
    )
    search.await_complete()
    search.check_trials(6)
    assert KEYS[1] not in search.log()
