"""Storages on a machine, for a test on this one: each call is made there."""

from __future__ import annotations

import builtins
import itertools
import pickle
import queue
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any

from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Piece, Storage
from tests.nfs.machines import Machine
from tests.nfs.served import Ask, Place, Reply
from tests.processes import ROOT

SECONDS = 90.0
"""How long a call may take that is not to hang."""

_keys = itertools.count()


class Pending:
    """A call under way in a machine."""

    def __init__(self) -> None:
        self._replies: queue.Queue[Reply] = queue.Queue()

    def receive(self, reply: Reply) -> None:
        self._replies.put(reply)

    def await_held(self) -> None:
        """Wait until it is where it was to be held."""
        reply = self._replies.get(timeout=SECONDS)
        assert reply.held, f"it was never held: {reply}"

    def result(self, seconds: float = SECONDS) -> Any:
        """What it returns, or raises."""
        try:
            reply = self._replies.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no answer within {seconds:.0f} s") from None
        assert not reply.held
        if reply.error is not None:
            raise reply.error
        return reply.result


class Server:
    """A process in ``machine`` that uses storages."""

    def __init__(self, machine: Machine) -> None:
        program = "from tests.nfs.served import serve; serve()"
        command = (sys.executable, "-c", program)
        env = {"PYTHONPATH": str(ROOT)}
        self._connection = machine.open(*command, env=env, folder=str(ROOT), pipe=True)
        self._numbers = itertools.count()
        self._pending: dict[int, Pending] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, place: Place, method: str, *arguments: Any, hold: str | None = None) -> Pending:
        """Begin a call."""
        pending = Pending()
        with self._lock:
            number = next(self._numbers)
            self._pending[number] = pending
            self._send(Ask(number, place, method, arguments, hold))
        return pending

    def let_go(self) -> None:
        """Let every call go on that is held, and hold none any more."""
        with self._lock:
            self._send(Ask(-1, Place(-1, "", 0, True), "", ()))

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _send(self, ask: Ask) -> None:
        data = pickle.dumps(ask)
        self._connection.sendall(struct.pack("!I", len(data)) + data)

    def _read(self) -> None:
        with self._connection.makefile("rb") as file:
            while head := file.read(4):
                reply: Reply = pickle.loads(file.read(struct.unpack("!I", head)[0]))
                self._pending[reply.number].receive(reply)


class RemoteStorage(Storage):
    """A storage object of its own in the process of ``server``, on ``root`` there."""

    def __init__(
        self, server: Server, root: str, patience: float = 120.0, plain: bool = False
    ) -> None:
        super().__init__(StorageSettings("file", root, patience=patience))
        self._server = server
        self._place = Place(next(_keys), root, patience, plain)

    def begin(self, method: str, *arguments: Any, hold: str | None = None) -> Pending:
        """Begin a call, which is held before it makes the system's call ``hold``."""
        return self._server.ask(self._place, method, *arguments, hold=hold)

    def _call(self, method: str, *arguments: Any) -> Any:
        return self.begin(method, *arguments).result()

    def rooted(self, path: str) -> str:
        return f"{self.settings.root}/{path}"

    def prove(self, path: str) -> None:
        self._call("prove", path)

    def prove_exclusive(self, path: str) -> None:
        self._call("prove_exclusive", path)

    def read(self, path: str) -> bytes:
        found: bytes = self._call("read", path)
        return found

    def read_range(self, path: str, start: int, end: int) -> bytes:
        found: bytes = self._call("read_range", path, start, end)
        return found

    def size(self, path: str) -> int:
        found: int = self._call("size", path)
        return found

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        self._call("write_pieces", path, tuple(map(bytes, pieces)))

    def write(self, path: str, data: bytes) -> None:
        self._call("write", path, data)

    def create(self, path: str, data: bytes) -> None:
        self._call("create", path, data)

    def list(self, path: str) -> list[str]:
        names: list[str] = self._call("list", path)
        return names

    def list_all(self, path: str) -> builtins.list[str]:
        names: list[str] = self._call("list_all", path)
        return names

    def list_files(self, path: str) -> builtins.list[str]:
        names: list[str] = self._call("list_files", path)
        return names

    def delete(self, path: str) -> None:
        self._call("delete", path)

    def delete_all(self, paths: Sequence[str]) -> None:
        self._call("delete_all", tuple(paths))

    def remove_directory(self, path: str) -> None:
        self._call("remove_directory", path)

    def make_directory(self, path: str) -> None:
        self._call("make_directory", path)
