"""What the machines are made of: Debian's packages, unpacked in the cache, none installed here."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import tempfile
from dataclasses import dataclass

from tests.kind.pins import cache
from tests.kind.shell import run

_KERNEL = ("user-mode-linux",)
_TOOLS = (
    "busybox-static",
    "libevent-core-2.1-7",
    "libnfsidmap1",
    "libtirpc-common",
    "libtirpc3",
    "libwrap0",
    "nfs-common",
    "nfs-kernel-server",
    "rpcbind",
)


@dataclass(frozen=True)
class Unpacked:
    """Where things are."""

    kernel: pathlib.Path
    """The program that is a kernel."""
    modules: pathlib.Path
    """Its modules, below ``kernel``."""
    tools: pathlib.Path
    """The root of what server and clients run."""


def unpack() -> Unpacked:
    """The packages of this machine's Debian, downloaded at the first call only.

    Raises:
        CommandError: this is no Debian, or it has no such package.
    """
    names = hashlib.sha256(repr((_KERNEL, _TOOLS)).encode()).hexdigest()[:12]
    folder = cache() / f"nfs-{names}"
    if not folder.exists():
        _download(folder)
    (modules,) = (folder / "kernel/usr/lib/uml/modules").iterdir()
    return Unpacked(folder / "kernel/usr/bin/linux.uml", modules, folder / "tools")


def _download(folder: pathlib.Path) -> None:
    part = pathlib.Path(tempfile.mkdtemp(prefix="nfs-", dir=folder.parent))
    try:
        for name, packages in (("kernel", _KERNEL), ("tools", _TOOLS)):
            archives = part / f"{name}.debs"
            archives.mkdir()
            run("apt-get", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=archives)
            for archive in archives.iterdir():
                run("dpkg", "-x", archive, part / name)
            shutil.rmtree(archives)
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
