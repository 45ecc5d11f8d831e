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

from hyn_k8s.errors import HynError, RunTakenError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import claims, lease, manifests, removal, runs
from hyn_k8s.search.claims import Place
from hyn_k8s.search.fencing import FencedStorage
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.patience import PatientStorage
from hyn_k8s.search.runs import Begun
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.sources import Sources
from hyn_k8s.search.storage import Storage


class RunHold:
    """A run of ``stem``'s or of the name that ``settings`` give it."""

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        stem: str,
        sources: Sources,
        tell: Callable[[str], None],
    ) -> None:
        self.run: str | None = None
        """The run's name, once a search has begun."""
        self.taken: RunTakenError | None = None
        """How another driver has taken it over, if one has: then nothing of it is written here."""
        self.storage = PatientStorage(FencedStorage(storage, self.require), tell)
        """Through which the run is written: only while this process drives it, which is made sure
        of before each try."""
        self.durable: dict[str, Place] = {}
        """By the name of a search: up to where earlier drivers said that its journal is durable."""
        self._storage = PatientStorage(storage, tell)
        self._settings = settings
        self._stem = runs.clean_stem(stem)
        self._tell = tell
        self._sources = sources
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
        """Whether this process is the run's driver, as far as it knows."""
        return self._lease is not None

    def require(self) -> None:
        """Make sure that this process drives the run; costs nothing while the lease is fresh.

        Raises:
            RunTakenError: it does not, or not any more.
            StorageError: nobody can tell.
        """
        if self._lease is None:
            raise RunTakenError(self.run or "of any name", "this process does not drive it")
        self._lease.require()

    def open_search(self, ordinal: int, identity: Identity) -> Begun:
        """The run's ``ordinal``-th search, where it is or where it begins.

        Raises:
            RunError: the named run has another search there.
            RunTakenError: another driver has taken the run over since the last search.
        """
        if self.is_driving:
            self.require()
        if self.run is None:
            self._choose_run(identity)
        return runs.open_search(
            self._storage,
            self._manifest["run"],
            ordinal,
            identity,
            same_script=self._begun_by == self._script,
            restart=self._settings.restart,
            known=self.durable,
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
                self.durable = claims.durable_places(drivers)
                self._renew_manifest()
                if self._lease.epoch > 1:
                    removal.remove_partial_files(self.storage, self.run, self._lease.epoch)
            return self._lease

    def _renew_manifest(self) -> None:
        """Note in the manifest that the run is driven, and by which script."""
        assert self.run is not None
        # A driver that made it and came to nothing may have removed it before this one's claim.
        there = manifests.read_manifest(self._storage, self.run)
        self._manifest = {**self._manifest, "script": self._script, "ended": None}
        if there != self._manifest:
            self._write_manifest()

    @contextlib.contextmanager
    def telling_of_loss(self, call: Callable[[HynError], None]) -> Iterator[None]:
        """Within, ``call`` is called, in another thread, when this driver loses its hold."""
        self._on_lost.append(call)
        try:
            yield
        finally:
            self._on_lost.remove(call)

    def forget_search(self, paths: SearchPaths) -> None:
        """Nothing has come of a search that began here: what this driver wrote of it is removed."""
        if self._lease is not None:
            removal.remove_search(self.storage, paths, self._lease.epoch)

    def forget(self) -> None:
        """Nothing has come of the run here: a new one is removed, another one left as it was."""
        try:
            if self._is_new and self.taken is None:
                self._remove_new_run()
        finally:
            self.let_go(ended=False)
            self.run = None

    def _remove_new_run(self) -> None:
        """Remove the run that began here, if nobody else has ever driven it."""
        assert self.run is not None
        if self._lease is None and not claims.latest_epoch(self._storage, self.run):
            with contextlib.suppress(FileExistsError):  # somebody drives it by now
                self._lease = Lease(self._storage, self.run, 1, self._lose)
        if self._lease is None or self._lease.epoch > 1:
            return
        removal.remove_new_run(self.storage, self.run, self._lease.epoch)
        self.require()
        held, self._lease = self._lease, None
        held.abandon()
        removal.remove_claim(self._storage, self.run, held.epoch)

    def note_end(self) -> None:
        """A run that was found with nothing left to do has ended now, if it had not before."""
        if self.run is not None and not self.is_driving and self._manifest.get("ended") is None:
            with contextlib.suppress(HynError):  # a driver that is alive says so itself
                if claims.is_free(claims.latest_claim(self._storage, self.run)):
                    self.drive()

    def let_go(self, ended: bool) -> None:
        """Drive the run no more, and say so; the second call does nothing.

        ``taken`` says whether another driver has it by now: then nothing is written.
        """
        held = self._lease
        if held is None or self.run is None:
            return
        try:
            if self.taken is None:
                with self.impatience():  # the storage may be what ended the run
                    self._say_end(held, self.run, ended)
        except HynError:
            pass  # without a word the next driver waits until the lease has run out
        finally:
            held.abandon()
            self._lease = None

    @contextlib.contextmanager
    def impatience(self) -> Iterator[None]:
        """Within, nothing is tried twice on the storage, which is known to be away."""
        with self._storage.impatience(), self.storage.impatience():
            yield

    def _say_end(self, held: Lease, run: str, ended: bool) -> None:
        removal.remove_proof(self.storage, run)
        if ended:
            self._manifest["ended"] = manifests.now()
            self._write_manifest()
        held.release()

    def _lose(self, error: HynError) -> None:
        if isinstance(error, RunTakenError):
            self.taken = self.taken or error
        for call in list(self._on_lost):
            call(error)

    def _choose_run(self, identity: Identity) -> None:
        """Find the run to be continued, or begin one."""
        self._script = self._sources.digest()
        self._is_new, self.taken = False, None
        named, found = self._settings.run, None
        if named is not None:
            found = runs.read_named(self._storage, named, self._settings.must_exist)
        elif not self._settings.restart:
            found = runs.find_unfinished(
                self._storage, self._stem, self._script, identity, self._tell
            )
        if found is None:
            try:
                found = runs.create_run(self._storage, named, self._stem, self._script)
                self._is_new = True
            except FileExistsError:  # another driver of this name was faster
                found = runs.read_named(self._storage, named or "")
        assert found is not None
        self._manifest = found
        self._begun_by = str(found.get("script"))
        self.run = str(found["run"])

    def _write_manifest(self) -> None:
        path = RunPaths(self._manifest["run"]).manifest
        self.storage.write(path, manifests.encode(self._manifest))
