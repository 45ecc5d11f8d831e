"""A search ends while there is no operator, and is told from what its driver has left."""

from __future__ import annotations

import pytest

from tests.e2e.helm import Helm, Release, home, own_values, stopped
from tests.e2e.kube import Kube
from tests.e2e.search_jobs import AppliedSearch, Kept
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster

pytestmark = [
    *(pytest.mark.e2e, pytest.mark.releases, pytest.mark.full),
    pytest.mark.timeout(600),  # it installs a release while others do
]

TRIALS = 24


@pytest.fixture(params=["shared", "bucket"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Either storage."""
    found: Kept = request.getfixturevalue(request.param)
    return found


def test_it_ends_while_there_is_no_operator_and_its_driver_pod_is_deleted_then(
    helm: Helm, kube: Kube, cluster: Cluster, namespace: str, kept: Kept
) -> None:
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    with home(helm, kube, f"hyn-away-{namespace[-6:]}") as at:
        release = Release(at, "away")
        helm.install(at, "away", own_values(cluster, namespace))
        search.apply(script={"inline": SCRIPT}, args=["--trials", str(TRIALS), "--seconds", "3"])
        search.await_done(4)
        with stopped(kube, "operator", release):
            kube.await_status(
                *("batch/v1", "Job", "search-driver", namespace),
                lambda status: bool(status.get("succeeded")),
            )
            (driver,) = search.pods("driver")
            kube.await_gone("v1", "Pod", driver["metadata"]["name"], namespace)
        status = search.await_complete()
        assert status["trials"]["done"] == TRIALS
        assert status["best"]["rewards"]
        search.check_trials(TRIALS)
        helm(at, "uninstall", "away", "--wait")
