"""Before the controllers go, every search frees its pods; its progress and its data stay.

Without them nobody would report, scale or end it, and dask's objects could not even be deleted:
their finalizers are its controller's. So the DaskClusters of searches that have ended, or have
just been deleted, are waited for as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError, ReleaseError
from hyn_k8s.kube import DASK_CLUSTER, SEARCH_JOB, Kind, Kube, Ref
from hyn_k8s.names import SEARCH_LABEL, UID_LABEL
from hyn_k8s.release.conditions import conditions, holding
from hyn_k8s.release.patience import NotYet, until

SUSPEND_SECONDS = 240.0
"""How long searches may take to free their pods; Helm waits for 300 s, a driver ends within 90."""

_PAUSE_SECONDS = 2.0

_MOST_NAMED = 5
"""Of what has pods, how much an error names."""


def suspend_searches(
    kube: Kube,
    namespaces: Sequence[str],
    tell: Callable[[str], None],
    seconds: float = SUSPEND_SECONDS,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Suspend every search of ``namespaces``, or of all where there are none; wait for their pods.

    One that somebody applies or resumes meanwhile is suspended, too.

    Raises:
        ReleaseError: some have not freed their pods in time.
        ClusterError: the API server refuses.
    """

    def look() -> None:
        active = [each for each in _read(kube, SEARCH_JOB, namespaces) if is_active(each)]
        for search in active:
            if not search["spec"].get("suspend"):
                kube.patch(Ref.to(search), {"spec": {"suspend": True}})
                tell(f"Suspending {Ref.to(search)}")
        busy = active or [each for each in _read(kube, DASK_CLUSTER, namespaces) if _is_ours(each)]
        if busy:
            raise NotYet(_named(busy))

    try:
        until(look, seconds, pause)
    except NotYet as error:
        problem = (
            f"pods are left after {seconds:.0f} s; are the controllers running? "
            "`helm uninstall --no-hooks` goes on without waiting"
        )
        raise ReleaseError(str(error), problem) from None


def is_active(search: Mapping[str, Any]) -> bool:
    """Whether a SearchJob has pods, or will have some."""
    held = holding(search)
    if held & {ConditionType.COMPLETE, ConditionType.FAILED}:
        return _is_retry_pending(search) and not search["spec"].get("suspend")
    if ConditionType.SUSPENDED not in held or not search["spec"].get("suspend"):
        return True
    # That it has no pods may be what the operator saw before somebody resumed it for a moment.
    return bool(search["status"].get("observedGeneration") != search["metadata"]["generation"])


def _is_retry_pending(search: Mapping[str, Any]) -> bool:
    """Whether one that has failed begins anew as soon as its pods are gone."""
    return any(each.get("reason") == Reason.RETRY_PENDING for each in conditions(search))


def _is_ours(cluster: Mapping[str, Any]) -> bool:
    return {SEARCH_LABEL, UID_LABEL} <= (cluster["metadata"].get("labels") or {}).keys()


def _named(things: Sequence[Manifest]) -> str:
    named = [str(Ref.to(each)) for each in things[:_MOST_NAMED]]
    more = len(things) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _read(kube: Kube, kind: Kind, namespaces: Sequence[str]) -> list[Manifest]:
    """The objects of these namespaces; none where the kind is not known any more."""
    try:
        return [each for ns in namespaces or (None,) for each in kube.list(kind, ns)]
    except ClusterError as error:
        if error.status == 404:
            return []
        raise
