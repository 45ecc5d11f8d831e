"""A mounted directory that can fill up, turn read-only, and be unmounted under a search.

It is mounted in a namespace of its own, which one idle process keeps; drivers enter it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

from tests.faults.evidence import Directory
from tests.mounts import MOUNT_NAMESPACE
from tests.processes import start, stop
from tests.waiting import until


class Mount:
    """A file system of a few megabytes. It is seen at ``place.root``, by those that enter."""

    def __init__(self, folder: pathlib.Path, megabytes: int) -> None:
        self._folder = folder
        self._disk, self._root = folder / "disk", folder / "root"
        for path in (self._disk, self._root):
            path.mkdir(parents=True)
        script = f"mount -t tmpfs -o size={megabytes}m none {self._disk}"
        script += f" && mount --bind {self._disk} {self._root} && exec sleep infinity"
        self._keeper = start(
            [*MOUNT_NAMESPACE, "sh", "-c", script], folder, None, folder / "mount.log"
        )
        self._inside = pathlib.Path(f"/proc/{self._keeper.pid}/root{self._disk}")
        self.place = Directory(self._root, seen_at=self._inside)
        until(lambda: str(self._root) in self._mounts(), "the mount")

    @property
    def prefix(self) -> tuple[str, ...]:
        """A command that runs another one where the directory is mounted."""
        namespaces = [f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        if os.geteuid() != 0:
            namespaces += [f"--user=/proc/{self._keeper.pid}/ns/user", "--preserve-credentials"]
        return ("nsenter", *namespaces)

    def entering(self, folder: pathlib.Path) -> tuple[str, ...]:
        """The same, in ``folder``: who enters a namespace begins at its root."""
        return (*self.prefix, "sh", "-c", 'cd "$0" && exec "$@"', str(folder))

    def fill(self, leaving: int = 0) -> None:
        """Leave so many bytes free."""
        free = os.statvfs(self._inside).f_bavail * os.statvfs(self._inside).f_bsize
        with contextlib.suppress(OSError), (self._inside / "filler").open("ab", 0) as file:
            for _ in range((free - leaving) // 4096 + (leaving == 0)):
                file.write(b"x" * 4096)

    def free(self) -> None:
        """Take away what ``fill`` wrote."""
        (self._inside / "filler").unlink()

    def make_read_only(self) -> None:
        self._run("mount", "-o", "remount,bind,ro", str(self._root))

    def make_writable(self) -> None:
        self._run("mount", "-o", "remount,bind,rw", str(self._root))

    def unmount(self) -> None:
        """An empty directory is left, as where a network share is lost."""
        self._run("umount", "--lazy", str(self._root))

    def mount(self) -> None:
        """Mount it again, as it was."""
        self._run("mount", "--bind", str(self._disk), str(self._root))

    def beneath(self) -> list[str]:
        """What was written into the empty directory."""
        return sorted(str(path.relative_to(self._root)) for path in self._root.rglob("*"))

    def close(self) -> None:
        stop(self._keeper)

    def _mounts(self) -> str:
        return pathlib.Path(f"/proc/{self._keeper.pid}/mounts").read_text()

    def _run(self, *command: str) -> None:
        subprocess.run([*self.prefix, *command], check=True, timeout=30)


@contextlib.contextmanager
def small_mount(folder: pathlib.Path, megabytes: int = 8) -> Iterator[Mount]:
    """A mount that is gone after the block, whoever was in it."""
    mount = Mount(folder, megabytes)
    try:
        yield mount
    finally:
        mount.close()
