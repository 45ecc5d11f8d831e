"""Waits for the search of ``helm test``, and tells what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hyn_k8s.api.conditions import ConditionType
from hyn_k8s.errors import ReleaseError
from hyn_k8s.kube import SEARCH_JOB, Kube
from hyn_k8s.release.conditions import conditions, holding
from hyn_k8s.release.patience import NotYet, until

SEARCH_SECONDS = 280.0
"""How long it may take, images pulled included; Helm waits for 300 s."""

_PAUSE_SECONDS = 1.0

_ON_THE_WAY = (
    ConditionType.STORAGE_READY,
    ConditionType.CLUSTER_READY,
    ConditionType.DRIVER_RUNNING,
)
"""Conditions of a search that starts, in the order in which they become true."""


def await_search(
    kube: Kube,
    namespace: str,
    name: str,
    tell: Callable[[str], None],
    seconds: float = SEARCH_SECONDS,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Wait until the search has ended well.

    Raises:
        ReleaseError: it failed, is gone, or has not ended in time; with the reason that it gives.
        ClusterError: the API server refuses.
    """
    ref, told = SEARCH_JOB.ref(namespace, name), ""

    def look() -> None:
        nonlocal told
        search = kube.get(ref)
        if search is None:
            raise ReleaseError(str(ref), "it does not exist; has somebody deleted it?")
        if standing(search) != told:
            told = standing(search)
            tell(told)
        held = holding(search)
        if ConditionType.FAILED in held:
            raise ReleaseError(str(ref), told)
        if ConditionType.COMPLETE not in held:
            raise NotYet

    try:
        until(look, seconds, pause)
    except NotYet:
        raise ReleaseError(str(ref), f"not ended within {seconds:.0f} s; {told}") from None


def standing(search: Mapping[str, Any]) -> str:
    """Where a SearchJob stands, in a line: its phase, its trials, and what it says of itself."""
    status = search.get("status") or {}
    trials = status.get("trials") or {}
    words = [status.get("phase") or "nobody has looked at it yet"]
    if "done" in trials:
        words.append(f"{trials['done']} of {trials.get('total', '?')} trials done")
    said = {each["type"]: each.get("message") or "" for each in conditions(search)}
    held = holding(search)
    if ConditionType.FAILED in held:
        words.append(said[ConditionType.FAILED])
    elif "done" not in trials:
        words += [said[each] for each in _ON_THE_WAY if each in said and each not in held][:1]
    return "; ".join(word for word in words if word)
