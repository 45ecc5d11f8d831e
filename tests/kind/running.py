"""Brings the cluster up, or finds it up, and takes it down with everything that was started."""

from __future__ import annotations

import os
import pathlib
import shutil
from dataclasses import dataclass
from typing import Any

import yaml

from tests.kind import docker, images
from tests.kind.ceph import CephFS
from tests.kind.choice import Way, choose, official_node
from tests.kind.cluster import (
    NAME,
    WORKER_NODES,
    Cluster,
    forget_cluster,
    read_cluster,
    write_cluster,
)
from tests.kind.go_programs import build_kubernetes, build_program, helm_program
from tests.kind.node_image import node_image
from tests.kind.pins import Pins, cache, read_pins
from tests.kind.shell import CommandError, run, say, succeeds

CONFIGURATION = images.ROOT / "kind-config.yaml"
VOLUME = images.ROOT / "manifests" / "dev" / "shared-volume.yaml"

SHARED = "/shared"
"""Where the nodes have the directory that they share."""


def bring_up() -> Cluster:
    """The cluster, up, with the images of this checkout on its nodes.

    Raises:
        ChoiceError: there is no way to one on this machine.
        CommandError: a program on the way failed.
    """
    pins = read_pins()
    way = choose(pins)
    if way is Way.EXISTING:
        environ = os.environ
        cluster = Cluster(
            way,
            environ["HYN_E2E_KUBECONFIG"],
            "kubectl",
            helm_program(),
            images.pulled(environ["HYN_E2E_REGISTRY"]),
            environ["HYN_E2E_STORAGE_CLASS"],
        )
    else:
        if way is Way.OFFLINE:
            docker.start_daemon(pins)
        cluster = _bring_up_kind(pins, way)
    write_cluster(cluster)
    say(f"the cluster is up: KUBECONFIG={cluster.kubeconfig}")
    return cluster


def take_down() -> None:
    """End the cluster and what it stands on, except what was there before."""
    cluster = read_cluster()
    pins = read_pins()
    if docker.answers() and (cluster is None or cluster.has_nodes):
        tools = _Tools.of(pins, cluster.way if cluster else Way.OFFLINE)
        if succeeds(tools.kind, "get", "clusters"):
            run(tools.kind, "delete", "cluster", "--name", NAME)
    CephFS().stop()
    docker.stop_daemon()
    forget_cluster()


@dataclass(frozen=True)
class _Tools:
    """The programs that make and reach a cluster."""

    kind: str
    kubectl: str
    helm: str

    @classmethod
    def of(cls, pins: Pins, way: Way) -> _Tools:
        """Those on the path; offline, and where there is none, built ones."""
        if way is Way.KIND:
            kind = shutil.which("kind") or str(build_program(pins, "kind"))
            return cls(kind, shutil.which("kubectl") or "kubectl", helm_program())
        kubectl, helm = _link("kubectl", build_kubernetes(pins)), _link("helm", helm_program())
        return cls(str(build_program(pins, "kind")), kubectl, helm)


def _link(name: str, program: pathlib.Path | str) -> str:
    """``program`` in the folder of programs for people, by its plain name."""
    link = cache() / "bin" / name
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return str(link)


def _bring_up_kind(pins: Pins, way: Way) -> Cluster:
    tools = _Tools.of(pins, way)
    node = node_image(pins) if way is Way.OFFLINE else official_node(pins)
    built = images.build_ours(pins, way) | images.build_servers(pins)
    kubeconfig = cache() / "kubeconfig"
    shared = os.environ.get("HYN_E2E_SHARED", "cephfs" if way is Way.OFFLINE else "hostpath")
    before = read_cluster()
    is_same = before is not None and (before.way, before.shared) == (way, shared)
    if not is_same or not _answers(tools, kubeconfig) or not _is_shared(shared):
        _create(pins, tools, node, kubeconfig, shared)
    images.load(tools.kind, NAME, list(built.values()), WORKER_NODES)
    images.name_as_released(built, WORKER_NODES)
    run(tools.kubectl, "--kubeconfig", kubeconfig, "apply", "--filename", VOLUME)
    return Cluster(way, str(kubeconfig), tools.kubectl, tools.helm, built, shared)


def _answers(tools: _Tools, kubeconfig: pathlib.Path) -> bool:
    """Whether the cluster of that file is there and all of its nodes are ready."""
    command = (tools.kubectl, "--kubeconfig", kubeconfig, "--request-timeout=5s")
    wait = ("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=30s")
    return kubeconfig.exists() and succeeds(*command, *wait)


def _is_shared(shared: str) -> bool:
    return shared != "cephfs" or CephFS().is_up


def _create(pins: Pins, tools: _Tools, node: str, kubeconfig: pathlib.Path, shared: str) -> None:
    """Make the cluster anew, over a shared directory that is empty."""
    forget_cluster()
    run(tools.kind, "delete", "cluster", "--name", NAME)
    configuration = yaml.safe_load(CONFIGURATION.read_text())
    ceph = CephFS()
    ceph.stop()
    if shared == "cephfs":
        ceph.start(pins)
    for directory in _shared_directories(configuration, shared):
        if shared == "cephfs":
            ceph.mount(directory)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o2777)
    written = cache() / "kind-config.yaml"
    written.write_text(yaml.safe_dump(configuration))
    say("creating the cluster")
    try:
        run(
            *(tools.kind, "create", "cluster", "--config", written, "--image", node),
            *("--kubeconfig", kubeconfig, "--wait", "180s"),
            cwd=images.ROOT,  # the configuration has a path of the checkout
        )
    except CommandError:
        run(tools.kind, "delete", "cluster", "--name", NAME)
        raise


def _shared_directories(configuration: Any, shared: str) -> list[pathlib.Path]:
    """The host's directories that nodes share; with CephFS, changed to one mount for each."""
    found = []
    for number, node in enumerate(configuration["nodes"]):
        for mount in node.get("extraMounts", []):
            if mount["containerPath"] != SHARED:
                continue
            if shared == "cephfs":
                mount["hostPath"] = str(cache() / "nodes" / str(number))
            found.append(pathlib.Path(mount["hostPath"]))
    return found


def shared_directory(node: str) -> pathlib.Path:
    """Where this machine sees the shared directory of a worker node, as that node's client."""
    number = 1 + WORKER_NODES.index(node)
    return cache() / "nodes" / str(number)
