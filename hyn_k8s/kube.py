"""What the operator asks of a cluster, and the objects that it speaks of.

Objects are plain dictionaries, as in a manifest. What is not there is None or an empty list, and
deleting it is fine; everything else that goes wrong is a ``ClusterError`` which says whether
trying again can help. ``api_server`` has the real one; the tests' own is in memory, and passes the
same contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from hyn_k8s.api.schema import Manifest


@dataclass(frozen=True)
class Kind:
    """A kind of objects."""

    api_version: str
    name: str

    def ref(self, namespace: str | None, name: str) -> Ref:
        """One object of the kind."""
        return Ref(self, namespace, name)


@dataclass(frozen=True)
class Ref:
    """One object."""

    kind: Kind
    namespace: str | None
    name: str

    @classmethod
    def to(cls, manifest: Mapping[str, Any]) -> Self:
        """The object of ``manifest``."""
        metadata = manifest["metadata"]
        kind = Kind(manifest["apiVersion"], manifest["kind"])
        return cls(kind, metadata.get("namespace"), metadata["name"])

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.name.lower()} {where}{self.name}"


SEARCH_JOB = Kind("hyn-k8s.dev/v1alpha1", "SearchJob")
DASK_CLUSTER = Kind("kubernetes.dask.org/v1", "DaskCluster")
WORKER_GROUP = Kind("kubernetes.dask.org/v1", "DaskWorkerGroup")
DEPLOYMENT = Kind("apps/v1", "Deployment")
JOB = Kind("batch/v1", "Job")
POD = Kind("v1", "Pod")
SERVICE = Kind("v1", "Service")
CONFIG_MAP = Kind("v1", "ConfigMap")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy")
CLAIM = Kind("v1", "PersistentVolumeClaim")
EVENT = Kind("v1", "Event")
CUSTOM_RESOURCE_DEFINITION = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")


class Kube(Protocol):
    """What the operator asks of a cluster; ``api_server.ApiServer`` is the real one."""

    def get(self, ref: Ref) -> Manifest | None:
        """The object, None where there is none."""

    def list(
        self,
        kind: Kind,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        """The objects with these labels and fields; of all namespaces with None."""

    def apply(self, manifest: Manifest) -> Manifest:
        """Have the object as the manifest says, server-side; as it is then."""

    def patch(self, ref: Ref, changes: Mapping[str, Any]) -> None:
        """Merge ``changes`` into the object; one that is gone is fine."""

    def replace_status(self, ref: Ref, status: Mapping[str, Any], uid: str | None = None) -> None:
        """Have the status as given; of an object that is gone is fine.

        With ``uid`` only that very object's.
        """

    def delete(self, ref: Ref, uid: str | None = None, at_once: bool = False) -> None:
        """Delete the object, and in time what it owns; one that is gone is fine.

        With ``uid`` only that very object; ``at_once`` without waiting for its processes.
        """

    def post_event(self, about: Manifest, type_: str, reason: str, message: str) -> None:
        """Tell an Event about an object; ``type_`` is Normal or Warning."""

    def read_progress(self, namespace: str, pod: str, address: str | None) -> bytes:
        """What the driver in that pod, which has that IP, answers about its progress."""
