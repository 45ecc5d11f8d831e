"""Before the controllers go, every search frees its pods; its progress and its data stay.

Without them nobody would report, scale or end it, and dask's objects could not even be deleted:
their finalizers are its controller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import stamina

from hyn_k8s.errors import ClusterError, ReleaseError
from hyn_k8s.kube import SEARCH_JOB, Kube, Ref

SUSPEND_SECONDS = 240.0
"""How long searches may take to free their pods; Helm waits for 300 s, a driver ends within 90."""

_PAUSE_SECONDS = 2.0


class _Busy(Exception):
    """Some searches still have pods."""

    def __init__(self, searches: Sequence[str]) -> None:
        super().__init__(", ".join(searches))


def suspend_searches(
    kube: Kube,
    namespaces: Sequence[str],
    tell: Callable[[str], None],
    seconds: float = SUSPEND_SECONDS,
) -> None:
    """Suspend every search of ``namespaces``, or of all where there are none; wait for their pods.

    Raises:
        ReleaseError: some have not freed their pods in time.
        ClusterError: the API server refuses.
    """
    for search in _read_active(kube, namespaces):
        if not search["spec"].get("suspend"):
            kube.patch(Ref.to(search), {"spec": {"suspend": True}})
            tell(f"Suspending {Ref.to(search)}")
    try:
        for attempt in stamina.retry_context(
            on=_Busy,
            attempts=None,
            timeout=seconds,
            wait_initial=_PAUSE_SECONDS,
            wait_max=_PAUSE_SECONDS,
        ):
            with attempt:
                busy = [str(Ref.to(each)) for each in _read_active(kube, namespaces)]
                if busy:
                    raise _Busy(busy)
    except _Busy as error:
        problem = (
            f"{error} did not free their pods within {seconds:.0f} s; is the operator running? "
            "`helm uninstall --no-hooks` goes on without waiting"
        )
        raise ReleaseError("hyn-k8s", problem) from None


def is_active(search: Mapping[str, Any]) -> bool:
    """Whether a SearchJob has pods, or will have some."""
    conditions = (search.get("status") or {}).get("conditions") or []
    held = {each["type"] for each in conditions if each["status"] == "True"}
    return not held & {"Complete", "Failed", "Suspended"} or (
        "Suspended" in held and not search["spec"].get("suspend")
    )


def _read_active(kube: Kube, namespaces: Sequence[str]) -> list[dict[str, Any]]:
    try:
        found = [each for ns in namespaces or (None,) for each in kube.list(SEARCH_JOB, ns)]
    except ClusterError as error:
        if error.status == 404:  # there is no such kind any more, and so no search
            return []
        raise
    return [each for each in found if is_active(each)]
