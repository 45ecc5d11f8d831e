"""Finds classifiers for heart disease that are good and small: two objectives, a front of models.

A plain Hypernets script with NSGA-II. The second objective is the script's own class; under
``hyn-k8s run`` it travels to the workers as everything in a script does.
"""

import argparse
import pickle

import numpy as np
from hypernets.core import set_random_state
from hypernets.core.objective import Objective
from hypernets.examples.plain_model import PlainModel, PlainSearchSpace
from hypernets.model.objectives import create_objective
from hypernets.searchers import NSGAIISearcher
from hypernets.tabular.datasets import dsutils
from hypernets.utils import logging
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--trials", type=int, default=40, help="how many models to try (40)")
parser.add_argument("--population", type=int, default=10, help="models that breed (10)")
options = parser.parse_args()


class ModelSize(Objective):
    """The size of the pickled model in kilobytes; the smaller the better."""

    def __init__(self):
        super().__init__("size_kb", "min", need_val_data=False)

    def _evaluate(self, trial, estimator, *data, **kwargs):
        return len(pickle.dumps(estimator.model)) / 1000

    def _evaluate_cv(self, trial, estimator, *data, **kwargs):
        return float(np.mean([len(pickle.dumps(model)) for model in estimator.cv_models_])) / 1000


logging.set_level("warning")  # Hypernets tells every prediction otherwise
set_random_state(335)
X = dsutils.load_heart_disease_uci()
y = X.pop("target")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=7)

searcher = NSGAIISearcher(
    PlainSearchSpace(),
    objectives=[create_objective("auc"), ModelSize()],
    population_size=options.population,
)
model = PlainModel(searcher, task="binary", reward_metric="auc")
model.search(X_train, y_train, None, None, cv=True, num_folds=3, max_trials=options.trials)

front = sorted(model.get_best_trial(), key=lambda trial: trial.reward[1])
print(f"{len(front)} of {len(model.history.trials)} models are beaten by no other one in both:")
for trial in front:
    estimator = model.load_estimator(trial.model_file)
    unseen = estimator.evaluate(X_test, y_test, metrics=["auc"])["auc"]
    print(
        f"trial {trial.trial_no:3d}: auc {trial.reward[0]:.3f} ({unseen:.3f} on unseen patients), "
        f"{trial.reward[1]:.1f} kB, {type(estimator.model).__name__}"
    )
