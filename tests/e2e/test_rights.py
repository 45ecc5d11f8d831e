"""The controllers have the rights that they use, and no others.

Runs when all other tests have: what they have had the controllers ask for is the measure.
"""

from __future__ import annotations

import pytest

from tests.e2e.audit import Right, asked_by, read_log
from tests.e2e.helm import NAMESPACE, RELEASE
from tests.e2e.kube import Kube
from tests.kind.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.afterwards]

LEFT_OVER = "of a DaskCluster that its controller does not let go of"
FEWER = "of a search that needs fewer workers than before"

RARE: dict[str, dict[Right, str]] = {
    "operator": {
        ("apps", "deployments", "delete"): FEWER,
        ("", "pods", "delete"): "of a node that does not answer any more",
        ("", "services", "delete"): LEFT_OVER,
        ("kubernetes.dask.org", "daskworkergroups", "delete"): LEFT_OVER,
        ("kubernetes.dask.org", "daskworkergroups", "patch"): LEFT_OVER,
    },
    "dask-controller": {
        ("apps", "deployments", "delete"): FEWER,
        ("kubernetes.dask.org", "daskworkergroups/scale", "patch"): FEWER,
    },
}
"""Rights that a run of the tests may not need, and what they are for."""


@pytest.mark.parametrize("component", RARE)
def test_a_controller_has_the_rights_that_it_uses(
    kube: Kube, cluster: Cluster, component: str
) -> None:
    if not cluster.has_nodes:
        pytest.skip("the audit log of an existing cluster cannot be read")
    role = kube.get(
        "rbac.authorization.k8s.io/v1", "ClusterRole", f"{NAMESPACE}-{RELEASE}-{component}"
    )
    assert role is not None
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    asked = asked_by(f"{NAMESPACE}:{RELEASE}-{component}", read_log())
    assert not asked.denied, "it asks for what it may not"
    assert sorted(granted - asked.rights - set(RARE[component])) == []
