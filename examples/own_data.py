"""Finds a classifier for a CSV of your own that lies on the run's storage, a directory or a bucket.

Hypernets' ``fs`` is that storage, so the script is the same for both: put the file below the
storage root (``HYN_STORAGE_ROOT``) and give its path from there.
"""

import argparse

import pandas as pd
from hypernets.core import set_random_state
from hypernets.examples.plain_model import PlainModel, PlainSearchSpace
from hypernets.searchers import EvolutionSearcher
from hypernets.tabular.sklearn_ex import MultiLabelEncoder
from hypernets.utils import fs
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("path", help="the CSV file, from the storage root: data/clients.csv")
parser.add_argument("--target", required=True, help="the column to predict")
parser.add_argument("--trials", type=int, default=24, help="how many models to try (24)")
options = parser.parse_args()

if not fs.exists(options.path):
    parser.exit(1, f"There is no {options.path} below the storage root.\n")
with fs.open(options.path, "rb") as file:
    X = pd.read_csv(file)
if options.target not in X:
    parser.exit(1, f"{options.path} has no column {options.target}; it has {', '.join(X)}.\n")

set_random_state(335)
X = MultiLabelEncoder().fit_transform(X)  # PlainModel knows numbers only
y = X.pop(options.target)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=7)

searcher = EvolutionSearcher(
    PlainSearchSpace(enable_nn=False), population_size=8, sample_size=4, optimize_direction="max"
)
model = PlainModel(searcher, reward_metric="accuracy")
model.search(X_train, y_train, X_test, y_test, max_trials=options.trials)

best = model.get_best_trial()
estimator = model.load_estimator(best.model_file)
print(f"trial {best.trial_no} won with {type(estimator.model).__name__} {estimator.model_args}")
print(f"accuracy {best.reward[0]:.3f} on {len(X_test)} rows it was not trained on")
