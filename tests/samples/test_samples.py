"""What a user copies works: ``manifests/samples`` are SearchJobs, whole and of today's examples.

A sample that is wrong is wrong in every copy of it, so all is looked at that can be without a
cluster: that the SearchJob is one, that its script is the example it says it is, that nothing it
refers to is left for the reader to guess, and that what runs on a laptop runs there.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hyn_k8s.api.search_job import SearchJob
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.results import read_summaries, read_trials
from hyn_k8s.search.settings import StorageSettings
from tests.processes import DaskCluster, run_cli

ROOT = pathlib.Path(__file__).parents[2]
SAMPLES = ROOT / "manifests/samples"
MINIO = ROOT / "manifests/dev/minio.yaml"

NAMES = (
    *("minimal", "file", "nfs", "cephfs", "s3-minio", "multi-objective", "experiment"),
    *("own-data", "gpu", "suspend", "from-configmap", "resume"),
)
INLINED = {
    "multi-objective": "multi_objective.py",
    "experiment": "experiment.py",
    "own-data": "own_data.py",
    "suspend": "heart_disease.py",
}
"""Samples whose script is an example, word for word."""

OF_STORAGE = ("file", "nfs", "cephfs", "s3-minio")
"""Samples that show a storage, and are the search of ``minimal`` otherwise."""

Object = dict[str, Any]


def objects(path: pathlib.Path) -> list[Object]:
    """Every object of a file."""
    return list(yaml.safe_load_all(path.read_text()))


def search_job(name: str) -> Object:
    """The one SearchJob of a sample."""
    (found,) = (each for each in sample(name) if each["kind"] == "SearchJob")
    return found


def sample(name: str) -> list[Object]:
    return objects(SAMPLES / f"{name}.yaml")


def head(path: pathlib.Path) -> list[str]:
    """The comment that a file begins with."""
    lines = path.read_text().splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return lines[:end]


def scripts(name: str) -> dict[str, str]:
    """The Python text of a sample, by where it is: inline, and in ConfigMaps."""
    found = {
        f"{each['metadata']['name']}/{key}": text
        for each in sample(name)
        if each["kind"] == "ConfigMap"
        for key, text in each["data"].items()
    }
    inline = search_job(name)["spec"]["script"].get("inline")
    return found if inline is None else found | {"inline": inline}


_NAMED = {
    "claimName": "PersistentVolumeClaim",
    "secretName": "Secret",
    "configMapName": "ConfigMap",
    "volumeName": "PersistentVolume",
}
_NAMING = {
    "configMap": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
}


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of each object that ``value`` refers to, at any depth."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        if key in _NAMED:
            yield _NAMED[key], each
        elif key in _NAMING:
            yield _NAMING[key], each["name"]
        yield from references(each)


def test_there_are_these_and_no_others() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {f"{name}.yaml" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
class TestEach:
    def test_is_a_search_job_named_as_its_file(self, name: str) -> None:
        read = SearchJob.model_validate(search_job(name))
        assert read.metadata.name == name
        assert read.metadata.namespace is None
        assert read.spec.executors <= 3

    def test_begins_with_what_it_is_and_how_it_is_applied(self, name: str) -> None:
        path = SAMPLES / f"{name}.yaml"
        lines = head(path)
        assert 1 <= len(lines) <= 4
        assert all(len(line) <= 100 for line in lines)
        assert f"kubectl apply -f manifests/samples/{name}.yaml" in "\n".join(lines)
        assert re.search(rf"kubectl (get|logs|describe) .*\b{name}\b", "\n".join(lines))

    def test_has_or_names_what_it_refers_to(self, name: str) -> None:
        first = "\n".join(head(SAMPLES / f"{name}.yaml"))
        own = {(each["kind"], each["metadata"]["name"]) for each in sample(name)}
        for kind, referred in references(sample(name)):
            assert (kind, referred) in own or f"`{referred}`" in first, (kind, referred)

    def test_has_scripts_that_compile_and_guard_nothing(self, name: str) -> None:
        found = scripts(name)
        assert found
        for where, text in found.items():
            compile(text, f"{name}/{where}", "exec")
            assert "if __name__" not in text

    def test_gives_its_script_arguments_that_it_knows(self, name: str) -> None:
        spec = search_job(name)["spec"]
        for option in spec.get("args", []):
            assert not option.startswith("--") or f'"{option}"' in spec["script"]["inline"]


@pytest.mark.parametrize(("name", "example"), INLINED.items())
def test_a_script_that_is_an_example_is_that_example(name: str, example: str) -> None:
    text = (ROOT / "examples" / example).read_text()
    assert search_job(name)["spec"]["script"]["inline"] == text


@pytest.mark.parametrize("name", OF_STORAGE)
def test_a_storage_is_shown_by_the_minimal_search(name: str) -> None:
    spec, minimal = search_job(name)["spec"], search_job("minimal")["spec"]
    assert spec["storage"]
    assert spec["script"] == minimal["script"]
    assert set(minimal) == {"script"}


def test_the_claim_of_the_nfs_export_is_bound_to_it() -> None:
    volume, claim, _ = sample("nfs")
    for each in (volume, claim):
        assert each["spec"]["accessModes"] == ["ReadWriteMany"]
        assert each["spec"]["storageClassName"] == ""
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    requested = claim["spec"]["resources"]["requests"]["storage"]
    assert requested == volume["spec"]["capacity"]["storage"]


def test_the_config_map_has_the_script_and_the_module_that_it_imports() -> None:
    key = search_job("from-configmap")["spec"]["script"]["configMap"]["key"]
    data = sample("from-configmap")[0]["data"]
    (module,) = set(data) - {key}
    assert f"from {module.removesuffix('.py')} import " in data[key]


class TestMinio:
    """The server of ``manifests/dev``, which the sample with a bucket is to run against."""

    def test_takes_the_keys_of_the_samples_secret(self) -> None:
        secret, job = sample("s3-minio")
        s3 = job["spec"]["storage"]["s3"]
        deployment, _ = objects(MINIO)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        taken = [each["valueFrom"]["secretKeyRef"] for each in container["env"]]
        fields = [s3["accessKeyField"], s3["secretKeyField"]]
        assert taken == [{"name": s3["secretName"], "key": field} for field in fields]
        assert secret["metadata"]["name"] == s3["secretName"]
        assert list(secret["stringData"]) == fields
        assert all(len(key) >= 8 for key in secret["stringData"].values())  # or MinIO refuses it

    def test_is_the_samples_endpoint(self) -> None:
        _, service = objects(MINIO)
        (port,) = service["spec"]["ports"]
        endpoint = search_job("s3-minio")["spec"]["storage"]["s3"]["endpoint"]
        assert endpoint == f"http://{service['metadata']['name']}:{port['port']}"

    def test_is_selected_by_its_service_and_allowed_where_pods_are_restricted(self) -> None:
        deployment, service = objects(MINIO)
        template = deployment["spec"]["template"]
        assert service["spec"]["selector"] == template["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        pod, (container,) = template["spec"]["securityContext"], template["spec"]["containers"]
        assert pod["runAsNonRoot"] is True
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}

    def test_says_which_samples_secret_it_needs(self) -> None:
        assert "-f manifests/samples/s3-minio.yaml" in "\n".join(head(MINIO))


@pytest.mark.processes
class TestOnALaptop:
    @pytest.mark.full  # other tests of "run -f" have a cluster of their own
    def test_the_minimal_search(self, tmp_path: pathlib.Path) -> None:
        done = run_cli("run", "-f", str(SAMPLES / "minimal.yaml"), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "3 trials at a time on this machine" in done.stderr
        found = re.search(r"^trial \d+ won, auc (0\.\d+)$", done.stdout, re.M)
        assert found
        assert float(found[1]) > 0.8
        storage = FileStorage(StorageSettings("file", str(tmp_path / "workdir")))
        assert len(read_summaries(storage, "minimal-1")) == 1
        rows = read_trials(storage, "minimal-1", "search-1")
        assert len(rows) == 12
        assert {row["status"] for row in rows} <= {"succeeded", "skipped"}

    def test_the_files_of_the_config_map(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        for name, text in sample("from-configmap")[0]["data"].items():
            (tmp_path / name).write_text(text)
        file = str(SAMPLES / "from-configmap.yaml")
        options = ["--scheduler", cluster.address, "search.py"]
        done = run_cli("run", "-f", file, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert re.search(r"^trial \d+ won, auc 0\.[89]", done.stdout, re.M)
