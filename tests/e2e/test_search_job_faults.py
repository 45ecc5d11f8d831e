"""Parts of a search and of what runs it go away in its middle; its trials are all there."""

from __future__ import annotations

import pytest

from tests.e2e import helm
from tests.e2e.kube import EVERY, Kube
from tests.e2e.search_jobs import AppliedSearch, Kept, applied, on_claim
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.waiting import last_for, until

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


@pytest.mark.full
def test_a_trial_that_outlasts_its_driver_is_waited_for(
    kube: Kube, cluster: Cluster, namespace: str, claim: str
) -> None:
    """It takes 100 s, and a driver that is told to leave does so within 60."""
    search = applied(
        *(kube, cluster, namespace, on_claim(claim, namespace)),
        script={"inline": SCRIPT},
        args=["--trials", "1", "--seconds", "250"],
        executors=1,
    )
    until(lambda: (search.status().get("trials") or {}).get("running"), "the trial", 240, EVERY)
    first = search.pods("driver")[0]["metadata"]["name"]
    search.delete_a_pod("driver")
    until(
        lambda: [pod for pod in search.pods("driver") if pod["metadata"]["name"] != first],
        *("another driver", 120, EVERY),
    )
    (second,) = search.pods("driver")
    search.await_complete()
    (trial,) = search.check_trials(1)
    assert trial["started"] < second["metadata"]["creationTimestamp"] < trial["ended"]


STARTUP_SECONDS = 90


def test_a_driver_that_finds_no_node_is_waited_for_once_it_has_begun(
    kube: Kube, cluster: Cluster, namespace: str, claim: str
) -> None:
    """For longer than its script may take to begin; then there is room again."""
    room = f"e2e.hyn-k8s.dev/{namespace}"
    node = kube.find("v1", "Node", None)[-1]["metadata"]["name"]

    def make_room(there: bool) -> None:
        labels = {room: "yes" if there else None}
        kube.patch("v1", "Node", node, None, {"metadata": {"labels": labels}})

    make_room(True)
    search = applied(
        *(kube, cluster, namespace, on_claim(claim, namespace)),
        script={"inline": SCRIPT},
        args=["--trials", "12", "--seconds", "3"],
        driver={"nodeSelector": {room: "yes"}},
        startupTimeoutSeconds=STARTUP_SECONDS,
    )
    search.await_done(2)
    make_room(False)
    search.delete_a_pod("driver")
    search.await_condition("DriverRunning", "False", "Unschedulable", 90, "didn't match")
    last_for(STARTUP_SECONDS + 10)
    assert search.condition("Failed") == {}
    assert "didn't match" in search.condition("DriverRunning")["message"]
    make_room(True)
    search.await_complete()
    search.check_trials(12)


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
