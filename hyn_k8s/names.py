"""What the objects of a SearchJob are called, and by which labels they are found.

One place for every name: whoever makes an object and whoever looks for it ask here. The names are
the SearchJob's own with a word behind, so one search has one set of objects at a time. Its run on
the storage also carries a piece of the SearchJob's uid: a SearchJob that is deleted and applied
again is a new search, and so is one of the same name in another namespace. Only ``spec.run`` makes
one resume the run of another.
"""

from __future__ import annotations

FIELD_MANAGER = "hyn-k8s"
"""By this name the operator applies objects."""

SEARCH_LABEL = "hyn-k8s.dev/search"
"""On everything that belongs to a search: the SearchJob's name."""

UID_LABEL = "hyn-k8s.dev/search-uid"
"""On everything that belongs to a search: the SearchJob's uid."""

ROLE_LABEL = "hyn-k8s.dev/role"
"""What a pod is to its search: driver, scheduler, worker, report."""

STORAGE_ANNOTATION = "hyn-k8s.dev/storage"
"""On a search's ConfigMap: the storage that it has begun with, a spec.storage as JSON."""

DRIVER = "driver"
SCHEDULER = "scheduler"
WORKER = "worker"
REPORT = "report"

DONE_ANNOTATION = "hyn-k8s.dev/trials-done"
"""On a driver's Job: how many trials had come to something when it was made."""

DASK_CLUSTER_LABEL = "dask.org/cluster-name"
DASK_COMPONENT_LABEL = "dask.org/component"

SCHEDULER_PORT = 8786
DASHBOARD_PORT = 8787
WORKER_DASHBOARD_PORT = 8788
WORKER_PORT = 9000
NANNY_PORT = 9001
DRIVER_PORT = 8080


def cluster_name(search_job: str) -> str:
    """The DaskCluster."""
    return search_job


def scheduler_name(search_job: str) -> str:
    """The scheduler's Deployment and Service, as dask's controller calls them."""
    return f"{cluster_name(search_job)}-scheduler"


def scheduler_address(search_job: str) -> str:
    """Where driver and workers of the same namespace find the scheduler."""
    return f"tcp://{scheduler_name(search_job)}:{SCHEDULER_PORT}"


def driver_name(search_job: str) -> str:
    """The driver's Job."""
    return f"{search_job}-driver"


def report_name(search_job: str) -> str:
    """The Job that reads a finished run's outcome from the storage."""
    return f"{search_job}-report"


def config_name(search_job: str) -> str:
    """The ConfigMap with the driver's RunConfig and an inline script."""
    return f"{search_job}-run"


def network_policy_name(search_job: str) -> str:
    """The NetworkPolicy around the search's pods."""
    return f"{search_job}-network"


def claim_name(search_job: str) -> str:
    """The claim that is made of a claim template."""
    return search_job


def run_name(search_job: str, uid: str, named: str | None = None) -> str:
    """The run on the storage: the one that ``spec.run`` has ``named``, else one of the SearchJob's
    own, of at most 46 characters."""
    return named or f"{search_job}-{uid[:8]}"
