"""Finds who will subscribe to a bank's deposit: a whole Hypernets experiment around two searches.

Data are cleaned, columns that drift between training and test data are left out, a first search
is followed by a second one on data that its best models have labelled, and the best models of
that one vote. A plain Hypernets script; under ``hyn-k8s run`` the trials of both searches run in
parallel.
"""

import argparse

from hypernets.core import set_random_state
from hypernets.examples.plain_model import PlainModel, PlainSearchSpace
from hypernets.experiment import make_experiment
from hypernets.tabular.datasets import dsutils
from hypernets.tabular.sklearn_ex import MultiLabelEncoder
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--rows", type=int, default=2000, help="rows of the bank's data (2000)")
parser.add_argument("--trials", type=int, default=12, help="models to try in each search (12)")
options = parser.parse_args()

set_random_state(335)
bank = dsutils.load_bank().head(options.rows).drop(columns="id")
bank = MultiLabelEncoder().fit_transform(bank)  # PlainModel knows numbers only
train, test = train_test_split(bank, test_size=0.3, random_state=7, stratify=bank["y"])
y_test = test.pop("y")

experiment = make_experiment(
    PlainModel,
    train,
    target="y",
    test_data=test,
    search_space=PlainSearchSpace(enable_nn=False),
    reward_metric="auc",
    cv=True,
    num_folds=3,
    drift_detection=True,
    pseudo_labeling=True,
    pseudo_labeling_proba_threshold=0.8,
    ensemble_size=5,
    random_state=335,
)
pipeline = experiment.run(max_trials=options.trials)

for name in ("space_searching", "two_stage_searching"):
    step = experiment.get_step(name)
    trials = step.history_.trials
    print(f"{name}: {len(trials)} trials, best auc {step.best_reward_[0]:.3f}")
print(f"the pipeline: {', '.join(name for name, _ in pipeline.steps)}")
print(f"on unseen clients: auc {roc_auc_score(y_test, pipeline.predict_proba(test)[:, 1]):.3f}")
