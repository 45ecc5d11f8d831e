"""This process's hold on a run: which one it is, and whether anything of it may be written here.

The run is found or begun when the first search begins, and driven, under a lease that is renewed,
from the first search on that has something left to do. Then it is let go: as ended, as something
to be continued, or, when another driver has taken it over, without a word.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from hyn_k8s.errors import HynError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import claims, lease, runs
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.results import read_manifest
from hyn_k8s.search.runs import Begun
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.storage import Storage


class RunHold:
    """A run of ``stem``'s or of the name that ``settings`` give it."""

    def __init__(
        self, storage: Storage, settings: Settings, stem: str, tell: Callable[[str], None]
    ) -> None:
        self.run: str | None = None
        """The run's name, once a search has begun."""
        self.is_taken = False
        """Whether another driver has taken it over: then nothing of it is written here."""
        self.earlier_keys: list[str] = []
        """Under which names workers may know earlier drivers of it."""
        self._storage = storage
        self._settings = settings
        self._stem = runs.clean_stem(stem)
        self._tell = tell
        self._script = ""
        """What tells the script, which has not begun yet, from others."""
        self._manifest: dict[str, Any] = {}
        self._begun_by = ""
        """What tells the script by which the run was found."""
        self._is_new = False
        self._lease: Lease | None = None
        self._on_lost: list[Callable[[HynError], None]] = []
        self._lock = threading.Lock()  # a script may search in several threads

    @property
    def is_driving(self) -> bool:
        """Whether this process is the run's driver."""
        return self._lease is not None

    def open_search(self, ordinal: int, identity: Identity) -> Begun:
        """The run's ``ordinal``-th search, where it is or where it begins.

        Raises:
            RunError: the named run has another search there.
        """
        if self.run is None:
            self._choose_run(identity)
        return runs.open_search(
            self._storage,
            self._manifest["run"],
            ordinal,
            identity,
            same_script=self._begun_by == self._script,
            restart=self._settings.restart,
        )

    def drive(self) -> Lease:
        """Become the run's driver, if this process is not yet.

        Raises:
            RunTakenError: another driver is alive and holds it.
        """
        assert self.run is not None, "a search has begun"
        with self._lock:
            if self._lease is None:
                self._lease = lease.claim(self._storage, self.run, self._tell, self._lose)
                drivers = claims.read_claims(self._storage, self.run)
                self.earlier_keys = [driver.key for driver in drivers[:-1]]
                changed = {**self._manifest, "script": self._script, "ended": None}
                if changed != self._manifest:
                    self._manifest = changed
                    self._write_manifest(self._storage)
            return self._lease

    @contextlib.contextmanager
    def telling_of_loss(self, call: Callable[[HynError], None]) -> Iterator[None]:
        """Within, ``call`` is called, in another thread, when this driver loses its hold."""
        self._on_lost.append(call)
        try:
            yield
        finally:
            self._on_lost.remove(call)

    def forget(self) -> None:
        """Nothing has come of the run here: a new one is removed, another one left as it was."""
        run, held = self.run, self._lease
        if self._is_new and run is not None and not self._is_anothers(run):
            self._lease = None
            if held is not None:
                held.abandon()
            self._storage.delete(run)
        else:
            self.let_go(self._storage, ended=False)
        self.run = None

    def note_end(self) -> None:
        """A run that was found with nothing left to do has ended now, if it had not before."""
        if self.run is not None and not self.is_driving and self._manifest.get("ended") is None:
            with contextlib.suppress(HynError):  # a driver that is alive says so itself
                if claims.is_free(claims.latest_claim(self._storage, self.run)):
                    self.drive()

    def let_go(self, storage: Storage, ended: bool) -> None:
        """Drive the run no more, and say so by way of ``storage``; the second call does nothing."""
        held, self._lease = self._lease, None
        if held is None or self.run is None:
            return
        if self.is_taken:
            held.abandon()
            return
        with contextlib.suppress(HynError):  # the storage may be what ended the run
            storage.delete(RunPaths(self.run).proof)
            if ended:
                self._manifest["ended"] = runs.now()
                self._write_manifest(storage)
            held.release(storage)

    def _is_anothers(self, run: str) -> bool:
        """Whether another driver has taken the run, be it one that this process began."""
        return self.is_taken or (
            not self.is_driving and claims.latest_epoch(self._storage, run) > 0
        )

    def _lose(self, error: HynError) -> None:
        for call in list(self._on_lost):
            call(error)

    def _choose_run(self, identity: Identity) -> None:
        """Find the run to be continued, or begin one."""
        self._script = runs.read_script()
        self._is_new = self.is_taken = False
        named, found = self._settings.run, None
        if named is not None:
            found = read_manifest(self._storage, named)
        elif not self._settings.restart:
            found = runs.find_unfinished(
                self._storage, self._stem, self._script, identity, self._tell
            )
        if found is None:
            try:
                found = runs.create_run(self._storage, named, self._stem, self._script)
                self._is_new = True
            except FileExistsError:  # another driver of this name was faster
                found = read_manifest(self._storage, named or "")
        assert found is not None
        self._manifest = found
        self._begun_by = str(found.get("script"))
        self.run = str(found["run"])

    def _write_manifest(self, storage: Storage) -> None:
        path = RunPaths(self._manifest["run"]).manifest
        storage.write(path, runs.encode(self._manifest))
