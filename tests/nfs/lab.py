"""The server, its exports, and the clients."""

from __future__ import annotations

import itertools
import pathlib
import subprocess
from types import TracebackType
from typing import Self

from tests.nfs.machines import PREFIX, Machine, Network
from tests.nfs.packages import unpack
from tests.nfs.remote import Server

ADVISED = "nfsvers=4.1,hard,lookupcache=positive"
"""The mount options that README and the chart advise."""

SERVER = f"{PREFIX}1"

_FILES = pathlib.Path(__file__).parent / "files"


class Client(Machine):
    """A machine that mounts what the server exports."""

    _server: Server | None = None

    @property
    def storages(self) -> Server:
        """A process of it that uses storages."""
        if self._server is None:
            self._server = Server(self)
        return self._server

    def mount(self, export: str, at: str, options: str = ADVISED) -> None:
        """Version 4 begins at the root of all exports, and version 3 at the server's own."""
        path = f"/export/{export}" if "vers=3" in options else f"/{export}"
        self.run("mkdir", "-p", at)
        self.run("mount.nfs", "-o", options, f"{SERVER}:{path}", at)

    def unmount(self, at: str) -> None:
        self.run("umount", at)


class Lab:
    """An NFS server and two clients of it, each a machine, in ``folder``."""

    def __init__(self, folder: pathlib.Path) -> None:
        unpacked = unpack()
        for file in _FILES.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
            (folder / file.name).chmod(0o755)
        disks = folder / "one.img", folder / "other.img"
        for disk in disks:
            with disk.open("wb") as image:
                image.truncate(256 * 2**20)
            subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True, timeout=60)
        self._network = Network("server", "client-1", "client-2")
        self.server = Machine(self._network, unpacked, folder, "server", 192, disks)
        self.clients = tuple(
            Client(self._network, unpacked, folder, f"client-{number}", 1536) for number in (1, 2)
        )
        self._folders = itertools.count()

    def boot(self) -> None:
        for machine in (self.server, *self.clients):
            machine.boot()
        for machine in (self.server, *self.clients):
            machine.await_booted()
        # Nobody has locks or open files of before, for which the server lets everybody wait.
        self.server.run("sh", "-c", "echo Y > /proc/fs/nfsd/v4_end_grace")

    def new_folder(self) -> str:
        """A folder of the export ``one`` that no other test has; its path in the export."""
        name = f"{next(self._folders)}"
        self.server.run("mkdir", f"/export/one/{name}")
        return name

    def drop_replies(self) -> None:
        """From now on the server hears the clients, and they do not hear it."""
        for client in self.clients:
            self.server.run("ip", "route", "add", "blackhole", f"{client.address}/32")

    def pass_replies(self) -> None:
        """Undo ``drop_replies``, if that is in force."""
        for client in self.clients:
            self.server.run("sh", "-c", f"ip route del blackhole {client.address}/32 || true")

    def restart_server(self) -> None:
        """Cut its power, and boot it again."""
        self.server.kill()
        self.server.boot()
        self.server.await_booted()

    def __enter__(self) -> Self:
        self._network.__enter__()
        try:
            self.boot()
        except BaseException:
            self._network.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._network.__exit__(kind, error, trace)
