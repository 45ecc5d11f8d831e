"""The status of a SearchJob: conditions, counts, and a word for people. Pure, and bounded in size.

What a driver said last stays until another one says something else, so a status loses nothing
when a pod goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hyn_k8s import names
from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.status import (
    BestTrial,
    Condition,
    ConditionStatus,
    Pareto,
    Phase,
    SearchInfo,
    SearchJobStatus,
    TrialCounts,
)
from hyn_k8s.documents import Standing, finite
from hyn_k8s.operator.actions import Told
from hyn_k8s.operator.conditions import Verdict
from hyn_k8s.operator.observation import Observation
from hyn_k8s.operator.waiting import TROUBLES

_MOST_PATH = 1024

_HYPERPARAMETERS_BYTES = 8192
"""The most that a status has of the best trial's hyper-parameters."""


def following_status(
    seen: Observation,
    verdicts: Sequence[Verdict],
    standing: Standing | None = None,
    eta_seconds: float | None = None,
    **changes: Any,
) -> SearchJobStatus:
    """The status that follows: ``verdicts`` beside the conditions of other types, and changes."""
    before = seen.status
    conditions = {each.type: each for each in before.conditions or []}
    for verdict in verdicts:
        conditions[verdict.type] = verdict.since(conditions.get(verdict.type), seen)
    refreshed = [
        each.model_copy(update={"observed_generation": seen.generation})
        for each in conditions.values()
    ]
    known = _known(standing) if standing is not None else {}
    is_busy = standing is None and any(_is_of_running_driver(each) for each in verdicts)
    fields = {
        "observed_generation": seen.generation,
        "conditions": sorted(refreshed, key=_order),
        "eta": before.eta if is_busy else _duration(eta_seconds),
        "cluster_name": names.cluster_name(seen.name),
        "driver_name": names.driver_name(seen.name),
        "run": names.run_name(seen.name, seen.uid, seen.search_job.spec.run),
        **known,
        **changes,
    }
    status = before.model_copy(update=fields)
    return status.model_copy(update={"phase": phase_of(status)})


def _is_of_running_driver(verdict: Verdict) -> bool:
    """Without a standing it is too busy to answer, and its last ETA is better than none."""
    return (verdict.type, verdict.status) == (ConditionType.DRIVER_RUNNING, ConditionStatus.TRUE)


def phase_of(status: SearchJobStatus) -> Phase:
    """The state in a word."""
    conditions = status.conditions or []
    holding = {each.type for each in conditions if each.status is ConditionStatus.TRUE}
    # Between the driver's end and that of the search nothing begins anew.
    holding |= {each.type for each in conditions if each.reason == Reason.ENDED}
    for type_, phase in (
        (ConditionType.COMPLETE, Phase.COMPLETE),
        (ConditionType.FAILED, Phase.FAILED),
        (ConditionType.SUSPENDED, Phase.SUSPENDED),
        (ConditionType.DRIVER_RUNNING, Phase.RUNNING),
    ):
        if type_ in holding:
            return phase
    return Phase.PENDING if status.start_time is None else Phase.STARTING


def news(before: SearchJobStatus, after: SearchJobStatus) -> list[Told]:
    """The Events that tell of what has changed: each condition with another status or reason."""
    known = {each.type: _headline(each) for each in before.conditions or []}
    told = []
    for condition in after.conditions or []:
        if _headline(condition) == known.get(condition.type):
            continue
        told.append(Told(_event_type(condition), condition.reason, condition.message))
    return list(dict.fromkeys(told))  # the end of the search is that of cluster and driver alike


def _headline(condition: Condition) -> tuple[str, ...]:
    """What of a condition is news when it changes.

    Most messages have counts, or alternate. Why no node takes a pod is another matter each time: at
    first its claim has no volume, and then no node is large enough.
    """
    of_nodes = condition.message if condition.reason == Reason.UNSCHEDULABLE else ""
    return condition.status, condition.reason, of_nodes


def _event_type(condition: Condition) -> str:
    """Warning where somebody should look."""
    is_trouble = condition.reason in TROUBLES and condition.status is not ConditionStatus.TRUE
    failed = (condition.type, condition.status) == (ConditionType.FAILED, ConditionStatus.TRUE)
    return "Warning" if is_trouble or failed else "Normal"


def _order(condition: Condition) -> int:
    """As the types are listed; those of a newer operator last."""
    types = [each.value for each in ConditionType]
    return types.index(condition.type) if condition.type in types else len(types)


def _known(standing: Standing) -> dict[str, Any]:
    """What a driver's standing adds to the status."""
    fields: dict[str, Any] = {}
    if standing.results is not None:
        fields["results_path"] = standing.results[:_MOST_PATH]
    if standing.search is not None and standing.ordinal is not None:
        fields["search"] = SearchInfo(ordinal=standing.ordinal, name=standing.search[:253])
        fields["best"] = _best(standing)
        fields["pareto"] = None if standing.pareto is None else Pareto(size=standing.pareto)
        counts = standing.trials
        fields["trials"] = TrialCounts(
            total=counts.total,
            done=counts.done,
            succeeded=counts.succeeded,
            failed=counts.failed,
            pruned=counts.pruned,
            skipped=counts.skipped,
            running=counts.running,
        )
    return fields


def _best(standing: Standing) -> BestTrial | None:
    best = standing.best
    rewards = finite(best.rewards) if best is not None else ()
    if best is None or not rewards:  # of one that has no number nobody can say that it is the best
        return None
    return BestTrial(
        trial=best.trial,
        rewards=list(rewards)[:16],
        hyperparameters=_first_ones(best.hyperparameters),
        model=best.model and best.model[:_MOST_PATH],
    )


def _first_ones(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    size = 0
    for name, value in hyperparameters.items():
        try:
            size += len(json.dumps({name: value}, allow_nan=False).encode())
        except ValueError:  # Kubernetes' JSON has no infinity, and no NaN
            value, size = str(value), size + len(str(value)) + len(name) + 6  # noqa: PLW2901
        if size > _HYPERPARAMETERS_BYTES:
            break
        kept[name] = value
    return kept


def at_rest(status: SearchJobStatus) -> SearchJobStatus:
    """The status of a search that has no pods: no trial of it runs."""
    if status.trials is None:
        return status
    return status.model_copy(update={"trials": status.trials.model_copy(update={"running": 0})})


def _duration(seconds: float | None) -> str | None:
    """``95`` as ``1m30s``, in the way of kubectl's ages, but coarser: a status is written each
    time that it changes."""
    if seconds is None:
        return None
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 600:
        return f"{whole // 60}m{whole % 60 // 10 * 10}s"
    if whole < 3600:
        return f"{whole // 60}m"
    return f"{whole // 3600}h{whole % 3600 // 60}m"
