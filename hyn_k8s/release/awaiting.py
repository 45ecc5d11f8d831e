"""Waits for the search of ``helm test``, and tells what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import stamina

from hyn_k8s.errors import ReleaseError
from hyn_k8s.kube import SEARCH_JOB, Kube

SEARCH_SECONDS = 280.0
"""How long it may take, images pulled included; Helm waits for 300 s."""

_PAUSE_SECONDS = 1.0

_ON_THE_WAY = ("StorageReady", "ClusterReady", "DriverRunning")
"""Conditions of a search that starts, in the order in which they become true."""


class _GoesOn(Exception):
    """The search has not ended."""


def await_search(
    kube: Kube,
    namespace: str,
    name: str,
    tell: Callable[[str], None],
    seconds: float = SEARCH_SECONDS,
) -> None:
    """Wait until the search has ended.

    Raises:
        ReleaseError: it failed, or has not ended in time; with the reason that it gives.
    """
    ref, told = SEARCH_JOB.ref(namespace, name), ""
    try:
        for attempt in stamina.retry_context(
            on=_GoesOn,
            attempts=None,
            timeout=seconds,
            wait_initial=_PAUSE_SECONDS,
            wait_max=_PAUSE_SECONDS,
        ):
            with attempt:
                search = kube.get(ref) or {}
                if standing(search) != told:
                    told = standing(search)
                    tell(told)
                phase = (search.get("status") or {}).get("phase")
                if phase not in ("Complete", "Failed"):
                    raise _GoesOn
    except _GoesOn:
        raise ReleaseError(f"{ref}", f"not ended within {seconds:.0f} s; {told}") from None
    if phase == "Failed":
        raise ReleaseError(f"{ref}", told)


def standing(search: Mapping[str, Any]) -> str:
    """Where a SearchJob stands, in a line: its phase, its trials, and what it says of itself."""
    status = search.get("status") or {}
    trials = status.get("trials") or {}
    words = [status.get("phase") or "nobody has looked at it yet"]
    if "done" in trials:
        words.append(f"{trials['done']} of {trials.get('total', '?')} trials done")
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    failed = conditions.get("Failed", {"status": "False"})
    if failed["status"] == "True":
        words.append(failed["message"])
    elif "done" not in trials:
        waited_for = (conditions.get(type_) for type_ in _ON_THE_WAY)
        words += [each["message"] for each in waited_for if each and each["status"] != "True"][:1]
    return "; ".join(words)
