"""In a machine: does what a test on the host asks of storages, each call in a thread of its own.

A call may be held where it is about to make one of the system's calls, such as ``replace``, until
the test lets it go. What goes to and fro is pickled.
"""

from __future__ import annotations

import builtins
import os
import pickle
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Storage

HOLDS = ("replace", "link", "unlink", "rmdir", "mkdir", "listdir", "scandir", "open")
"""Where a call may be held; the last is Python's own."""


@dataclass(frozen=True)
class Place:
    """Which storage is meant; the same for the same object in the machine."""

    key: int
    root: str
    patience: float
    plain: bool
    """Whether it is a bare FileStorage, without a bound."""


@dataclass(frozen=True)
class Ask:
    """One call of a storage's method."""

    number: int
    place: Place
    method: str
    arguments: tuple[Any, ...]
    hold: str | None = None
    """One of HOLDS."""


@dataclass(frozen=True)
class Reply:
    """What came of an Ask."""

    number: int
    held: bool = False
    """Whether it has got to where it is held, and has not returned."""
    result: Any = None
    error: BaseException | None = None


_this_thread = threading.local()
_go = threading.Event()
_writing = threading.Lock()
_opening = threading.Lock()
_storages: dict[int, Storage] = {}


def _send(reply: Reply) -> None:
    data = pickle.dumps(reply)
    with _writing:
        sys.stdout.buffer.write(struct.pack("!I", len(data)) + data)
        sys.stdout.buffer.flush()


def _holding(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        ask: Ask | None = getattr(_this_thread, "ask", None)
        if ask is not None and ask.hold == name:
            _this_thread.ask = None
            _send(Reply(ask.number, held=True))
            _go.wait()
        return real(*arguments, **options)

    return call


def _storage(place: Place) -> Storage:
    with _opening:
        if place.key not in _storages:
            settings = StorageSettings("file", place.root, patience=place.patience)
            made = FileStorage(settings) if place.plain else open_storage(settings)
            _storages[place.key] = made
        return _storages[place.key]


def _do(ask: Ask) -> None:
    storage = _storage(ask.place)
    _this_thread.ask = ask
    try:
        reply = Reply(ask.number, result=getattr(storage, ask.method)(*ask.arguments))
    except BaseException as error:
        reply = Reply(ask.number, error=error)
    _send(reply)


def serve() -> None:
    """Do what comes in on standard input until that ends; an Ask of no method lets all go."""
    for name in HOLDS[:-1]:
        setattr(os, name, _holding(name, getattr(os, name)))
    builtins.open = _holding("open", open)
    while head := sys.stdin.buffer.read(4):
        ask: Ask = pickle.loads(sys.stdin.buffer.read(struct.unpack("!I", head)[0]))
        if ask.method:
            threading.Thread(target=_do, args=(ask,), daemon=True).start()
        else:
            _go.set()
    os._exit(0)  # a thread may hang in the kernel
