"""Takes away what is left of searches whose DaskCluster does not go by itself.

A DaskCluster carries a finalizer of dask's controller. Told to go while that is down, it stays, and
so do scheduler and workers, whose pods cost money. After a while its parts are deleted here, and
the finalizer is taken off. A cluster whose SearchJob is gone, because nobody collected it, goes
the same way.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import DASK_CLUSTER, DEPLOYMENT, SEARCH_JOB, SERVICE, WORKER_GROUP, Kube, Ref
from hyn_k8s.names import DASK_CLUSTER_LABEL, SEARCH_LABEL, UID_LABEL
from hyn_k8s.operator.observation import age, is_ending, moment

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""How long dask's controller may take to let go of a cluster."""


def sweep(kube: Kube, namespaces: Iterable[str | None], now: datetime.datetime) -> None:
    """Take away what has been left in these namespaces; None stands for all.

    Raises:
        ClusterError: the API server did not say what there is; the next sweep tries again.
    """
    for namespace in namespaces:
        for cluster in _clusters(kube, namespace):
            try:
                _sweep(kube, cluster, now)
            except ClusterError as error:  # the others are not to wait for it
                logger.warning("%s is not swept: %s", Ref.to(cluster), error)


def _clusters(kube: Kube, namespace: str | None) -> list[Manifest]:
    """The DaskClusters of searches; none where dask's kinds are not installed."""
    try:
        return [each for each in kube.list(DASK_CLUSTER, namespace) if _is_ours(each)]
    except ClusterError as error:
        if error.status == 404:
            return []
        raise


def _sweep(kube: Kube, cluster: Manifest, now: datetime.datetime) -> None:
    if is_stuck(cluster, now):
        _take_apart(kube, cluster)
    elif not is_ending(cluster) and age(cluster, now) > PATIENCE_SECONDS:
        _delete_if_orphaned(kube, cluster)


def is_stuck(cluster: Manifest, now: datetime.datetime) -> bool:
    """Whether a cluster has been told to go, and nobody lets it."""
    told = cluster["metadata"].get("deletionTimestamp")
    return told is not None and (now - moment(told)).total_seconds() > PATIENCE_SECONDS


def _is_ours(cluster: Manifest) -> bool:
    return {SEARCH_LABEL, UID_LABEL} <= (cluster["metadata"].get("labels") or {}).keys()


def _delete_if_orphaned(kube: Kube, cluster: Manifest) -> None:
    labels, namespace = cluster["metadata"]["labels"], cluster["metadata"]["namespace"]
    search_job = kube.get(SEARCH_JOB.ref(namespace, labels[SEARCH_LABEL]))
    if search_job is None or search_job["metadata"]["uid"] != labels[UID_LABEL]:
        logger.info("Deleting %s, whose SearchJob is gone", Ref.to(cluster))
        kube.delete(Ref.to(cluster), cluster["metadata"]["uid"])
        kube.post_event(cluster, "Warning", "Swept", "its SearchJob is gone; it is deleted")


def _take_apart(kube: Kube, cluster: Manifest) -> None:
    """Delete the cluster's parts, then let it go."""
    metadata = cluster["metadata"]
    logger.warning("%s does not go; taking it apart", Ref.to(cluster))
    labels = {DASK_CLUSTER_LABEL: metadata["name"]}
    for kind in (DEPLOYMENT, SERVICE):
        for part in kube.list(kind, metadata["namespace"], labels):
            kube.delete(Ref.to(part), part["metadata"]["uid"])
    for group in kube.list(WORKER_GROUP, metadata["namespace"], labels):
        kube.delete(Ref.to(group), group["metadata"]["uid"])
        kube.patch(Ref.to(group), {"metadata": {"finalizers": None}})
    kube.patch(Ref.to(cluster), {"metadata": {"finalizers": None}})
    told = "dask's controller did not let it go; the operator has deleted its parts"
    kube.post_event(cluster, "Warning", "Swept", told)
