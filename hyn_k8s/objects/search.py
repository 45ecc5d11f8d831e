"""A search as the builders see it: a SearchJob with its image and its storage resolved.

Also what every object of it has in common, its owner and its labels. An owned object goes with the
SearchJob, whether or not an operator runs, so only what is the user's has no owner.
"""

from __future__ import annotations

from dataclasses import dataclass

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.search_job import API_VERSION, KIND, SearchJobSpec
from hyn_k8s.api.storage import Storage


@dataclass(frozen=True)
class Search:
    """Everything that the objects of a search are made of."""

    name: str
    """The SearchJob's name."""
    namespace: str
    uid: str
    """The SearchJob's uid."""
    spec: SearchJobSpec
    image: str
    """Of driver, scheduler and workers: the spec's, or the operator's default."""
    storage: Storage
    """Where the run is kept: the spec's, or the operator's default."""
    image_pull_policy: str | None = None
    """As in a container; None leaves it to Kubernetes."""
    image_pull_secrets: tuple[str, ...] = ()
    """Secrets with which the pods of a role pull their image that has none of its own."""

    @property
    def labels(self) -> dict[str, str]:
        """What every object of the search is labelled with.

        Dask's controller copies a DaskCluster's labels to all that it makes of it. So there are
        few, and none by which other tools take objects for theirs: by app.kubernetes.io/instance,
        Argo CD would prune them.
        """
        return {
            "app.kubernetes.io/name": "hyn-k8s",
            names.SEARCH_LABEL: self.name,
            names.UID_LABEL: self.uid,
        }

    def pod_labels(self, role: str) -> dict[str, str]:
        """What a pod of the search is labelled with."""
        return self.labels | {names.ROLE_LABEL: role, "app.kubernetes.io/component": role}

    def metadata(self, name: str) -> Manifest:
        """The metadata of an object that goes when the SearchJob goes."""
        owner = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": self.labels,
            "ownerReferences": [owner],
        }
