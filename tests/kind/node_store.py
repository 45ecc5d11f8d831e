"""What the containerd of each node has from its first moment: images that need no pull.

kubeadm's images, libraries and S3 servers make two gigabytes. They are unpacked once, in the cache;
a node gets hard links to the files. containerd never changes a layer, only adds some, so nodes may
share them. Its databases it does change: they are copied.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil
from collections.abc import Sequence

from tests.kind.node_image import build_components
from tests.kind.pins import Pins, cache
from tests.kind.shell import run, say, succeeds
from tests.waiting import until

PLACE = "/var/lib/containerd"
"""Where a node has it."""

_MAKER = "hyn-k8s-node-maker"


def node_store(pins: Pins, node: str, images: Sequence[str]) -> pathlib.Path:
    """The folder of kubeadm's and Docker's ``images``, unpacked by the containerd of ``node``.

    Raises:
        CommandError: containerd does not take one.
    """
    told = hashlib.sha256(" ".join([node, *images]).encode())
    told.update(pathlib.Path(__file__).read_bytes())
    store = cache() / "node-stores" / told.hexdigest()[:12]
    if not store.exists():
        for before in store.parent.glob("*"):
            shutil.rmtree(before)
        say("unpacking the images that nodes have from the start")
        part = store.with_suffix(".part")
        part.mkdir(parents=True)
        _unpack(node, [*build_components(pins), *images], part)
        part.rename(store)
    return store


def copy_store(store: pathlib.Path, node: pathlib.Path) -> None:
    """Have a node's own copy at ``node``, in place of one before."""
    remove_store(node)
    node.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "--archive", "--link", store, node)
    for database in node.glob("io.containerd.*/*.db"):
        content = database.read_bytes()
        database.unlink()
        database.write_bytes(content)


def remove_store(node: pathlib.Path) -> None:
    """Remove a node's copy, if there is one; a removed node has left files of all kinds in it."""
    run("rm", "-rf", node)


def _unpack(node: str, images: Sequence[str], folder: pathlib.Path) -> None:
    archive = cache() / "node-images.tar"
    run("docker", "rm", "--force", _MAKER)
    volumes = ("--volume", f"{archive}:/images.tar:ro", "--volume", f"{folder}:{PLACE}")
    inside = ("docker", "exec", _MAKER, "ctr", "--namespace", "k8s.io")
    try:
        run("docker", "save", "--output", archive, *images)
        run(*("docker", "run", "--detach", "--privileged", "--name", _MAKER, *volumes),
            *("--entrypoint", "containerd", node))  # fmt: skip
        until(lambda: succeeds(*inside, "version"), "the node's containerd to answer", 60)
        run(*inside, "images", "import", "--all-platforms", "/images.tar")
        # Packed layers are of no more use: a node has all of them unpacked.
        content = run(*inside, "content", "list").splitlines()
        packed = [line.split()[0] for line in content if "containerd.io/uncompressed=" in line]
        run(*inside, "content", "rm", *packed)
        run("docker", "stop", _MAKER)
    finally:
        run("docker", "rm", "--force", _MAKER)
        archive.unlink(missing_ok=True)
