"""Boots, commands, freezes and kills machines, each a kernel that is a process of this one.

A ``Network`` is a process namespace and a network namespace with a bridge. Its first process ends
with this one, which is when the kernel ends every other process in it, and takes away the bridge.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import socket
import subprocess
import threading
from collections.abc import Mapping
from typing import Self

import psutil

from tests.nfs.packages import Unpacked
from tests.waiting import until

AGENT_PORT = 7000
PREFIX = "10.77.0."
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_FILES = pathlib.Path(__file__).parent / "files"


class Network:
    """Namespaces for the machines ``names``, whose addresses they get in this order."""

    def __init__(self, *names: str) -> None:
        self._numbers = {name: number for number, name in enumerate(names, start=1)}
        script = "ip link set lo up; ip link add bridge0 type bridge; "
        script += f"ip address add {PREFIX}254/24 dev bridge0; ip link set bridge0 up; "
        for number in self._numbers.values():
            script += f"ip tuntap add dev tap{number} mode tap; "
            script += f"ip link set tap{number} master bridge0 up; "
        self._keeper = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-ec",
                script + "exec cat",
            ],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C ends the tests, and these the machines
        )
        last = f"tap{len(names)}"
        until(lambda: last in self._devices() or self._keeper.poll(), "the network", 20)
        assert self._keeper.poll() is None, "no network: is this root, with /dev/net/tun?"

    def _devices(self) -> str:
        with contextlib.suppress(OSError, IndexError):
            return pathlib.Path(f"/proc/{self._first().pid}/net/dev").read_text()
        return ""

    def _first(self) -> psutil.Process:
        """The first process in the namespaces."""
        return psutil.Process(self._keeper.pid).children()[0]

    def address(self, name: str) -> str:
        return f"{PREFIX}{self._numbers[name]}"

    def device(self, name: str) -> str:
        """What a kernel is told to connect with."""
        number = self._numbers[name]
        return f"vec0:transport=tap,ifname=tap{number},mac=52:54:00:77:00:{number:02x},depth=128"

    @property
    def entering(self) -> list[str]:
        """A command that runs another one in the namespaces."""
        return ["nsenter", "--net", "--pid", "--target", str(self._first().pid), "--"]

    def connect(self, name: str, seconds: float) -> socket.socket:
        """A connection to the agent of the machine ``name``; OSError when there is none."""
        connected: list[socket.socket | OSError] = []

        def enter_and_connect() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            try:
                with open(f"/proc/{self._first().pid}/ns/net") as namespace:
                    if libc.setns(namespace.fileno(), _NEW_NETWORK):
                        raise OSError(ctypes.get_errno(), "setns")
                address = (self.address(name), AGENT_PORT)
                connected.append(socket.create_connection(address, seconds))
            except OSError as error:
                connected.append(error)

        # A thread has a network namespace of its own, which its sockets keep.
        thread = threading.Thread(target=enter_and_connect)
        thread.start()
        thread.join()
        (result,) = connected
        if isinstance(result, OSError):
            raise result
        result.settimeout(None)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait()


class Command:
    """A command under way in a machine, and what it has written."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """What it has written so far, to whichever stream."""
        written, mark, rest = self._received.rpartition(b"\0")
        return (written if mark else rest).decode()

    @property
    def has_ended(self) -> bool:
        return not self._reader.is_alive()

    def ended(self, seconds: float = 60.0) -> int:
        """Its exit code, when it has ended by itself."""
        self._reader.join(seconds)
        assert self.has_ended, f"it did not end within {seconds:.0f} s; it said:\n{self.said}"
        assert b"\0" in self._received, f"its machine went away; it said:\n{self._received!r}"
        return int(self._received.rpartition(b"\0")[2])

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._connection.recv(65536):
                self._received += data


class Machine:
    """A kernel with the root of this machine, under an overlay of its own."""

    def __init__(
        self,
        network: Network,
        unpacked: Unpacked,
        folder: pathlib.Path,
        name: str,
        megabytes: int,
        disks: tuple[pathlib.Path, ...] = (),
    ) -> None:
        self.name = name
        self.address = network.address(name)
        self._network = network
        self._log = folder / f"{name}.log"
        self._uml = [
            str(unpacked.kernel),
            *(f"ubd{number}={disk}" for number, disk in enumerate(disks)),
            *(f"uml_dir={folder}", f"umid={name}", f"mem={megabytes}M", network.device(name)),
            *("rootfstype=hostfs", "rootflags=/", "ro", f"init={folder}/init.sh"),
            *("con=null", "con0=null,fd:1", "ssl=null", "quiet"),
            *(f"lab={folder}", f"kit={unpacked.tools}", f"modules={unpacked.modules}"),
            *(f"name={name}", f"address={self.address}"),
            f"role={'server' if disks else 'client'}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Start it, without waiting for it."""
        assert self._process is None, f"{self.name} runs"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._network.entering, "nice", *self._uml],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": "/dev/shm"},
                start_new_session=True,
            )

    def await_booted(self, seconds: float = 90.0) -> None:
        """Wait until it takes commands."""

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"{self.name} ended:\n{self._log.read_text()}"
            with contextlib.suppress(OSError):
                self._network.connect(self.name, 1).close()
                return True
            return False

        try:
            until(answers, self.name, seconds, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._log.read_text()}") from None

    def kill(self) -> None:
        """End it as a power failure does; a ``boot`` may follow."""
        assert self._process is not None
        for process in [self._kernel(), *self._kernel().children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Stop it without its noticing, as a hypervisor does."""
        self._kernel().suspend()

    def thaw(self) -> None:
        assert self._process is not None
        self._kernel().resume()
        psutil.Process(self._process.pid).resume()  # nsenter stops when what it waits for does

    def _kernel(self) -> psutil.Process:
        assert self._process is not None
        (kernel,) = psutil.Process(self._process.pid).children()
        return kernel

    def start(
        self, *command: str, env: Mapping[str, str] | None = None, folder: str = "/"
    ) -> Command:
        """Run ``command`` without waiting for it."""
        return Command(self.open(*command, env=env, folder=folder, pipe=False))

    def run(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        folder: str = "/",
        seconds: float = 60.0,
    ) -> str:
        """What ``command`` writes; AssertionError unless it ends with 0."""
        with contextlib.closing(self.start(*command, env=env, folder=folder)) as running:
            code = running.ended(seconds)
            assert code == 0, f"{' '.join(command)} ended with {code}:\n{running.said}"
            return running.said

    def open(
        self, *command: str, env: Mapping[str, str] | None = None, folder: str = "/", pipe: bool
    ) -> socket.socket:
        """The connection to ``command``; its standard input and output, if it is a ``pipe``."""
        connection = self._network.connect(self.name, 20)
        asked = {"command": command, "env": dict(env or {}), "folder": folder, "pipe": pipe}
        connection.sendall(json.dumps(asked).encode() + b"\n")
        return connection
