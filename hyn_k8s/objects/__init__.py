"""Every Kubernetes object of a search, built from what a SearchJob says.

Pure functions: a ``Search`` goes in, a new manifest comes out, nothing is read, sent or changed.
Whoever applies them decides when; what is here decides only what they look like.

::

    search           Search: the SearchJob, its image and its storage, resolved; owner and labels
    attachments      what a container and its pod are given in addition, merged by key
    storage          the shared volume or the bucket, in a pod; the claim of a claim template
    scripts          the script in a pod; the ConfigMap with it and with the driver's RunConfig
    environment      the environment of driver and workers: the contract, then the user's
    pods             a pod that passes Pod Security ``restricted``, with the user's settings in it
    driver           the driver's Job, and the Job that reports what a finished run came to
    dask_cluster     the DaskCluster: a scheduler and its workers
    network_policy   who may connect to the pods: each other, and the controllers

All pods of a search see the same storage at the same path. None has a service account's token, and
none of these objects holds a secret: Secrets are referred to.
"""

from __future__ import annotations

from hyn_k8s.objects.dask_cluster import dask_cluster
from hyn_k8s.objects.driver import driver_job, report_job
from hyn_k8s.objects.network_policy import network_policy
from hyn_k8s.objects.scripts import config_map
from hyn_k8s.objects.search import Search
from hyn_k8s.objects.storage import claim

__all__ = [
    "Search",
    "claim",
    "config_map",
    "dask_cluster",
    "driver_job",
    "network_policy",
    "report_job",
]
