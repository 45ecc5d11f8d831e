"""What there is of a run, put together from the progress of its searches.

Counts are sums over every search that has begun; the best trial is the latest search's, since that
is the one whose model the script is after. Numpy's numbers, infinities and objects of the space
become what JSON can hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from hyn_k8s.documents import BestTrial, Standing, TrialCounts, finite
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.progress import Best, Progress
from hyn_k8s.search.rows import plain


def ordinal_of(progress: Progress) -> int:
    """Which search of its run it is of, counted from 1."""
    run, _, name = progress.search.partition("/")
    paths = RunPaths(run).search_named(name)
    assert paths is not None, progress.search
    return paths.ordinal


def standing_of(searches: Iterable[Progress], root: str) -> Standing:
    """Of the run on the storage ``root`` whose ``searches`` have begun, each given once."""
    begun = sorted(searches, key=ordinal_of)
    if not begun:
        return Standing()
    latest = begun[-1]
    run, _, name = latest.search.partition("/")
    return Standing(
        results=f"{root}/{run}",
        ordinal=ordinal_of(latest),
        search=name,
        trials=TrialCounts(
            total=sum(each.total for each in begun),
            succeeded=sum(each.succeeded for each in begun),
            failed=sum(each.failed for each in begun),
            pruned=sum(each.pruned for each in begun),
            skipped=sum(each.skipped for each in begun),
            running=sum(each.running for each in begun),
        ),
        best=best_trial(latest.best) if latest.best else None,
        pareto=latest.pareto,
    )


def best_trial(best: Best) -> BestTrial:
    """The best trial as a document has it."""
    values = {name: _in_json(value) for name, value in best.hyperparameters.items()}
    return BestTrial(best.trial, finite(best.rewards), values, best.model)


def _in_json(value: Any) -> Any:
    held = plain(value)
    return str(held) if isinstance(held, float) and not math.isfinite(held) else held
