"""Brings the cluster up, or finds it up, and takes it down with everything that was started."""

from __future__ import annotations

import os
import pathlib
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import yaml

from tests.kind import building, docker, images, node_store
from tests.kind.ceph import CephFS
from tests.kind.choice import Way, choose
from tests.kind.cluster import (
    NAME,
    WORKER_NODES,
    Cluster,
    forget_cluster,
    read_cluster,
    write_cluster,
)
from tests.kind.go_programs import build_kubernetes, build_program, helm_program
from tests.kind.pins import Pins, cache, read_pins
from tests.kind.shell import CommandError, run, say, succeeds
from tests.kind.turns import turn
from tests.waiting import until

CONFIGURATION = images.ROOT / "kind-config.yaml"
VOLUME = images.ROOT / "manifests" / "dev" / "shared-volume.yaml"

SHARED = "/shared"
"""Where the nodes have the directory that they share."""

_THREADS = 12


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
        with turn("cluster"):
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
    for copy in _stores():
        node_store.remove_store(copy)
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


def build() -> None:
    """Have everything built that a cluster is made of, and no cluster.

    Raises:
        ChoiceError: there is no way to one on this machine.
        CommandError: a part cannot be built.
    """
    pins = read_pins()
    way = choose(pins)
    if way is not Way.EXISTING:
        with turn("cluster"), ThreadPoolExecutor(_THREADS) as pool:
            parts = building.begin(pool, pins, way, _shared(way))
            for part in parts.parts:
                part.result()
            _store(pins, way, parts)


def _store(pins: Pins, way: Way, parts: building.Building) -> pathlib.Path | None:
    """What the nodes' containerd has from the start; None where the node image has all of it."""
    if way is not Way.OFFLINE:
        return None
    return node_store.node_store(pins, parts.node.result(), parts.laid.result())


def _shared(way: Way) -> str:
    return os.environ.get("HYN_E2E_SHARED", "cephfs" if way is Way.OFFLINE else "hostpath")


def _bring_up_kind(pins: Pins, way: Way) -> Cluster:
    """The cluster, made anew unless it is there; images go to its nodes as soon as both are."""
    kubeconfig, shared = cache() / "kubeconfig", _shared(way)
    before = read_cluster()
    is_same = before is not None and (before.way, before.shared) == (way, shared)
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = building.begin(pool, pins, way, shared)
        node = parts.node.result()
        tools = _Tools.of(pins, way)
        made: Future[None] | None = None
        if not is_same or not _answers(tools, kubeconfig) or not _is_shared(shared):
            forget_cluster()
            run(tools.kind, "delete", "cluster", "--name", NAME)
            parts.ceph.result()
            store = _store(pins, way, parts)
            made = pool.submit(_create, pins, tools, node, store, kubeconfig, shared)
        laid = parts.laid.result()
        built: dict[str, str] = {}
        for group, part in (("ours", parts.ours), ("servers", parts.servers)):
            found = part.result()
            names = list(found.values())
            if made is not None:
                if not set(names).issubset(laid):
                    images.saved(group, names, laid)
                _await_containerd(made)
            images.load(group, names, WORKER_NODES, laid)
            built |= found
        if made is not None:
            made.result()
            # Without a request it gets next to nothing while searches begin, and their Services
            # lead nowhere for most of a minute.
            proxy = ("--namespace", "kube-system", "set", "resources", "daemonset/kube-proxy")
            run(tools.kubectl, "--kubeconfig", kubeconfig, *proxy, "--requests=cpu=200m")
    images.name_as_released(built, WORKER_NODES)
    run(tools.kubectl, "--kubeconfig", kubeconfig, "apply", "--filename", VOLUME)
    return Cluster(way, str(kubeconfig), tools.kubectl, tools.helm, built, shared)


def _await_containerd(made: Future[None]) -> None:
    """Wait until images can be given to the worker nodes of a cluster that is being made."""

    def answers() -> bool:
        if made.done():
            made.result()
        inside = ("ctr", "--namespace", "k8s.io", "images", "list", "-q")
        return all(succeeds("docker", "exec", node, *inside) for node in WORKER_NODES)

    until(answers, "containerd on the worker nodes", 180, 0.5)


def _answers(tools: _Tools, kubeconfig: pathlib.Path) -> bool:
    """Whether the cluster of that file is there and all of its nodes are ready."""
    command = (tools.kubectl, "--kubeconfig", kubeconfig, "--request-timeout=5s")
    wait = ("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=30s")
    return kubeconfig.exists() and succeeds(*command, *wait)


def _is_shared(shared: str) -> bool:
    return shared != "cephfs" or CephFS().is_up


def _create(
    pins: Pins,
    tools: _Tools,
    node: str,
    store: pathlib.Path | None,
    kubeconfig: pathlib.Path,
    shared: str,
) -> None:
    """Make the cluster, over a shared directory that is empty."""
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
    for each, copy in zip(configuration["nodes"], _stores(), strict=True):
        if store is not None:
            node_store.copy_store(store, copy)
            mount = {"hostPath": str(copy), "containerPath": node_store.PLACE}
            each.setdefault("extraMounts", []).append(mount)
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


def _stores() -> list[pathlib.Path]:
    """Where each node has its copy of what containerd has from the start."""
    return [cache() / "nodes" / f"{number}-containerd" for number in range(1 + len(WORKER_NODES))]


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
