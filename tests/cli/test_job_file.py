"""``hyn-k8s run -f``: a SearchJob as kubectl applies it, on this machine."""

from __future__ import annotations

import copy
import json
import pathlib
from typing import Any

import pytest
import yaml

from hyn_k8s import contract
from hyn_k8s.cli.job_file import read_job_file
from hyn_k8s.errors import SpecError
from tests.cli.scripts import write_script
from tests.faults.scripts import SCRIPT
from tests.processes import DaskCluster, run_cli

pytestmark = pytest.mark.processes

JOB: dict[str, Any] = {
    "apiVersion": "hyn-k8s.dev/v1alpha1",
    "kind": "SearchJob",
    "metadata": {"name": "heart"},
    "spec": {"script": {"path": "search.py"}},
}


def job(**spec: Any) -> dict[str, Any]:
    changed = copy.deepcopy(JOB)
    changed["spec"] |= {"script": {"inline": "print('a search')"}} | spec
    return changed


def written(folder: pathlib.Path, *documents: Any) -> str:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


class TestReading:
    def test_what_it_says_of_the_run(self, tmp_path: pathlib.Path) -> None:
        read = read_job_file(
            written(
                tmp_path,
                job(
                    executors=5,
                    args=["--rows", "10"],
                    env=[{"name": "MINE", "value": "1"}],
                    trialTimeoutSeconds=60,
                    trialAttempts=2,
                ),
            )
        )
        assert (read.name, read.inline, read.path) == ("heart", "print('a search')", None)
        assert read.arguments == ("--rows", "10")
        assert read.variables == {"MINE": "1"}
        assert read.settings == {
            contract.EXECUTORS: "5",
            contract.TRIAL_ATTEMPTS: "2",
            contract.TRIAL_TIMEOUT: "60",
        }

    def test_a_run_that_it_resumes_must_exist(self, tmp_path: pathlib.Path) -> None:
        assert not read_job_file(written(tmp_path, job())).must_exist
        read = read_job_file(written(tmp_path, job(run="old-0c1f6a52")))
        assert read.must_exist
        assert read.settings[contract.RUN_ID] == "old-0c1f6a52"

    def test_a_volume_that_is_mounted_here_is_used_and_another_is_the_workdir(
        self, tmp_path: pathlib.Path
    ) -> None:
        def root(mount: str) -> str:
            file = {"claimName": "shared", "mountPath": mount, "root": "runs"}
            read = read_job_file(written(tmp_path, job(storage={"file": file})))
            return read.settings[contract.STORAGE_ROOT]

        assert root("/srv") == "/srv/runs"
        assert root("/no/such/mount") == "workdir"

    def test_a_bucket_is_the_same_from_here(self, tmp_path: pathlib.Path) -> None:
        s3 = {
            "root": "/bucket/runs",
            "endpoint": "http://minio:9000",
            "region": "eu-1",
            "options": {"client_kwargs": {"verify": "/ca.crt"}},
        }
        read = read_job_file(written(tmp_path, job(storage={"s3": s3})))
        assert read.settings[contract.STORAGE_TYPE] == "s3"
        assert read.settings[contract.STORAGE_ROOT] == "/bucket/runs"
        assert json.loads(read.settings[contract.STORAGE_OPTIONS]) == {
            "endpoint_url": "http://minio:9000",
            "client_kwargs": {"region_name": "eu-1", "verify": "/ca.crt"},
        }

    def test_the_keys_of_the_environments_options_stay(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = {"key": "k", "client_kwargs": {"endpoint_url": "http://elsewhere", "verify": "/ca"}}
        monkeypatch.setenv("HYN_STORAGE_OPTIONS", json.dumps(here))
        s3 = {"root": "/bucket/runs", "endpoint": "http://minio:9000", "region": "eu-1"}
        read = read_job_file(written(tmp_path, job(storage={"s3": s3})))
        assert json.loads(read.settings[contract.STORAGE_OPTIONS]) == {
            "key": "k",
            "endpoint_url": "http://minio:9000",
            "client_kwargs": {"verify": "/ca", "region_name": "eu-1"},
        }

    def test_options_of_a_secret_are_those_of_the_environment(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        s3 = {"root": "/bucket/runs", "secretName": "s3", "optionsField": "options"}
        file = written(tmp_path, job(storage={"s3": s3}))
        with pytest.raises(SpecError, match="optionsField is of the cluster; set HYN_STORAGE_OPT"):
            read_job_file(file)
        monkeypatch.setenv("HYN_STORAGE_OPTIONS", '{"key": "k"}')
        assert contract.STORAGE_OPTIONS not in read_job_file(file).settings

    def test_variables_refer_to_others_as_on_a_cluster(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HERE", "1")
        values = {"A": "$(HERE)2", "B": "$(A)3$$(A)", "C": "$(LATER) $HERE $", "LATER": "x"}
        env = [{"name": name, "value": value} for name, value in values.items()]
        read = read_job_file(written(tmp_path, job(env=env)))
        expected = {"A": "12", "B": "123$(A)", "C": "$(LATER) $HERE $", "LATER": "x"}
        assert read.variables == expected

    def test_other_objects_of_the_file_are_left_alone(self, tmp_path: pathlib.Path) -> None:
        other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}}
        assert read_job_file(written(tmp_path, other, job())).name == "heart"

    @pytest.mark.parametrize(
        ("documents", "problem"),
        [
            ([], "it has no SearchJobs"),
            ([job(), job()], "it has 2 SearchJobs"),
            ([job(executors=0)], "spec.executors: Input should be greater than or equal to 1"),
            ([job(executers=1)], "spec.executers: Extra inputs are not permitted"),
            ([job(script={})], "spec.script: set exactly one of inline, configMap and path"),
            ([{**job(), "metadata": {"name": "Heart"}}], "metadata.name: "),
            (
                [job(envFrom=[{"secretRef": {"name": "s"}}])],
                "spec.envFrom is of the cluster; set its variables here, and leave it out",
            ),
            (
                [job(script={"configMap": {"name": "scripts", "key": "a.py"}})],
                "spec.script.configMap is of the cluster; name the script behind the options",
            ),
            (
                [
                    job(
                        env=[
                            {
                                "name": "TOKEN",
                                "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}},
                            }
                        ]
                    )
                ],
                "spec.env[0].valueFrom is of the cluster; set TOKEN here",
            ),
        ],
    )
    def test_what_is_wrong_is_said_in_a_sentence(
        self, tmp_path: pathlib.Path, documents: list[Any], problem: str
    ) -> None:
        with pytest.raises(SpecError) as raised:
            read_job_file(written(tmp_path, *documents))
        assert str(raised.value).startswith(f"job.yaml: {problem}")

    def test_a_file_that_is_none(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(SpecError, match=r"^absent\.yaml: No such file"):
            read_job_file(str(tmp_path / "absent.yaml"))
        (tmp_path / "bad.yaml").write_text("a: [")
        with pytest.raises(SpecError, match=r"^bad\.yaml: it is no YAML"):
            read_job_file(str(tmp_path / "bad.yaml"))


def test_an_inline_script_runs_and_goes_on_by_the_searchs_name(tmp_path: pathlib.Path) -> None:
    file = written(tmp_path, job(script={"inline": SCRIPT}, executors=2, args=["--trials", "4"]))
    done = run_cli("run", "-f", file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 trials at a time on this machine" in done.stderr
    assert (tmp_path / "workdir/heart-1/search-1/summary.json").exists()


def test_flags_and_a_script_behind_them_win(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    write_script(tmp_path / "scripts")
    file = written(tmp_path, job(executors=3, args=["--trials", "2"]))
    options = ["--scheduler", cluster.address, "--executors", "1", "--run", "mine"]
    done = run_cli("run", "-f", file, *options, "scripts/mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 trials at a time" in done.stderr
    assert (tmp_path / "workdir/mine/search-1/summary.json").exists()


def test_a_script_behind_the_options_is_run_instead_of_a_config_maps(
    cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    write_script(tmp_path / "scripts")
    script = {"configMap": {"name": "scripts", "key": "mine.py"}}
    file = written(tmp_path, job(script=script, executors=1, args=["--trials", "2"]))
    options = ["--scheduler", cluster.address, "--run", "mine"]
    done = run_cli("run", "-f", file, *options, "scripts/mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "workdir/mine/search-1/summary.json").exists()


def test_a_wrong_one_ends_with_2_and_without_a_script_too(tmp_path: pathlib.Path) -> None:
    done = run_cli("run", "-f", written(tmp_path, job(executors=0)), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: job.yaml: spec.executors")
    done = run_cli("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "name a SCRIPT, or a SearchJob by -f" in done.stderr
