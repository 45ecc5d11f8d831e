"""A SearchJob's life beside its script: suspended, out of time, resized, deleted, not alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.kube import EVERY, Kube
from tests.e2e.objects import config_map
from tests.e2e.search_jobs import API, KIND, NAME, SEARCH, AppliedSearch, Kept, applied
from tests.e2e.searches import most_at_once, read
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.waiting import until

pytestmark = pytest.mark.e2e

DASK_CLUSTER = "kubernetes.dask.org/v1", "DaskCluster", NAME

NARROW_THEN_WIDE = (
    SCRIPT.replace(
        "time.sleep(options.seconds * (1, 0.4, 0.7)[self.number % 3])",
        "time.sleep(80 if self.number == 8 else 3)",
    )
    + """
wide_searcher = make_searcher("random", space, optimize_direction="max")
wide = Model(wide_searcher, task="binary", reward_metric="auc", callbacks=callbacks)
wide.search([[1.0]], [1], [[1.0]], [1], max_trials=6, dataset_id="faulty")
"""
)
"""One search whose last trial, the eighth, outlasts the driver's patience with idle workers; and
then another."""


@pytest.mark.parametrize("where", ["shared", pytest.param("bucket", marks=pytest.mark.full)])
def test_suspended_it_has_no_pods_and_goes_on_where_it_was(
    kube: Kube, cluster: Cluster, namespace: str, where: str, request: pytest.FixtureRequest
) -> None:
    search = applied(
        *(kube, cluster, namespace, request.getfixturevalue(where)),
        script={"inline": SCRIPT},
        args=["--trials", "24", "--seconds", "5"],
        executors=3,
    )
    search.await_done(4)
    search.patch(suspend=True)
    search.await_condition("Suspended")
    search.await_no_pods()
    assert kube.find("kubernetes.dask.org/v1", "DaskCluster", namespace) == []
    done = search.status()["trials"]["done"]
    assert 4 <= done < 24
    search.patch(suspend=False)
    search.await_complete()
    assert "continuing " in search.log()
    # It begins with the first worker; of shorter trials the others might come too late.
    assert most_at_once(search.check_trials(24)) == 3


def script_in_the_image(kube: Kube, namespace: str) -> dict[str, Any]:
    """A spec with the script where an image that was built on ours would have it."""
    kube.apply([config_map("image", {"search.py": SCRIPT})], namespace)
    driver = {
        "volumes": [{"name": "app", "configMap": {"name": "image"}}],
        "volumeMounts": [{"name": "app", "mountPath": "/app"}],
    }
    return {"script": {"path": "/app/search.py"}, "driver": driver}


def test_out_of_time_it_fails_and_is_deleted_later_but_its_data_stay(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        **script_in_the_image(kube, namespace),
        args=["--trials", "60", "--seconds", "3"],
        executors=1,
    )
    search.await_done(3)
    search.patch(activeDeadlineSeconds=5)
    assert "activeDeadlineSeconds, 5 s" in search.await_failed("DeadlineExceeded")
    search.await_no_pods()
    run = search.run_name()
    search.patch(ttlSecondsAfterFinished=0)
    until(lambda: kube.get(API, KIND, NAME, namespace) is None, "the SearchJob to go", 30, EVERY)
    check_kept(kube, cluster, namespace, shared, run)


@pytest.mark.full
def test_workers_with_nothing_to_do_go_and_come_again_and_a_busy_one_stays(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": NARROW_THEN_WIDE},
        args=["--trials", "8"],
        executors=3,
    )
    search.await_done(7)
    until(lambda: workers_asked(kube, search) == 1, "idle workers to go", 75, EVERY)
    until(lambda: len(search.pods("worker")) == 1, "their pods to go", 40, EVERY)
    (busy,) = search.pods("worker")
    until(lambda: workers_asked(kube, search) == 3, "workers to come again", 90, EVERY)
    until(lambda: len(search.pods("worker")) == 3, "their pods", 40, EVERY)
    assert busy["metadata"]["name"] in [pod["metadata"]["name"] for pod in search.pods("worker")]
    search.await_complete()
    command = ["hyn-k8s", "results", search.run_name(), "--format", "json"]
    found = json.loads(read(kube, namespace, cluster.images["runtime"], shared.reader, command))
    assert [each["trials"]["done"] for each in found["searches"]] == [8, 6]
    (long,) = [row for row in found["searches"][0]["rows"] if row["trial"] == "8"]
    assert busy["metadata"]["name"].startswith(long["worker"])


def workers_asked(kube: Kube, search: AppliedSearch) -> int:
    """How many workers dask's controller is asked for."""
    found = kube.get(*DASK_CLUSTER, search.namespace)
    return int(found["spec"]["worker"]["replicas"]) if found else 0


@pytest.mark.full
def test_a_trial_that_takes_all_memory_is_stopped_and_begun_again_and_its_worker_stays(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": SCRIPT},
        args=["--trials", "9", "--hungry", "4", "--once"],
        executors=3,
        worker={"resources": {"requests": {"memory": "512Mi"}, "limits": {"memory": "1Gi"}}},
    )
    search.await_done(9)
    restarts = [
        container["restartCount"]
        for pod in search.pods("worker")
        for container in pod["status"]["containerStatuses"]
    ]
    search.await_complete()
    search.check_trials(9)
    assert set(restarts) <= {0}
    # Once in each pod that it comes to.
    causes = [line for line in search.trial_log(4) if "did not end by itself" in line]
    assert 1 <= len(causes) <= 3
    for cause in causes:
        assert "it took more than 0." in cause
        assert "HYN_SEARCH_MEMORY" in cause


@pytest.mark.full  # that their runs have two names, tests/test_names.py shows
def test_two_of_one_name_in_two_namespaces_do_not_meet(
    kube: Kube,
    cluster: Cluster,
    namespace: str,
    other_namespace: str,
    shared: Kept,
    other_claim: str,
) -> None:
    assert shared.spec["file"]["claimName"] == other_claim, "and they share a directory as well"
    for each in (namespace, other_namespace):
        kube.apply([config_map("scripts", {"search.py": SCRIPT})], each)
    searches = [
        applied(
            *(kube, cluster, each, shared),
            script={"configMap": {"name": "scripts", "key": "search.py"}},
            args=["--trials", "6"],
            executors=1,
        )
        for each in (namespace, other_namespace)
    ]
    for search in searches:
        search.await_complete()
    assert len({search.run_name() for search in searches}) == 2
    for search in searches:
        search.check_trials(6)


def test_deleted_in_its_middle_nothing_but_its_data_stays(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": SCRIPT},
        args=["--trials", "60", "--seconds", "3"],
    )
    search.await_done(3)
    run = search.run_name()
    search.delete()
    search.await_no_pods()
    until(lambda: not leftovers(kube, namespace), "everything to go", 60, 0.5)
    check_kept(kube, cluster, namespace, shared, run)


def check_kept(kube: Kube, cluster: Cluster, namespace: str, kept: Kept, run: str) -> None:
    """A run is on the storage, with a few trials."""
    image = cluster.images["runtime"]
    command = ["hyn-k8s", "results", run, "--format", "json"]
    found = json.loads(read(kube, namespace, image, kept.reader, command))
    assert found["searches"][-1]["trials"]["done"] >= 3


def leftovers(kube: Kube, namespace: str) -> list[str]:
    """What there is of a search in a namespace."""
    kinds = [("v1", "Pod"), ("v1", "ConfigMap"), ("v1", "Service"), ("batch/v1", "Job")]
    kinds += [("apps/v1", "Deployment"), ("kubernetes.dask.org/v1", "DaskCluster")]
    kinds += [("kubernetes.dask.org/v1", "DaskWorkerGroup")]
    return [
        f"{kind} {each['metadata']['name']}"
        for api, kind in kinds
        for each in kube.find(api, kind, namespace, SEARCH)
    ]
