"""``enable()`` and ``DaskDispatcher`` in scripts that are started by plain Python."""

from __future__ import annotations

import csv
import pathlib
import subprocess

import pytest

from tests import processes
from tests.cli.scripts import SEARCH, write_script
from tests.processes import DaskCluster, run_cli

pytestmark = pytest.mark.processes


def run_python(script: pathlib.Path, **env: str) -> subprocess.CompletedProcess[str]:
    return processes.run_python(script.name, cwd=script.parent, env=env)


def workers(run: pathlib.Path) -> set[str]:
    with (run / "search-1/trials.csv").open() as file:
        return {row["worker"] for row in csv.DictReader(file)}


def test_enable_runs_searches_on_an_embedded_cluster(tmp_path: pathlib.Path) -> None:
    script = write_script(tmp_path)
    script.write_text("import hyn_k8s\nhyn_k8s.enable(executors=2, storage_root='kept')\n" + SEARCH)
    done = run_python(script)
    assert done.returncode == 0, done.stderr
    assert workers(tmp_path / "kept/mine-1") <= {"worker-1", "worker-2"}
    assert "mine-1/search-1: 6/6 done" in done.stderr
    assert len((tmp_path / "body.jsonl").read_text().splitlines()) == 1


def test_a_wrong_argument_is_told_as_its_variable(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "wrong.py"
    script.write_text("import hyn_k8s\nhyn_k8s.enable(executors=0)\n")
    done = run_python(script)
    assert "SettingsError: HYN_SEARCH_EXECUTORS (--executors): found '0'" in done.stderr


def test_a_dispatcher_of_ones_own_needs_no_enable(
    cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    script = write_script(tmp_path)
    passed = SEARCH.replace('reward_metric="auc")', 'reward_metric="auc", dispatcher=dispatcher)')
    assert passed != SEARCH
    head = "from hyn_k8s import DaskDispatcher\ndispatcher = DaskDispatcher(executors=2)\n"
    script.write_text(head + passed)
    done = run_python(script, DASK_SCHEDULER_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stderr
    assert workers(tmp_path / "workdir/mine-1") <= {"node-1", "node-2", "node-3"}


def test_under_run_enable_changes_nothing(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    script = write_script(tmp_path)
    script.write_text("import hyn_k8s\nhyn_k8s.enable(backend='standalone')\n" + SEARCH)
    done = run_cli("run", "--scheduler", cluster.address, "mine.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert workers(tmp_path / "workdir/mine-1") <= {"node-1", "node-2", "node-3"}
