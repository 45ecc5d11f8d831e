"""The examples run, on the data they name, with few trials."""

from __future__ import annotations

import csv
import pathlib
import re

from tests.processes import DaskCluster, run_cli

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def test_heart_disease(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    script = str(EXAMPLES / "heart_disease.py")
    options = ["--trials", "6", "--searcher", "random", "--folds", "3"]
    done = run_cli("run", "--scheduler", cluster.address, script, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = re.search(r"on unseen patients: auc (0\.\d+), accuracy 0\.\d+", done.stdout)
    assert found
    assert float(found[1]) > 0.6
    with (tmp_path / "workdir/heart_disease-1/search-1/trials.csv").open() as file:
        assert {row["status"] for row in csv.DictReader(file)} <= {"succeeded", "skipped"}
