"""What there is of a run, from the progress of its searches."""

from __future__ import annotations

import math

import numpy as np

from hyn_k8s.documents import Progress as Document
from hyn_k8s.documents import Stage, Standing, TrialCounts
from hyn_k8s.driver.standing import best_trial, standing_of
from hyn_k8s.search.progress import Best, Progress


def search(name: str, total: int = 10) -> Progress:
    return Progress(f"heart/{name}", total, ("max",), "auc", begun=0.0)


def test_nothing_before_the_first_search() -> None:
    assert standing_of([], "/opt/share") == Standing()


def test_counts_are_of_all_searches_and_the_best_of_the_latest() -> None:
    first = search("search-1").with_trial(1, "succeeded", [0.9]).with_trial(2, "failed", None)
    second = search("search-2.2", 5).with_trial(1, "succeeded", [0.5], model="heart/m.pkl")
    second = second.with_trial(2, "pruned", None).with_running(2)
    standing = standing_of([second, first], "s3://bucket/runs")
    assert standing.results == "s3://bucket/runs/heart"
    assert (standing.ordinal, standing.search) == (2, "search-2.2")
    assert standing.trials == TrialCounts(15, succeeded=2, failed=1, pruned=1, running=2)
    assert standing.best is not None
    assert (standing.best.trial, standing.best.model) == (1, "heart/m.pkl")


def test_hyperparameters_become_what_json_holds() -> None:
    given = {
        "rate": np.float64(0.1),
        "depth": np.int64(3),
        "flag": np.bool_(True),
        "most": math.inf,
        "activation": math.sin,
        "shape": (3, 3),
        "none": None,
    }
    best = best_trial(Best(4, (0.5, -math.inf, math.nan), given))
    assert best.hyperparameters == {
        "rate": 0.1,
        "depth": 3,
        "flag": True,
        "most": "inf",
        "activation": "sin",
        "shape": "(3, 3)",
        "none": None,
    }
    assert len(best.rewards) == 2
    document = Document(Stage.SEARCH, Standing(best=best))
    assert Document.from_json(document.to_json()) == document
