"""Releases that look after different namespaces go together; two for one are refused."""

from __future__ import annotations

from typing import Any

import pytest

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError, ReleaseError
from hyn_k8s.release.rivals import (
    NAMESPACES_ANNOTATION,
    RELEASE_ANNOTATION,
    Release,
    conflict,
    dasks_own,
    find_rivals,
    find_watched,
    listed,
)
from tests.operator.fake_kube import FakeKube


def release(*watched: str, has_dask: bool = True) -> Release:
    """The release ``new`` in the namespace ``here``."""
    return Release(name="new", namespace="here", watched=watched, has_dask=has_dask)


def deployment(name: str, namespace: str, labels: dict[str, str], **metadata: Any) -> Manifest:
    prefixed = {f"app.kubernetes.io/{key}": value for key, value in labels.items()}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": prefixed} | metadata,
        "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}},
    }


def installed(
    *watched: str, name: str = "old", namespace: str = "there", has_dask: bool = True
) -> list[Manifest]:
    """The Deployments of a release of this chart, as the API server sorts them."""
    annotations = {NAMESPACES_ANNOTATION: ",".join(watched), RELEASE_ANNOTATION: name}
    components = ["dask-controller", "operator"] if has_dask else ["operator"]
    return [
        deployment(
            f"{name}-{component}",
            namespace,
            {"name": "hyn-k8s", "instance": "Argo CD's", "component": component},
            annotations=annotations,
        )
        for component in components
    ]


def dasks(*args: str, command: list[str] | None = None) -> Manifest:
    """The Deployment of dask's own chart."""
    found = deployment("dask", "dask", {"name": "dask-kubernetes-operator", "instance": "dask"})
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container |= {"args": [*args]} if args else {}
    container |= {"command": command} if command else {}
    return found


class TestReleasesOfThisChart:
    def test_alone_it_may_come(self) -> None:
        assert conflict(release(), [], []) is None

    def test_what_is_of_the_release_itself_is_no_rival(self) -> None:
        own = installed(name="new", namespace="here")
        assert conflict(release(), own, []) is None

    @pytest.mark.parametrize(("name", "namespace"), [("new", "there"), ("old", "here")])
    def test_one_of_its_name_elsewhere_or_beside_it_is(self, name: str, namespace: str) -> None:
        assert conflict(release(), installed(name=name, namespace=namespace), [])

    @pytest.mark.parametrize(
        ("mine", "theirs", "shared"),
        [
            ([], [], "all namespaces"),
            ([], ["red", "blue"], "red, blue"),
            (["red"], [], "red"),
            (["red", "blue"], ["green", "blue"], "blue"),
        ],
    )
    def test_one_that_looks_after_the_same_is_named_with_what_it_shares(
        self, mine: list[str], theirs: list[str], shared: str
    ) -> None:
        assert conflict(release(*mine), installed(*theirs), []) == (
            f"deployment there/old-operator already runs the searches of {shared}; give each "
            "release other watchNamespaces, or uninstall that one first"
        )

    def test_one_that_looks_after_others_is_fine(self) -> None:
        assert conflict(release("red"), installed("blue", "reddish"), []) is None

    def test_so_it_is_without_dask_too(self) -> None:
        assert conflict(release("red", has_dask=False), installed("blue"), []) is None

    @pytest.mark.parametrize("annotations", [None, {}])
    def test_one_that_does_not_say_looks_after_all(
        self, annotations: dict[str, str] | None
    ) -> None:
        (operator,) = installed(has_dask=False)
        operator["metadata"]["annotations"] = annotations
        problem = conflict(release("red"), [operator], [])
        assert problem is not None
        assert "already runs the searches of red" in problem

    def test_a_dask_controller_of_ours_counts_by_itself(self) -> None:
        controller, _ = installed("red")
        assert conflict(release("red"), [controller], []) == (
            "deployment there/old-dask-controller is a dask controller for red, and a second one "
            "would undo its work; set daskController.enabled=false to use that one"
        )
        assert conflict(release("red", has_dask=False), [controller], []) is None


class TestDasksOwnChart:
    @pytest.mark.parametrize(
        ("args", "shared"),
        [
            ([], "all namespaces"),
            (["--liveness=http://0.0.0.0:8080/healthz", "--all-namespaces"], "all namespaces"),
            (["-A"], "all namespaces"),
            (["--namespace=red", "-n", "blue"], "red, blue"),
            (["--namespace", "red", "-nblue"], "red, blue"),
            (["--namespace=team-*"], "team-*"),
        ],
    )
    def test_its_controller_is_a_second_one(self, args: list[str], shared: str) -> None:
        assert conflict(release(), [], [dasks(*args)]) == (
            f"deployment dask/dask is a dask controller for {shared}, and a second one would undo "
            "its work; set daskController.enabled=false to use that one"
        )

    def test_the_flags_may_be_in_its_command(self) -> None:
        rival = dasks(command=["kopf", "run", "-n", "blue"])
        assert conflict(release("red"), [], [rival]) is None
        assert conflict(release("blue"), [], [rival]) is not None

    def test_without_a_controller_of_its_own_a_release_uses_that_one(self) -> None:
        assert conflict(release(has_dask=False), [], [dasks()]) is None

    @pytest.mark.parametrize(
        ("pattern", "is_second"),
        [
            ("red", True),
            ("blue", False),
            ("r*", True),
            ("re?", True),
            ("!red", False),
            ("!blue", True),
            ("*, !r*", False),
            ("r*, !re*, red", True),
            ("b*, red", False),
        ],
    )
    def test_its_namespaces_are_patterns_as_kopf_reads_them(
        self, pattern: str, is_second: bool
    ) -> None:
        problem = conflict(release("red"), [], [dasks(f"--namespace={pattern}")])
        assert (problem is not None) is is_second


class TestInACluster:
    def test_a_rival_is_found_in_any_namespace(self) -> None:
        kube = FakeKube()
        for each in installed("red"):
            kube.put(each)
        with pytest.raises(ReleaseError, match=r"^new: deployment there/old-operator already"):
            find_rivals(kube, release("red"))
        find_rivals(kube, release("blue"))

    def test_so_is_dasks_own_chart(self) -> None:
        kube = FakeKube()
        assert dasks_own(kube) == []
        kube.put(dasks("--all-namespaces"))
        with pytest.raises(ReleaseError, match="deployment dask/dask is a dask controller"):
            find_rivals(kube, release("red"))
        assert len(dasks_own(kube)) == 1

    def test_other_deployments_are_none_of_its_business(self) -> None:
        kube = FakeKube()
        kube.put(deployment("web", "red", {"name": "web", "component": "operator"}))
        find_rivals(kube, release())

    def test_where_it_cannot_look_it_says_so(self) -> None:
        kube = FakeKube()
        kube.failures["list"].append(ClusterError("list", "deployments", 403, "forbidden"))
        with pytest.raises(ClusterError):
            find_rivals(kube, release())


def test_namespaces_stand_between_commas_and_none_is_none() -> None:
    assert listed("") == ()
    assert listed("red,blue") == ("red", "blue")


class TestWatched:
    @pytest.fixture
    def kube(self) -> FakeKube:
        kube = FakeKube()
        for each in installed("red", "blue"):
            kube.put(each)
        return kube

    def test_a_release_looks_after_what_its_operator_says(self, kube: FakeKube) -> None:
        assert find_watched(kube, "old", "there") == ("red", "blue")

    def test_one_that_was_refused_has_no_operator(self, kube: FakeKube) -> None:
        assert find_watched(kube, "new", "there") is None
        assert find_watched(kube, "old", "here") is None

    def test_one_for_all_namespaces(self) -> None:
        kube = FakeKube()
        for each in installed():
            kube.put(each)
        assert find_watched(kube, "old", "there") == ()
