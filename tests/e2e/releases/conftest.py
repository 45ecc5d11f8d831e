"""The cluster without the release that all other tests share."""

from __future__ import annotations

import pytest

from tests.e2e.helm import Helm, remove_shared
from tests.e2e.kube import Kube
from tests.kind.cluster import Cluster


@pytest.fixture(scope="session")
def kube(cluster: Cluster, helm: Helm) -> Kube:
    """Its API server, with no release for all namespaces."""
    kube = Kube(cluster.kubeconfig)
    remove_shared(helm, kube)
    return kube
