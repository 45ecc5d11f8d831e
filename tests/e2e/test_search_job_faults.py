"""Parts of a search and of what runs it go away in its middle; its trials are all there."""

from __future__ import annotations

import pytest

from tests.e2e import helm
from tests.e2e.kube import Kube
from tests.e2e.search_jobs import AppliedSearch, Kept
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.waiting import until

pytestmark = pytest.mark.e2e

TRIALS = 24


@pytest.fixture(params=["shared", pytest.param("bucket", marks=pytest.mark.full)])
def running(
    kube: Kube, cluster: Cluster, namespace: str, request: pytest.FixtureRequest
) -> AppliedSearch:
    """A search of 24 trials of up to 3 s each, some of which are done."""
    kept: Kept = request.getfixturevalue(request.param)
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    arguments = ["--trials", str(TRIALS), "--seconds", "3"]
    search.apply(script={"inline": SCRIPT}, args=arguments)
    search.await_done(4)
    return search


@pytest.mark.parametrize(
    "role",
    [
        pytest.param("worker", marks=pytest.mark.full),
        pytest.param("scheduler", marks=pytest.mark.full),
        "driver",
    ],
)
def test_a_pod_is_deleted(running: AppliedSearch, role: str) -> None:
    running.delete_a_pod(role)
    running.await_complete()
    running.check_trials(TRIALS)


@pytest.mark.alone
@pytest.mark.full
def test_both_controllers_are_deleted(kube: Kube, running: AppliedSearch) -> None:
    for controller in ("operator", "dask-controller"):
        (pod,) = kube.pods(helm.NAMESPACE, helm.controller_labels(controller))
        kube.delete("v1", "Pod", pod["metadata"]["name"], helm.NAMESPACE)
    running.await_complete()
    running.check_trials(TRIALS)


@pytest.mark.alone
@pytest.mark.full
def test_it_is_deleted_while_there_is_no_dask_controller(
    kube: Kube, running: AppliedSearch
) -> None:
    with helm.stopped(kube, "dask-controller"):
        running.delete()
        running.await_no_pods(180)
        until(
            lambda: not kube.find("kubernetes.dask.org/v1", "DaskCluster", running.namespace),
            *("its DaskCluster to go", 60, 0.5),
        )
