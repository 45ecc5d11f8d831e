"""The definitions come, get newer, and never older; until the cluster serves them one waits."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError, ReleaseError
from hyn_k8s.kube import CUSTOM_RESOURCE_DEFINITION, Ref
from hyn_k8s.release.definitions import (
    PACKAGE_ANNOTATION,
    apply_definitions,
    is_newer,
    read_definitions,
)
from tests.operator.fake_kube import FakeKube, copied

OURS = CUSTOM_RESOURCE_DEFINITION.ref(None, "searchjobs.hyn-k8s.dev")
DASKS = [
    CUSTOM_RESOURCE_DEFINITION.ref(None, f"{plural}.kubernetes.dask.org")
    for plural in ("daskautoscalers", "daskclusters", "daskjobs", "daskworkergroups")
]
CLUSTERS = DASKS[1]
OUR_PACKAGE = f"hyn-k8s=={importlib.metadata.version('hyn-k8s')}"
DASKS_PACKAGE = f"dask-kubernetes=={importlib.metadata.version('dask-kubernetes')}"

ESTABLISHED = {"type": "Established", "status": "True", "reason": "Served", "message": "served"}


@pytest.fixture
def kube() -> FakeKube:
    """A cluster that serves a kind as soon as somebody asks for its definition."""
    kube = FakeKube()

    def serve(verb: str) -> None:
        for each in [*kube.of_kind(CUSTOM_RESOURCE_DEFINITION)]:
            if verb == "get" and "status" not in each:
                kube.change(Ref.to(each), {"status": {"conditions": [ESTABLISHED]}})

    kube.before_call = serve
    return kube


@pytest.fixture(scope="module")
def read_once() -> list[Manifest]:
    """What reading all of them takes half a second for."""
    return read_definitions(with_dask=True)


@pytest.fixture
def _read(read_once: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on they are not read from their files any more."""

    def read(with_dask: bool) -> list[Manifest]:
        return copied(read_once if with_dask else read_once[:1])

    monkeypatch.setattr("hyn_k8s.release.definitions.read_definitions", read)


def found(package: str | None, ref: Ref = OURS, **metadata: Any) -> Manifest:
    """A definition that is in the cluster, of ``package`` if it says so."""
    annotations = {} if package is None else {"annotations": {PACKAGE_ANNOTATION: package}}
    return {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.name,
        "metadata": {"name": ref.name} | annotations | metadata,
        "spec": {"of": package},
    }


def applied(kube: FakeKube, with_dask: bool = True, **more: Any) -> list[str]:
    """What is told while the definitions are applied."""
    told: list[str] = []
    apply_definitions(kube, with_dask, told.append, **{"seconds": 5, "pause": 0} | more)
    return told


def package(kube: FakeKube, ref: Ref = OURS) -> str | None:
    annotations: dict[str, str] = kube.objects[ref]["metadata"].get("annotations", {})
    return annotations.get(PACKAGE_ANNOTATION)


class TestWhatIsRead:
    def test_ours_and_all_of_dasks(self) -> None:
        assert [Ref.to(each) for each in read_definitions(with_dask=True)] == [OURS, *DASKS]

    def test_only_ours_where_dasks_are_anothers(self) -> None:
        assert [Ref.to(each) for each in read_definitions(with_dask=False)] == [OURS]

    def test_each_says_of_which_version_it_is(self) -> None:
        packages = [
            each["metadata"]["annotations"][PACKAGE_ANNOTATION]
            for each in read_definitions(with_dask=True)
        ]
        assert packages == [OUR_PACKAGE] + 4 * [DASKS_PACKAGE]


@pytest.mark.usefixtures("_read")
class TestWhatIsApplied:
    def test_all_to_a_new_cluster(self, kube: FakeKube) -> None:
        told = applied(kube)
        assert set(kube.objects) == {OURS, *DASKS}
        assert told[0] == f"searchjobs.hyn-k8s.dev is of {OUR_PACKAGE}"
        assert told[2] == f"daskclusters.kubernetes.dask.org is of {DASKS_PACKAGE}"

    def test_a_second_time_nothing_changes(self, kube: FakeKube) -> None:
        applied(kube)
        before = {ref: each["metadata"]["resourceVersion"] for ref, each in kube.objects.items()}
        applied(kube)
        after = {ref: each["metadata"]["resourceVersion"] for ref, each in kube.objects.items()}
        assert after == before

    @pytest.mark.parametrize(
        "older", ["hyn-k8s==0.0.1", "hyn-k8s==0.1.0.dev1", "hyn-k8s==main", "hyn-k8s", "", None]
    )
    def test_ours_over_one_that_is_older_or_does_not_say(
        self, kube: FakeKube, older: str | None
    ) -> None:
        kube.put(found(older))
        kube.put(found(None, CLUSTERS))
        applied(kube, with_dask=False)
        assert package(kube) == OUR_PACKAGE
        assert "versions" in kube.objects[OURS]["spec"]

    def test_not_over_a_newer_one(self, kube: FakeKube) -> None:
        kube.put(found("hyn-k8s==99.0"))
        told = applied(kube)
        assert kube.objects[OURS]["spec"] == {"of": "hyn-k8s==99.0"}
        expected = "searchjobs.hyn-k8s.dev stays as it is, of hyn-k8s==99.0, which is newer"
        assert told[0] == expected
        assert package(kube, CLUSTERS) == DASKS_PACKAGE, "the others are applied nevertheless"

    def test_what_dasks_chart_has_left_is_replaced(self, kube: FakeKube) -> None:
        kube.put(found(None, CLUSTERS))
        applied(kube)
        assert package(kube, CLUSTERS) == DASKS_PACKAGE

    def test_what_dasks_chart_has_brought_stays_while_that_runs(self, kube: FakeKube) -> None:
        kube.put(found(None, CLUSTERS))
        told = applied(kube, dask_runs=True)
        assert kube.objects[CLUSTERS]["spec"] == {"of": None}
        expected = f"{CLUSTERS.name} stays as it is, of another installation, which runs"
        assert expected in told
        assert package(kube) == OUR_PACKAGE

    def test_what_we_have_brought_gets_newer_though_dasks_chart_runs(self, kube: FakeKube) -> None:
        kube.put(found("dask-kubernetes==2022.1.0", CLUSTERS))
        applied(kube, dask_runs=True)
        assert package(kube, CLUSTERS) == DASKS_PACKAGE

    def test_ours_alone_where_the_cluster_has_dasks(self, kube: FakeKube) -> None:
        kube.put(found(None, CLUSTERS))
        applied(kube, with_dask=False)
        assert set(kube.objects) == {OURS, CLUSTERS}
        assert package(kube, CLUSTERS) is None


class TestWhatIsRefused:
    def test_to_go_without_dask_where_there_is_none(self, kube: FakeKube) -> None:
        with pytest.raises(ReleaseError) as caught:
            applied(kube, with_dask=False)
        assert str(caught.value) == (
            "daskController.enabled: it is false, but the cluster does not know the kind "
            "DaskCluster; install dask-kubernetes' operator first, or leave it true"
        )
        assert kube.writes == []

    def test_a_definition_that_is_being_deleted(self, kube: FakeKube) -> None:
        kube.put(found(OUR_PACKAGE, finalizers=["customresourcecleanup.apiextensions.k8s.io"]))
        kube.let_go(OURS)
        with pytest.raises(ReleaseError, match=r"searchjobs\.hyn-k8s\.dev: it is being deleted"):
            applied(kube)
        assert kube.writes == []

    def test_what_the_api_server_refuses(self, kube: FakeKube) -> None:
        kube.failures["apply"].append(ClusterError("apply", str(OURS), 403, "no"))
        with pytest.raises(ClusterError):
            applied(kube)

    def test_a_kind_that_is_not_served_in_time_with_what_the_api_server_says_of_it(
        self, kube: FakeKube
    ) -> None:
        taken = {"type": "NamesAccepted", "status": "False", "message": '"sj" is already in use'}

        def serve(verb: str) -> None:
            if OURS in kube.objects:
                kube.change(OURS, {"status": {"conditions": [taken]}})

        kube.before_call = serve
        with pytest.raises(ReleaseError) as caught:
            applied(kube, seconds=0.01)
        assert str(caught.value) == (
            "CustomResourceDefinitions: the API server does not serve them after 0 s: "
            'searchjobs.hyn-k8s.dev is not established; "sj" is already in use'
        )


def test_an_api_server_that_is_away_while_one_waits_is_waited_for(kube: FakeKube) -> None:
    away = ClusterError("get", str(OURS), None, "MaxRetryError")
    kube.failures["get"] += [*[None] * 5, away]
    applied(kube)
    assert package(kube) == OUR_PACKAGE


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("hyn-k8s==1.10", True),
        ("hyn-k8s==1.9.post1", True),
        ("hyn-k8s==1.9", False),
        ("hyn-k8s==1.9rc1", False),
        ("hyn-k8s==1.8", False),
        ("another==2.0", False),
        ("hyn-k8s==v.next", False),
        (None, False),
    ],
)
def test_newer_is_what_is_of_a_later_version_of_the_same(
    package: str | None, expected: bool
) -> None:
    assert is_newer(found(package), found("hyn-k8s==1.9")) is expected
