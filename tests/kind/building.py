"""Everything that a cluster is made of, built side by side.

Compiling Go takes the processors, two programs at a time, so that one of them may be linked or
downloaded while the other is compiled. Debian's packages and Python's wait for network and disk,
and are fetched meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.kind import docker, images
from tests.kind.choice import Way, official_node
from tests.kind.go_programs import build_kubernetes, build_program
from tests.kind.node_image import node_image
from tests.kind.pins import Pins
from tests.kind.root_filesystems import root_filesystem

T = TypeVar("T")


@dataclass(frozen=True)
class Building:
    """What is being built; each part can be waited for by itself."""

    node: Future[str]
    """The name of the image of the cluster's nodes."""
    laid: Future[list[str]]
    """The names of the images that the nodes of a new cluster have from the start."""
    ours: Future[dict[str, str]]
    """The project's images, by target."""
    servers: Future[dict[str, str]]
    """The images of S3 servers, by name."""
    ceph: Future[None]
    """The packages of the shared file system."""

    @property
    def parts(self) -> Sequence[Future[Any]]:
        """All of it."""
        return (self.node, self.laid, self.ours, self.servers, self.ceph)


def begin(pool: ThreadPoolExecutor, pins: Pins, way: Way, shared: str) -> Building:
    """Have ``pool``, of twelve threads or more, build all that is not there yet."""

    def after(
        needed: Sequence[Future[Any]], function: Callable[..., T], *arguments: object
    ) -> Future[T]:
        def then() -> T:
            for each in needed:
                each.result()
            return function(*arguments)

        return pool.submit(then)

    is_offline = way is Way.OFFLINE
    names = (*(("coredns", "kind", "helm") if is_offline else ()), *images.SERVERS)
    with_go = ThreadPoolExecutor(2)
    built = [with_go.submit(build_kubernetes, pins)] if is_offline else []
    built += [with_go.submit(build_program, pins, name) for name in names]
    with_go.shutdown(wait=False)
    if not is_offline:
        node = pool.submit(official_node, pins)
        ours = pool.submit(images.build_ours, pins, way)
        servers = after(built, images.build_servers, pins)
        return Building(node, pool.submit(list), ours, servers, pool.submit(lambda: None))
    daemon = pool.submit(docker.start_daemon, pins)
    libraries = after([daemon], images.build_libraries, pins, way)
    ours = after([libraries], images.build_ours, pins, way)
    roots = [after([daemon], root_filesystem, pins, name) for name in ("network", "node")]
    node = after([*roots, *built[:2]], node_image, pins)
    servers = after([daemon, *built[-len(images.SERVERS) :]], images.build_servers, pins)
    laid = pool.submit(lambda: [*libraries.result(), *servers.result().values()])
    packages = pins.debian["ceph"].packages if shared == "cephfs" else ()
    ceph = after([daemon], docker.install, packages)
    return Building(node, laid, ours, servers, ceph)
