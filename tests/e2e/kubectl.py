"""kubectl, as a user has it."""

from __future__ import annotations

import pathlib
import subprocess

from tests.kind.cluster import Cluster


def kubectl(cluster: Cluster, *arguments: str) -> str:
    """What ``kubectl`` says to these arguments, its errors included."""
    command = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def programs(cluster: Cluster) -> list[pathlib.Path]:
    """Where Helm and kubectl are, if not on the path."""
    found = [pathlib.Path(each) for each in (cluster.helm, cluster.kubectl)]
    return [each.parent for each in found if each.is_absolute()]
