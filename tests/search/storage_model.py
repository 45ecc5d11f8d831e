"""A storage in memory that does what storages do at their worst, by the test's choice.

One ``World`` holds the files, and each driver has a ``Client`` of its own, as on a machine of its
own. A client may answer a listing from what it saw up to a minute ago, unless it has written into
that directory since, as an NFS client does. It may do what it was asked and lose the reply, fail,
or have a write arrive long after it reported failure. Files read by name are always the latest.
"""

from __future__ import annotations

import contextlib
import enum
import posixpath
import threading
from collections.abc import Callable, Sequence

from hyn_k8s.errors import StorageError
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Piece, Storage

CACHED_SECONDS = 60.0
"""How old a listing may be; Linux' ``acdirmax``."""


class Fault(enum.Enum):
    """What becomes of a change."""

    NONE = "it is made"
    LOST_REPLY = "it is made, and reported as failed"
    FAILED = "it is not made, and reported as failed"
    LATE = "it is reported as failed, and made later"


class World:
    """The files that are there, and the time."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.time = 1000.0
        self.late: list[Callable[[], None]] = []
        """Changes that are still under way."""
        self.lock = threading.RLock()

    def now(self) -> float:
        """Seconds on the one clock of all machines."""
        return self.time

    def names_in(self, directory: str) -> list[str]:
        prefix = f"{directory}/" if directory else ""
        below = (path.removeprefix(prefix) for path in self.files if path.startswith(prefix))
        return sorted({path.partition("/")[0] for path in below})

    def let_late_changes_arrive(self) -> None:
        late, self.late = self.late, []
        for change in late:
            change()


class Client(Storage):
    """One machine's view of a ``World``."""

    def __init__(self, world: World) -> None:
        super().__init__(StorageSettings("file", "/model"))
        self.world = world
        self.keeps_conditions = True
        self.is_stale = False
        """Whether it answers a listing from its cache where it may."""
        self.is_away = False
        """Whether nothing reaches it."""
        self.fault = Fault.NONE
        """Of the next change."""
        self.interludes: dict[str, Callable[[], None]] = {}
        """What happens elsewhere just before the next change of a path that ends so, once."""
        self._listed: dict[str, tuple[float, list[str]]] = {}

    def rooted(self, path: str) -> str:
        return f"{self.settings.root}/{path}"

    def read(self, path: str) -> bytes:
        self._reach()
        with self.world.lock:
            if path not in self.world.files:
                raise FileNotFoundError(path)
            return self.world.files[path]

    def read_range(self, path: str, start: int, end: int) -> bytes:
        return self.read(path)[start:end]

    def size(self, path: str) -> int:
        self._reach()
        with self.world.lock:
            return len(self.world.files.get(path, b""))

    def write_pieces(self, path: str, pieces: Sequence[Piece]) -> None:
        self.write(path, b"".join(pieces))

    def write(self, path: str, data: bytes) -> None:
        self._change(path, lambda: self.world.files.__setitem__(path, data))

    def create(self, path: str, data: bytes) -> None:
        def create() -> None:
            if path in self.world.files and self.keeps_conditions:
                raise FileExistsError(path)
            self.world.files[path] = data

        self._change(path, create)

    def list(self, path: str) -> list[str]:
        self._reach()
        with self.world.lock:
            at, names = self._listed.get(path, (0.0, []))
            if self.is_stale and self.world.time - at < CACHED_SECONDS:
                return names
            names = self.world.names_in(path)
            self._listed[path] = (self.world.time, names)
            return names

    def list_all(self, path: str) -> list[str]:  # type: ignore[valid-type]
        return self.list(path)

    def list_files(self, path: str) -> list[str]:  # type: ignore[valid-type]
        self._reach()
        with self.world.lock:
            return sorted(each for each in self.world.files if f"{each}/".startswith(f"{path}/"))

    def delete(self, path: str) -> None:
        self._change(path, lambda: self.world.files.pop(path, None))

    def remove_directory(self, path: str) -> None:
        """It has none."""

    def make_directory(self, path: str) -> None:
        """It has none."""

    def _reach(self) -> None:
        if self.is_away:
            raise StorageError(self.url, "it is away")

    def _change(self, path: str, change: Callable[[], object]) -> None:
        self._reach()
        for ending in [each for each in self.interludes if path.endswith(each)]:
            self.interludes.pop(ending)()
        fault, self.fault = self.fault, Fault.NONE
        with self.world.lock:
            if fault is Fault.LATE:
                self.world.late.append(lambda: _quietly(change))
            elif fault is not Fault.FAILED:
                change()
                self._listed.pop(posixpath.dirname(path), None)
        if fault is not Fault.NONE:
            raise StorageError(self.url, fault.value)


def _quietly(change: Callable[[], object]) -> None:
    """Make a change whose caller hears nothing of it any more."""
    with contextlib.suppress(FileExistsError):
        change()
