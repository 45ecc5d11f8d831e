"""What tests need to know of the cluster that is up: kept in a file between two commands."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tests.kind.choice import Way
from tests.kind.pins import cache

NAME = "hyn-k8s"
"""kind's name of the cluster, as ``kind-config.yaml`` has it."""

WORKER_NODES = (f"{NAME}-worker", f"{NAME}-worker2")


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up."""

    way: Way
    kubeconfig: str
    """The path of the file with which it is reached."""
    kubectl: str
    """The program's path or name."""
    helm: str
    """The program's path or name."""
    images: Mapping[str, str]
    """What pods run, by short name: ``runtime``, ``operator``, ``minio``, ``versitygw``."""
    shared: str
    """What is under the shared volume: ``cephfs``, ``hostpath``, or a storage class's name."""

    @property
    def has_nodes(self) -> bool:
        """Whether its nodes are containers here, which a test may stop."""
        return self.way is not Way.EXISTING


def _file() -> pathlib.Path:
    return cache() / "cluster.json"


def write_cluster(cluster: Cluster) -> None:
    """Leave word of the cluster that is up."""
    _file().write_text(json.dumps(asdict(cluster), indent=2))


def read_cluster() -> Cluster | None:
    """The cluster that was up last, None if there is none."""
    try:
        found = json.loads(_file().read_text())
    except FileNotFoundError:
        return None
    return Cluster(**{**found, "way": Way(found["way"])})


def forget_cluster() -> None:
    """There is none any more."""
    _file().unlink(missing_ok=True)
