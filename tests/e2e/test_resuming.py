"""A search that has failed is repaired and resumed, by itself or by another SearchJob.

None of its trials is run twice, and none is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.kube import EVERY, Kube
from tests.e2e.objects import config_map
from tests.e2e.search_jobs import AppliedSearch, Kept, applied
from tests.e2e.servers import await_server, minio
from tests.faults.scripts import SCRIPT, broken
from tests.kind.cluster import Cluster
from tests.waiting import until

pytestmark = pytest.mark.e2e

TRIALS = 12
ARGUMENTS = ["--trials", str(TRIALS), "--seconds", "2"]

FROM_MAP = {"configMap": {"name": "script", "key": "search.py"}}


def put_script(kube: Kube, namespace: str, script: str) -> None:
    """Have the ConfigMap with it, as somebody who repairs it has."""
    kube.apply([config_map("script", {"search.py": script})], namespace)


def done_of(search: AppliedSearch) -> int:
    """How many trials are done."""
    return int(search.status()["trials"]["done"])


def test_a_failed_search_is_retried_and_its_run_is_resumed_by_another(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    put_script(kube, namespace, broken(SCRIPT, 3))
    first = applied(*(kube, cluster, namespace, shared), script=FROM_MAP, args=ARGUMENTS)
    assert "no column age" in first.await_failed("ScriptFailed")
    done, run = done_of(first), str(first.status()["run"])
    assert 3 <= done < TRIALS

    put_script(kube, namespace, broken(SCRIPT, 7))
    first.patch(suspend=True)
    retried = first.await_condition("Failed", "False", "Retried")
    assert retried["message"].startswith("it failed before, by ScriptFailed: ")
    assert first.condition("Suspended")["status"] == "True"
    assert done_of(first) == done
    first.patch(driver={"resources": {"requests": {"cpu": "60m"}}})
    first.patch(suspend=False)
    first.await_condition("Failed", "True", "ScriptFailed")
    assert done < done_of(first) < TRIALS
    assert first.status()["run"] == run

    second = first.another("second")
    second.apply(script={"inline": SCRIPT}, args=ARGUMENTS, run=run)
    second.await_done(8)
    first.delete()
    second.await_complete()
    assert second.status()["run"] == run
    assert second.run_name() == run
    second.check_trials(TRIALS)

    second.patch(suspend=True)
    said = second.await_condition("Suspended", "False", "NotRetried", 30)["message"]
    assert "the search is complete" in said
    assert second.status()["phase"] == "Complete"


def test_a_run_that_is_not_there_or_is_another_search_is_refused_with_a_sentence(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    begun = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": SCRIPT},
        args=["--trials", "3"],
        executors=1,
    )
    nobodys = begun.another("nobodys")
    nobodys.apply(script={"inline": SCRIPT}, executors=1, run="nobody-1")
    said = nobodys.await_failed("RunRefused")
    assert said.startswith(f"run nobody-1: it is not on /opt/share/{namespace}; spec.run takes ")
    begun.await_complete()
    run = begun.run_name()
    other = begun.another("other")
    another_space = SCRIPT.replace("x=Real(0, 1)", "x=Real(0, 2)")
    assert another_space != SCRIPT
    other.apply(script={"inline": another_space}, args=["--trials", "5"], executors=1, run=run)
    said = other.await_failed("RunRefused")
    assert said.startswith(f"run {run}: search-1 was begun otherwise: its space's m.x was ")
    assert said.endswith("; a new SearchJob without spec.run begins a new run")
    other.delete()
    begun.check_trials(3)


def test_two_on_one_run_have_one_driver_at_a_time(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    first = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": SCRIPT},
        args=["--trials", "24", "--seconds", "4"],
        executors=1,
    )
    first.await_done(1)
    run = str(first.status()["run"])
    second = first.another("second")
    second.apply(script={"inline": SCRIPT}, args=["--trials", "26"], executors=1, run=run)
    waiting = second.await_condition("DriverRunning", "False", "RunTaken", 90)
    assert f"{run}: the process" in waiting["message"]
    assert "on search-driver-" in waiting["message"]
    assert second.status().get("trials") is None
    first.await_complete()
    second.await_complete()
    second.check_trials(26)


@pytest.fixture
def server(
    kube: Kube, cluster: Cluster, namespace: str, claim: str, bucket: Kept
) -> Iterator[Callable[[bool], None]]:
    """The bucket's server, told whether to run; its data outlast it. Afterwards it runs."""
    deployment, _ = minio(cluster.images["minio"])
    pod = deployment["spec"]["template"]["spec"]
    others = [each for each in pod["volumes"] if each["name"] != "data"]
    shared = {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
    pod["volumes"] = [*others, shared]
    pod["containers"][0]["args"][1] = f"/data/{namespace}-minio"
    kube.await_gone("apps/v1", "Deployment", "minio", namespace)
    kube.apply([deployment], namespace)

    def run(runs: bool) -> None:
        """Have it run, or not, and wait until that is so."""
        changes = {"spec": {"replicas": 1 if runs else 0}}
        kube.patch("apps/v1", "Deployment", "minio", namespace, changes)
        until(lambda: len(kube.find("v1", "Pod", namespace, "app=minio")) == runs, "it", 60, EVERY)
        if runs:
            await_server(kube, "minio", namespace)

    run(True)
    yield run
    run(True)


@pytest.mark.full
def test_a_storage_that_is_away_for_longer_than_all_patience_ends_no_search(
    kube: Kube, cluster: Cluster, namespace: str, bucket: Kept, server: Callable[[bool], None]
) -> None:
    search = applied(
        *(kube, cluster, namespace, bucket),
        script={"inline": SCRIPT},
        args=ARGUMENTS,
        env=[{"name": "HYN_STORAGE_PATIENCE", "value": "1"}],
        driverRetries=1,
    )
    search.await_done(2)
    server(False)
    job = ("batch/v1", "Job", "search-driver", namespace)
    used_up = kube.await_status(
        *job,
        lambda status: any(
            (each["type"], each["status"], each["reason"])
            == ("Failed", "True", "BackoffLimitExceeded")
            for each in status.get("conditions") or []
        ),
        180,
    )
    assert used_up["failed"] == 2
    search.await_condition("StorageReady", "False", "StorageRefused", 20, "s3://searches/runs")
    search.await_condition("DriverRunning", "False", "Retrying", 20, "another driver")
    assert search.condition("Failed") == {}
    assert search.status()["phase"] == "Starting"
    server(True)
    until(
        lambda: (kube.get(*job) or {"status": used_up})["status"].get("failed") is None,
        *("another Job", 90, EVERY),
    )
    search.await_complete()
    search.check_trials(TRIALS)
