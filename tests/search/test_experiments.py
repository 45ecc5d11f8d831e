"""Hypernets' experiments on real data: the same models and answers as in process, in parallel.

An experiment copies its hyper model for each search, looks into histories and memos afterwards,
and ends in a pipeline that predicts; whatever is lost on the way to a worker and back shows there.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypernets.core.random_state import set_random_state
from hypernets.dispatchers.in_process_dispatcher import InProcessDispatcher
from hypernets.examples.plain_model import PlainModel, PlainSearchSpace
from hypernets.experiment import make_experiment
from hypernets.experiment.compete import EnsembleStep, SpaceSearchStep
from hypernets.tabular.cfg import TabularCfg
from hypernets.tabular.datasets import dsutils
from hypernets.tabular.sklearn_ex import MultiLabelEncoder
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import hyn_k8s
from hyn_k8s.search.dispatcher import DaskDispatcher
from hyn_k8s.search.results import read_summaries
from hyn_k8s.search.session import Session
from tests.processes import DaskCluster, S3Server, free_port
from tests.searches import OfExperiment
from tests.sessions import session_on

pytestmark = pytest.mark.filterwarnings("ignore")  # the experiment's own steps warn of much

FULL: dict[str, Any] = {
    "cv": True,
    "num_folds": 3,
    "collinearity_detection": True,
    "drift_detection": True,
    "feature_reselection": True,
    "pseudo_labeling": True,
    "pseudo_labeling_proba_threshold": 0.8,
    "ensemble_size": 4,
}
"""Every step there is between raw data and an ensemble; the reselection makes it two searches."""


@pytest.fixture(scope="module")
def bank() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Clients to train with, and clients to predict with what they did."""
    data = MultiLabelEncoder().fit_transform(dsutils.load_bank().head(600).drop(columns="id"))
    train, test = train_test_split(data, test_size=0.3, random_state=7, stratify=data["y"])
    train["drifted"] = np.arange(len(train)) % 50
    test["drifted"] = np.arange(len(test)) % 50 + 1000
    return train, test, test.pop("y")


@pytest.fixture(autouse=True)
def _seed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(TabularCfg, "joblib_njobs", 1)
    set_random_state(7)
    yield
    set_random_state(None)


def experiment(bank: Any, dispatcher: Any = None, **options: Any) -> Any:
    train, test, _ = bank
    return make_experiment(
        PlainModel,
        train.copy(),
        target="y",
        test_data=test.copy(),
        search_space=PlainSearchSpace(enable_nn=False),
        hyper_model_options={"dispatcher": dispatcher},
        reward_metric="auc",
        random_state=7,
        **options,
    )


def seen(made: Any, pipeline: Any, test: pd.DataFrame) -> Any:
    """What an experiment came to: each search's trials, the ensemble, and what it predicts."""
    searches = [step for step in made.steps if isinstance(step, SpaceSearchStep)]
    trials = [
        [
            (t.trial_no, t.space_sample.vectors, t.reward, sorted(t.memo))
            for t in step.history_.trials
        ]
        for step in searches
    ]
    ensemble = pipeline.steps[-1][1]
    weights = list(getattr(ensemble, "weights_", []))
    return trials, weights, pipeline.predict_proba(test)[:, 1].round(10).tolist()


def test_one_in_flight_gives_the_pipeline_of_hypernets_own_dispatcher(
    bank: Any, cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    def run(
        name: str, dispatcher: Callable[[], Any], address: str | None, env: dict[str, str]
    ) -> Any:
        # A root of its own: Hypernets keeps transformed data there, and draws less where it has.
        with session_on(address, str(tmp_path / name), env) as (session, _):
            set_random_state(7)
            made = experiment(bank, dispatcher(), **FULL)
            pipeline = made.run(max_trials=6)
            if name != "upstream":
                assert searches_of(session) == ["search-1", "search-2"]
            return seen(made, pipeline, bank[1])

    standalone = {"HYN_SEARCH_BACKEND": "standalone"}
    upstream = run("upstream", lambda: InProcessDispatcher("models"), None, standalone)
    assert len(upstream[0]) == 2
    assert sum(weight > 0 for weight in upstream[1]) > 1
    assert run("this-process", DaskDispatcher, None, standalone) == upstream
    one = {"HYN_SEARCH_EXECUTORS": "1"}
    assert run("worker", DaskDispatcher, cluster.address, one) == upstream


def searches_of(session: Session) -> list[str]:
    assert session.run is not None
    return [each["search"] for each in read_summaries(session.storage, session.run)]


def test_three_in_flight_on_workers(
    bank: Any, cluster: DaskCluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = []
    fit = EnsembleStep.get_ensemble_predictions

    def note(self: Any, trials: Any, ensemble: Any) -> Any:
        predictions = fit(self, trials, ensemble)
        folds.append(predictions.shape)
        return predictions

    monkeypatch.setattr(EnsembleStep, "get_ensemble_predictions", note)
    with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
        made = experiment(bank, **FULL)
        pipeline = made.run(max_trials=6)
        best = made.hyper_model_.get_best_trial()
        estimator = made.hyper_model_.load_estimator(best.model_file)
        kept = hyn_k8s.load_best(session.run, trial=best.trial_no)
        assert type(kept.model) is type(estimator.model)
        assert hyn_k8s.load_best() is pipeline
        assert searches_of(session) == ["search-1", "search-2"]
    # The first ensemble labels the test data, the second one is the result; both are fitted to
    # what the trials predicted out of fold, for all rows, which came back from the workers.
    assert len(folds) == 2
    assert folds[0][0] == len(bank[0]) < folds[1][0]
    assert "drifted" not in made.get_step("drift_detection").selected_features_
    assert roc_auc_score(bank[2], pipeline.predict_proba(bank[1])[:, 1]) > 0.6


def test_the_pipeline_is_loaded_in_a_process_that_never_saw_the_experiment(
    bank: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "root")
    with session_on(None, root, {"HYN_SEARCH_BACKEND": "standalone"}) as (session, _):
        pipeline = experiment(bank, cv=True, ensemble_size=2).run(max_trials=3)
        run = session.run
    monkeypatch.setenv("HYN_STORAGE_ROOT", root)
    expected = pipeline.predict_proba(bank[1])[:, 1]
    assert hyn_k8s.load_best().predict_proba(bank[1])[:, 1] == pytest.approx(expected)
    assert type(hyn_k8s.load_best(run, trial=1)).__name__ == "PlainEstimator"


def test_an_experiment_swallows_an_error_and_the_session_keeps_it(
    bank: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyn_k8s.search.connecting.CONNECT_TIMEOUT_SECONDS", 1.0)
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    with session_on(nowhere, str(tmp_path / "root")) as (session, _):
        assert experiment(bank).run(max_trials=2) is None
        (error,) = session.errors
    assert str(error).startswith(f"Dask scheduler {nowhere}: no answer within 1 s")


def test_a_search_on_few_rows_is_played_back_on_all(
    bank: Any, cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
        made = experiment(
            bank,
            down_sample_search=True,
            down_sample_search_size=0.5,
            down_sample_search_max_trials=8,
            ensemble_size=0,
        )
        pipeline = made.run(max_trials=3)
        assert session.run is not None
        few, full = read_summaries(session.storage, session.run)
    assert (few["searcher"], full["searcher"]) == ("EvolutionSearcher", "PlaybackSearcher")
    assert (few["trials"]["done"], full["trials"]["done"]) == (8, 3)
    assert roc_auc_score(bank[2], pipeline.predict_proba(bank[1])[:, 1]) > 0.6


def test_several_objectives_on_s3(
    bank: Any, cluster: DaskCluster, s3: S3Server, tmp_path: pathlib.Path
) -> None:
    with session_on(cluster.address, "/experiments/moo", s3.env) as (session, _):
        made = experiment(
            bank,
            searcher="nsga2",
            searcher_options={"population_size": 4},
            objectives=["elapsed", "nf", OfExperiment("rows", "max")],
            cv=True,
        )
        estimators = made.run(max_trials=10)
        assert session.run is not None
        (summary,) = read_summaries(session.storage, session.run)
    assert summary["rewards"] == ["auc", "elapsed", "nf", "rows"]
    rewards = [trial.reward for trial in made.hyper_model_.history.trials if trial.succeeded]
    assert {reward[3] for reward in rewards} == {float(len(bank[0]))}
    assert len(estimators) == len(summary["pareto"]) >= 1
    best = made.hyper_model_.get_best_trial()
    assert [trial.trial_no for trial in best] == summary["pareto"]
