"""Binds Hypernets' own ``fs`` to the run's storage, whether or not Hypernets was imported before.

Hypernets builds ``hypernets.utils.fs`` while it is imported, from settings no one can still
change, and at least eight of its modules keep that object by name. So the object stays and its
inside is replaced: every holder then reads and writes the run's storage. Two faults of the
original are left out on the way: a path counted as rooted when it merely began with the root's
letters (``/data`` and ``/data2``), and the file system's pickle carried the storage's secrets;
ours says "the file system bound in this process" and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hyn_k8s.search import private_names
from hyn_k8s.search.literal_roots import take_root_literally
from hyn_k8s.search.s3 import s3_filesystem
from hyn_k8s.search.settings import StorageSettings

_bound: StorageSettings | None = None


@dataclass(eq=False)
class Watched:
    """A path of the bound storage, without the first slash."""

    path: str
    is_named: bool = False
    """Whether ``fs`` was given it, or anything above or below it, since it is watched."""

    def note(self, given: Any) -> None:
        """``fs`` was given a path, or several, or something else that may hold any."""
        for each in given if isinstance(given, list) else [given]:
            path = each.strip("/") if isinstance(each, str) else ""
            above = not path or f"{self.path}/".startswith(f"{path}/")
            self.is_named |= above or path.startswith(f"{self.path}/")


_watched: set[Watched] = set()


@contextlib.contextmanager
def watching(path: str) -> Iterator[Watched]:
    """Within, it is noted whether this process uses ``path``, which is rooted, through ``fs``."""
    watched = Watched(path.strip("/"))
    _watched.add(watched)
    try:
        yield watched
    finally:
        _watched.discard(watched)


def bound_filesystem() -> Any:
    """Hypernets' ``fs`` of this process; what a pickled ``fs`` becomes when it is loaded."""
    from hypernets.utils import fs

    return fs


def import_hypernets() -> None:
    """Import Hypernets so that its import touches no storage but a passing directory.

    Importing it otherwise creates and writes its default work directory, or contacts S3.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="hyn-k8s-") as scratch:
        storage = {"kind": "file", "root": scratch}
        private_names.configure_import(Config({"StorageCfg": storage}))
        import hypernets.utils  # noqa: F401


def bind(settings: StorageSettings) -> None:
    """Make Hypernets' ``fs`` of this process read and write the storage of ``settings``."""
    global _bound
    if settings == _bound:
        return
    fresh, module = _filesystem(settings), private_names.filesystems()
    shared = module.filesystem
    shared.__class__ = type(fresh)
    shared.__dict__.clear()
    shared.__dict__.update(fresh.__dict__)
    module.StorageCfg.kind = settings.kind
    module.StorageCfg.root = settings.root
    _bound = settings


def _filesystem(settings: StorageSettings) -> Any:
    """A new file system, adapted as Hypernets adapts it but with honest roots and pickles."""
    module = private_names.filesystems()
    local = os.path.abspath(module.StorageCfg.local_root)
    if settings.kind == "s3":
        fs, base = s3_filesystem(settings), module.S3FileSystemAdapter
    else:
        fs = module.AdaptedLocalFileSystem(skip_instance_cache=True)
        base, local = module.FileSystemAdapter, settings.root

    take_root_literally(fs, settings.root)

    class RootedAdapter(base):  # type: ignore[valid-type, misc]
        def to_rpath(self, rpath: Any) -> Any:
            rooted = super().to_rpath(rpath)
            for watched in tuple(_watched):
                watched.note(rooted)
            return rooted

        def rooted(self, rpath: str) -> str:
            path = rpath if settings.kind == "file" else rpath.lstrip("/")
            if self._is_rooted(path):
                return path
            return f"{self.remote_root.rstrip('/')}/{path.lstrip('/')}"

        def strip_rpath(self, rpath: str, align_with: Any) -> str:
            """A found path as the caller spelled the one asked for: rooted or relative."""
            asked = align_with if isinstance(align_with, str) else align_with.path
            if self._is_rooted(asked if settings.kind == "file" else asked.lstrip("/")):
                return rpath
            root = self.remote_root.strip("/")
            relative = rpath.lstrip("/").removeprefix(root).lstrip("/")
            return f"/{relative}" if asked.startswith("/") else relative

        def _is_rooted(self, path: str) -> bool:
            root = self.remote_root.rstrip("/")
            return path == root or path.startswith(f"{root}/")

    setattr(RootedAdapter, private_names.ADAPTERS_ROOTING, RootedAdapter.rooted)
    adapted = RootedAdapter(settings.root, local, "/")(fs)
    adapted.__reduce__ = lambda: (bound_filesystem, ())
    return adapted
