"""``ApiServer`` passes the contract on a real cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from hyn_k8s.api_server import ApiServer
from hyn_k8s.kube import Kube as OurKube
from tests.e2e.kube import Kube
from tests.kind.cluster import Cluster
from tests.operator.kube_contract import DEFINITION, THING, KubeContract
from tests.waiting import until

pytestmark = pytest.mark.e2e


@pytest.mark.xdist_group("kube")
class TestApiServer(KubeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def api(cls, cluster: Cluster, kube: Kube) -> Iterator[OurKube]:
        kind, name = DEFINITION["kind"], DEFINITION["metadata"]["name"]
        kube.apply([DEFINITION])
        kube.await_status(
            DEFINITION["apiVersion"],
            kind,
            name,
            None,
            lambda status: any(
                each["type"] == "Established" and each["status"] == "True"
                for each in status.get("conditions") or []
            ),
        )
        yield ApiServer.connect(cluster.kubeconfig)
        # They go with their namespaces. A definition that goes at the same time may wait for
        # minutes: then two controllers of the cluster delete the same objects.
        until(
            lambda: not kube.find(THING.api_version, THING.name, None), "all things to go", 120, 0.5
        )
        kube.await_gone(DEFINITION["apiVersion"], kind, name)

    @pytest.fixture
    def namespace(self, kube: Kube) -> Iterator[str]:
        """A new namespace, which goes by itself afterwards."""
        name = f"kube-{uuid.uuid4().hex[:8]}"
        kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
        yield name
        kube.delete("v1", "Namespace", name)

    @pytest.fixture
    def other_namespace(self, kube: Kube, namespace: str) -> Iterator[str]:
        name = f"{namespace}-other"
        kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
        yield name
        kube.delete("v1", "Namespace", name)
