"""What is left of a search whose DaskCluster does not go by itself is taken away."""

from __future__ import annotations

import pytest

from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import DASK_CLUSTER, SEARCH_JOB, Ref
from hyn_k8s.operator.sweeping import PATIENCE_SECONDS, sweep
from tests.operator.life import Life
from tests.operator.objects import NAME, NAMESPACE
from tests.operator.test_plan import begin, foreign

CLUSTER = DASK_CLUSTER.ref(NAMESPACE, NAME)


@pytest.fixture
def life() -> Life:
    return begin(Life())


def swept(life: Life, after: float = PATIENCE_SECONDS + 1) -> Life:
    life.clock.pass_by(after)
    sweep(life.kube, [None], life.clock.now)
    life.end_processes()
    return life


def test_a_search_that_goes_on_is_left_alone(life: Life) -> None:
    before = life.there()
    assert swept(life).there() == before


def test_a_cluster_that_dasks_controller_does_not_let_go_is_taken_apart(life: Life) -> None:
    life.dask_is_up = False
    life.delete()
    life.others()
    assert "Deployment s-scheduler" in swept(life, after=10).there()
    assert swept(life).there() == set()
    assert life.kube.events[-1] == ("Warning", "Swept")


def test_a_cluster_whose_search_is_gone_is_deleted_and_that_is_told(life: Life) -> None:
    life.kube.objects.pop(SEARCH_JOB.ref(NAMESPACE, NAME))
    swept(life)
    assert life.kube.events[-1] == ("Warning", "Swept")
    life.others()
    assert CLUSTER not in life.kube.objects


def test_so_is_that_of_an_earlier_search_of_the_name(life: Life) -> None:
    life.kube.objects.pop(SEARCH_JOB.ref(NAMESPACE, NAME))
    life.apply()
    swept(life)
    assert ("delete", str(CLUSTER)) in life.kube.writes


def test_clusters_of_others_are_none_of_its_business() -> None:
    life = Life()
    foreign(life)
    half = {"name": "half", "namespace": NAMESPACE, "labels": {"hyn-k8s.dev/search-uid": "u"}}
    life.kube.put({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "metadata": half})
    swept(life)
    assert life.kube.writes == []


def test_one_that_cannot_be_swept_does_not_keep_the_others(life: Life) -> None:
    life.apply("t")
    life.go_on(name="t")
    for name in (NAME, "t"):
        life.kube.objects.pop(SEARCH_JOB.ref(NAMESPACE, name))
    life.kube.failures["delete"] += [ClusterError("delete", "daskcluster s", 403, "no")]
    swept(life)
    clusters = {each["metadata"]["name"] for each in life.kube.of_kind(DASK_CLUSTER)}
    leaving = {
        Ref.to(each).name
        for each in life.kube.of_kind(DASK_CLUSTER)
        if "deletionTimestamp" in each["metadata"]
    }
    assert (clusters, leaving) == ({NAME, "t"}, {"t"})


def test_only_the_namespaces_that_are_named_are_swept(life: Life) -> None:
    life.kube.objects.pop(SEARCH_JOB.ref(NAMESPACE, NAME))
    life.clock.pass_by(PATIENCE_SECONDS + 1)
    life.kube.calls.clear()
    sweep(life.kube, ["elsewhere"], life.clock.now)
    assert life.kube.writes == []


def test_where_dasks_kinds_are_not_installed_there_is_nothing_to_sweep(life: Life) -> None:
    life.kube.refused[DASK_CLUSTER] = ClusterError("list", "daskclusters", 404, "no such kind")
    before = life.there()
    assert swept(life).there() == before


def test_a_sweep_that_is_told_nothing_has_failed(life: Life) -> None:
    life.kube.refused[DASK_CLUSTER] = ClusterError("list", "daskclusters", 403, "no")
    with pytest.raises(ClusterError):
        swept(life)
