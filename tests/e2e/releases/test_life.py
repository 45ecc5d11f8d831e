"""The life of releases: upgraded, taken away and installed again while searches run; two at once.

Each is for a namespace of its own, so that these tests run beside each other. What only a release
for all namespaces shows, is in ``tests/e2e/test_install.py``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.helm import (
    Helm,
    HelmError,
    Release,
    controller_labels,
    home,
    images,
    leftovers,
    own_values,
)
from tests.e2e.kube import Kube
from tests.e2e.kubectl import kubectl
from tests.e2e.search_jobs import AppliedSearch, Kept, on_claim
from tests.e2e.servers import KEYS, await_server, minio
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster

# Each installs releases while others do.
pytestmark = [pytest.mark.e2e, pytest.mark.releases, pytest.mark.timeout(600)]

TRIALS = 45
"""Of a search that is still at it when a release has been upgraded, or taken away."""

LONG = {"script": {"inline": SCRIPT}, "args": ["--trials", str(TRIALS), "--seconds", "3"]}

DEFINITIONS = ("searchjobs.hyn-k8s.dev", "daskclusters.kubernetes.dask.org")


@pytest.mark.full  # an operator that begins in mid-search is tried in tests/operator as well
def test_an_upgrade_with_a_search_running_loses_no_trial(
    helm: Helm, kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    values = own_values(cluster, namespace)
    with home(helm, kube, "hyn-up") as at:
        release = Release(at, "up")
        helm.install(at, "up", values)
        search = AppliedSearch(kube, namespace, cluster.images["runtime"], shared)
        search.apply(**LONG)
        search.await_done(3)
        before = controllers(kube, release)
        for section in ("operator", "daskController"):
            values[section] = {**values[section], "labels": {"upgraded": "yes"}}
        helm.install(at, "up", values)
        after = controllers(kube, release)
        assert len(after) == 2
        assert not before & after
        assert search.status()["phase"] == "Running"
        search.await_complete()
        assert {trial["status"] for trial in search.check_trials(TRIALS)} == {"succeeded"}
        helm(at, "uninstall", "up", "--wait")


def controllers(kube: Kube, release: Release) -> set[str]:
    """The pods of a release's two controllers, by what tells each from any other pod."""
    return {
        pod["metadata"]["uid"]
        for component in ("operator", "dask-controller")
        for pod in kube.pods(release.namespace, controller_labels(component, release))
    }


def test_uninstalled_with_a_search_running_and_installed_by_another_name_it_goes_on(
    helm: Helm, kube: Kube, cluster: Cluster, namespace: str, shared_class: str
) -> None:
    storage = {"file": {"claim": {"storageClassName": shared_class, "size": "1Gi"}}}
    values = own_values(cluster, namespace) | {"storage": storage}
    search = AppliedSearch(
        *(kube, namespace, cluster.images["runtime"]), on_claim("hyn-k8s", "hypernets")
    )
    with home(helm, kube, "hyn-one") as one:
        helm.install(one, "one", values)
        search.apply(**LONG, storage=None)
        search.await_done(3)
        said = helm(one, "uninstall", "one", "--wait")
        assert 'release "one" uninstalled' in said
        assert search.condition("Suspended")["status"] == "True"
        done = search.status()["trials"]["done"]
        assert 3 <= done < TRIALS
        assert leftovers(kube, Release(one, "one")) == []
        assert running_objects(kube, namespace) == []
    for name in DEFINITIONS:
        assert kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    claim = kube.get("v1", "PersistentVolumeClaim", "hyn-k8s", namespace)
    with home(helm, kube, "hyn-two") as two:
        helm.install(two, "two", values)
        kept = kube.get("v1", "PersistentVolumeClaim", "hyn-k8s", namespace)
        assert claim is not None
        assert kept is not None
        assert kept["metadata"]["uid"] == claim["metadata"]["uid"]
        search.patch(suspend=False)
        search.await_complete()
        search.check_trials(TRIALS)
        helm(two, "uninstall", "two", "--wait")


def running_objects(kube: Kube, namespace: str) -> list[str]:
    """What of searches runs."""
    kinds = [("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "Job")]
    kinds.append(("kubernetes.dask.org/v1", "DaskCluster"))
    return [
        f"{kind} {each['metadata']['name']}"
        for api, kind in kinds
        for each in kube.find(api, kind, namespace)
    ]


def test_two_releases_for_a_namespace_each_see_nothing_else_and_a_rival_is_refused(
    helm: Helm,
    kube: Kube,
    cluster: Cluster,
    namespace: str,
    claim: str,
    shared: Kept,
    other_namespace: str,
) -> None:
    kube.apply(minio(cluster.images["minio"]), other_namespace)
    with home(helm, kube, "hyn-red") as red, home(helm, kube, "hyn-blue") as blue:
        volume = {"storage": {"file": {"existingClaim": claim}}}
        bucket = {"root": "/searches/runs", "endpoint": "http://minio:9000"}
        keys = {"accessKey": KEYS[0], "secretKey": KEYS[1]}
        helm.install(red, "red", own_values(cluster, namespace) | volume)
        await_server(kube, "minio", other_namespace)
        said = helm.install(
            *(blue, "blue"),
            own_values(cluster, other_namespace)
            | {"storage": {"s3": {**bucket, **keys}}, "crds": {"install": False}},
        )
        assert KEYS[1] not in said
        with ThreadPoolExecutor() as at_once:
            for tested in at_once.map(
                lambda each: helm(each[0], "test", each[1], "--logs"),
                [(red, "red"), (blue, "blue")],
            ):
                assert "Phase:          Succeeded" in tested
                assert "4 of 4 trials done" in tested
        for release in (Release(red, "red"), Release(blue, "blue")):
            for component in ("operator", "dask-controller"):
                log = kube.log_of(release.namespace, controller_labels(component, release))
                assert "forbidden" not in log, "it asks for nothing that it may not have"
        places = [("hyn-red:red", namespace, other_namespace)]
        places.append(("hyn-blue:blue", other_namespace, namespace))
        for account, own, elsewhere in places:
            for controller_ in ("operator", "dask-controller"):
                who = f"system:serviceaccount:{account}-{controller_}"
                assert may(cluster, who, "list", "pods", own)
                assert may(cluster, who, "list", "daskclusters.kubernetes.dask.org", own)
                assert not may(cluster, who, "list", "pods", elsewhere)
                assert not may(cluster, who, "list", "daskclusters.kubernetes.dask.org", elsewhere)
                assert not may(cluster, who, "list", "namespaces", elsewhere)
        with home(helm, kube, "hyn-all") as everywhere:
            with pytest.raises(HelmError) as caught:
                helm.install(everywhere, "all", {"images": images(cluster)})
            assert "already runs the searches of" in str(caught.value)
            assert "give each release other watchNamespaces" in str(caught.value)
            # Taken away, one that was refused leaves the searches of others alone.
            search = AppliedSearch(kube, namespace, cluster.images["runtime"], shared)
            search.apply(script={"inline": SCRIPT}, args=["--trials", "6"], executors=1)
            helm(everywhere, "uninstall", "all", "--wait")
            assert not search.manifest()["spec"].get("suspend")
            search.await_complete()
        helm(red, "uninstall", "red", "--wait")
        helm(blue, "uninstall", "blue", "--wait")


def may(cluster: Cluster, who: str, verb: str, resource: str, namespace: str) -> bool:
    """Whether an account may do something."""
    said = kubectl(
        *(cluster, "auth", "can-i", verb, resource, "--namespace", namespace, "--as", who)
    )
    answer = said.splitlines()[-1]
    assert answer in ("yes", "no"), said
    return answer == "yes"
