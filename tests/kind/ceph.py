"""A real CephFS on this machine, mounted once for each node: what a production cluster shares.

A monitor, a manager, one storage daemon that keeps everything in memory and a metadata server make
a file system in a few seconds. Each mount is a client of its own, with its own caches and locks, so
that what a pod on one node writes reaches a pod on another one by way of the servers, as it would
between machines. And each part can be stopped by itself: the storage daemon, or one node's client.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import shutil
import signal
import uuid
from collections.abc import Iterator

import stamina

from tests.kind.docker import install
from tests.kind.pins import Pins, cache
from tests.kind.shell import CommandError, run, say
from tests.waiting import until

# It reports each pause; without a logging configuration Python prints that on standard error.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = 127.0.0.1:6789
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
# A storage daemon that is alone never renews a lease that it lets lapse while it is paused.
osd pool default read lease ratio = 1000
osd objectstore = memstore
memstore device bytes = 2147483648
mon allow pool size one = true
mon warn on pool no redundancy = false
mgr initial modules =
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file = {folder}/$name.pid
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
mds data = {folder}/mds
# By default a file that one client has written shows on the others after up to 5 s.
mds tick interval = 0.1
"""


class CephFS:
    """The file system in ``folder``, which exists from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self._folder = cache() / "ceph"

    @property
    def is_up(self) -> bool:
        """Whether its servers run."""
        return self._pid("mon.a") is not None and self._pid("mds.a") is not None

    def start(self, pins: Pins) -> None:
        """Make an empty file system and wait until it can be mounted.

        Raises:
            CommandError: a package cannot be installed, or a daemon does not start.
        """
        install(pins.debian["ceph"].packages)
        say("starting CephFS")
        shutil.rmtree(self._folder, ignore_errors=True)
        for each in ("mon", "mgr", "osd", "mds"):
            (self._folder / each).mkdir(parents=True)
        fsid = str(uuid.uuid4())
        self._conf.write_text(_CONFIGURATION.format(fsid=fsid, folder=self._folder))
        monitors = self._folder / "monmap"
        run("monmaptool", "--create", "--add", "a", "127.0.0.1:6789", "--fsid", fsid, monitors)
        self._daemon("ceph-mon", "a", "--mkfs", "--monmap", str(monitors))
        self._daemon("ceph-mon", "a")
        self._daemon("ceph-mgr", "a")
        disk = str(uuid.uuid4())
        number = self._ceph("osd", "new", disk).strip()
        self._daemon("ceph-osd", number, "--mkfs", "--osd-uuid", disk)
        self._daemon("ceph-osd", number)
        for pool in ("metadata", "data"):
            self._ceph("osd", "pool", "create", pool, "8")
        self._ceph("fs", "new", "shared", "metadata", "data")
        # What a client that was killed still holds is let go of after so many seconds.
        self._ceph("fs", "set", "shared", "session_timeout", "30")
        self._ceph("fs", "set", "shared", "session_autoclose", "45")
        self._daemon("ceph-mds", "a")
        until(lambda: ":active" in self._ceph("mds", "stat"), "the metadata server", 60)

    def stop(self) -> None:
        """Unmount every client and end every daemon; the files are gone."""
        for mount in sorted(self._folder.glob("client-*.pid")):
            self.unmount(pathlib.Path(mount.with_suffix(".mount").read_text()))
        for pid_file in self._folder.glob("*.pid"):
            self._end(pid_file.stem, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def mount(self, at: pathlib.Path) -> None:
        """Mount it at ``at`` as a client of its own, writable for every user."""
        at.mkdir(parents=True, exist_ok=True)
        name = self._folder / f"client-{at.name}"
        name.with_suffix(".mount").write_text(str(at))
        options = {"pid-file": name.with_suffix(".pid"), "log-file": name.with_suffix(".log")}
        options["admin-socket"] = name.with_suffix(".asok")
        flags = [f"--{key}={value}" for key, value in options.items()]
        run("ceph-fuse", "-c", self._conf, *flags, "-o", "allow_other", at)
        at.chmod(0o2777)

    def unmount(self, at: pathlib.Path) -> None:
        """End the client at ``at`` in order, or what is left of it."""
        with contextlib.suppress(CommandError):
            run("umount", "--lazy", at)
        self._end(f"client-{at.name}", signal.SIGTERM)

    def kill_client(self, at: pathlib.Path) -> None:
        """End the client at ``at`` at once: whoever has files there open finds them gone."""
        self._end(f"client-{at.name}", signal.SIGKILL)

    @contextlib.contextmanager
    def osd_paused(self) -> Iterator[None]:
        """Within, the storage daemon does nothing: reads and writes hang."""
        pid = self._pid("osd.0")
        assert pid is not None, "the storage daemon runs"
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @property
    def _conf(self) -> pathlib.Path:
        return self._folder / "ceph.conf"

    def _daemon(self, program: str, name: str, *options: str) -> None:
        _known_to_the_monitor(program, "-i", name, "-c", str(self._conf), *options)

    def _ceph(self, *command: str) -> str:
        where = ("-c", str(self._conf), "--connect-timeout", "20")
        return _known_to_the_monitor("ceph", *where, *command)

    def _pid(self, name: str) -> int | None:
        """The process of a daemon or client, if it lives and is what it should be."""
        try:
            pid = int((self._folder / f"{name}.pid").read_text())
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if b"ceph" in command else None

    def _end(self, name: str, number: signal.Signals) -> None:
        pid = self._pid(name)
        if pid is not None:
            os.kill(pid, number)
            until(lambda: self._pid(name) is None, f"{name} to end", 30)


def _known_to_the_monitor(*command: str) -> str:
    """Run a program of Ceph's; what it prints.

    Its first words to the monitor may come before it has been told which cluster this is, and are
    then refused as those of another one: so it went with 1 in 3 starts of a storage daemon, and
    1 in 20 commands. Such a one is given again.
    """

    def is_early(error: Exception) -> bool:
        said = str(error)
        return isinstance(error, CommandError) and ("wrong fsid" in said or "EPERM" in said)

    again = stamina.RetryingCaller(attempts=20, timeout=60, wait_initial=0.2, wait_max=2.0)
    return again(is_early, run, *command, seconds=60)
