"""A search's NetworkPolicy, where the network enforces it: kind's own does, the offline one not."""

from __future__ import annotations

import json

import pytest

from hyn_k8s import names
from tests.e2e.kube import Kube
from tests.e2e.objects import Storage, reader_pod
from tests.e2e.search_jobs import AppliedSearch, Kept, applied
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.network]

KUBERNETES = "kubernetes.default.svc"
"""What everybody may reach, so that a pod without any network is not taken for one kept out."""

REACH = """
import json, socket, sys
reached = {}
for address, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((address, port), timeout=5).close()
        reached[f"{address}:{port}"] = True
    except OSError:
        reached[f"{address}:{port}"] = False
print(json.dumps(reached))
"""


def addresses(search: AppliedSearch) -> list[tuple[str, int]]:
    """Where the pods of a search listen."""
    ports = {
        names.DRIVER: [names.DRIVER_PORT],
        names.SCHEDULER: [names.SCHEDULER_PORT, names.DASHBOARD_PORT],
        names.WORKER: [names.WORKER_PORT, names.NANNY_PORT],
    }
    return [
        (pod["status"]["podIP"], port)
        for role, listened in ports.items()
        for pod in search.pods(role)
        if pod["status"].get("phase") == "Running"
        for port in listened
    ]


def reached(
    kube: Kube, cluster: Cluster, namespace: str, where: list[tuple[str, int]]
) -> dict[str, bool]:
    """Which of these a pod in ``namespace`` that is not the search's gets through to."""
    command = ["python", "-c", REACH, json.dumps(where)]
    pod = reader_pod(cluster.images["runtime"], Storage(env=[]), command, "stranger")
    kube.apply([pod], namespace)
    kube.await_status(
        *("v1", "Pod", "stranger", namespace),
        lambda status: status.get("phase") in ("Succeeded", "Failed"),
    )
    found: dict[str, bool] = json.loads(kube.log(namespace, "stranger"))
    return found


def test_strangers_do_not_get_through_and_the_search_goes_on(
    kube: Kube,
    cluster: Cluster,
    namespace: str,
    other_namespace: str,
    shared: Kept,
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": SCRIPT},
        args=["--trials", "40", "--seconds", "4"],
    )
    search.await_done(3)
    where = addresses(search)
    assert len(where) >= 5
    outside = (KUBERNETES, 443)
    for neighbour in (namespace, other_namespace):
        found = reached(kube, cluster, neighbour, [outside, *where])
        assert [address for address, is_open in found.items() if is_open] == [f"{KUBERNETES}:443"]
    before = search.status()["trials"]["done"]
    until(lambda: search.status()["trials"]["done"] > before, "the operator to read its progress")
    search.await_complete()
