"""Who drives a run: one driver at a time, and one that was overtaken notices and stops.

Each driver of a run claims an epoch by creating its file, which only one can, and renews the file
while it lives. A second driver waits until the file has not changed for ``LEASE_SECONDS``, by its
own clock, and then claims the next epoch; if the process that holds it is plainly dead on this
very host, or has let go, it need not wait. No clocks are compared between hosts.

A driver knows by its own clock that nobody can have overtaken it: less than the lease has passed
since it began its latest renewal. Stopped for longer than that (a suspended machine, a paused
container, SIGSTOP) it must look, before it believes that anything it writes still counts: so it
looks before it renews, and writes nothing if it was overtaken. Each renewal is followed by a look,
because on NFS a client's own write into a directory is what makes its listing fresh: only what is
seen after it counts as held.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable

from hyn_k8s.errors import HynError, RunTakenError, StorageError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.claims import (
    Claim,
    Place,
    is_free,
    is_here,
    latest_claim,
    latest_epoch,
    now,
    this_process,
)
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trouble import Trouble

LEASE_SECONDS = 30.0
WAIT_SECONDS = 4 * LEASE_SECONDS
"""How long a driver waits for another one to let go of the run before it gives up."""

LOOK_SECONDS = 1.0
"""How often a waiting driver looks."""

MARGIN = 1 / 3
"""The part of the lease that is kept in hand for a slow write."""


def read_driver(storage: Storage, run: str, seconds: float = LEASE_SECONDS) -> str | None:
    """Who drives the run at this moment, in words; None when nobody does.

    A driver on another host is watched for up to ``seconds``.
    """
    seen = latest_claim(storage, run)
    if is_free(seen):
        return None
    assert seen is not None
    if not is_here(seen.holder):
        deadline = now() + seconds
        while latest_claim(storage, run) == seen:
            if now() > deadline:
                return None
            time.sleep(LOOK_SECONDS)  # nobody tells when a file changes, or does not
    return str(seen.holder)


class Lease:
    """This driver's hold on a run, renewed by a thread of its own until ``release``.

    ``lost`` is called when the hold is lost, in whatever thread finds out, and when the thread
    could not renew it. Then it tries again: a storage that was away comes back, and perhaps nobody
    has taken the run meanwhile.
    """

    def __init__(
        self,
        storage: Storage,
        run: str,
        epoch: int,
        lost: Callable[[HynError], None],
        seconds: float = LEASE_SECONDS,
    ) -> None:
        self.epoch = epoch
        self.key = f"{run}-{secrets.token_hex(4)}"
        self._storage = storage
        self._run = run
        self._path = RunPaths(run).driver(epoch)
        self._holder = this_process()
        self._seconds = seconds
        self._lost = lost
        self._renewed_at = now()
        self._durable: dict[str, Place] = {}
        self._taken: RunTakenError | None = None
        """Why this driver never drives the run again."""
        self._let_go = threading.Event()
        self._lock = threading.Lock()
        storage.create(self._path, self._document(released=False))
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Make sure that this driver still drives the run; looks only if it could have lost it.

        Raises:
            RunTakenError: another driver has claimed the run.
            StorageError: nobody can tell.
        """
        if self._taken is not None:
            raise self._taken.with_traceback(None)
        if not self._is_held():
            self.renew()

    def renew(self) -> None:
        """Hold on for another ``LEASE_SECONDS``.

        Raises:
            RunTakenError: another driver has claimed the run.
            StorageError: the storage is away.
        """
        with self._lock:
            self._look()  # first, so that one that was overtaken writes nothing
            began = now()
            self._storage.write(self._path, self._document(released=False))
            self._look()
            self._renewed_at = began

    def note_durable(self, search: str, place: Place) -> None:
        """From the next renewal on, say that the journal of ``search`` is durable up to there.

        A successor that sees less of it knows that it does not see all.
        """
        self._durable[search] = place

    def _is_held(self) -> bool:
        """Whether so little time has passed that nobody can have claimed the run."""
        return now() - self._renewed_at < self._seconds * (1 - MARGIN)

    def _look(self) -> None:
        problem = self._how_taken()
        if problem is not None:
            self._taken = RunTakenError(self._run, problem)
            self._lost(self._taken)
            raise self._taken

    def _how_taken(self) -> str | None:
        """What shows that the run is this driver's no more, in words; None if nothing does."""
        latest = latest_epoch(self._storage, self._run)
        if latest > self.epoch:
            return (
                f"another driver, number {latest}, has taken it over from this one, number "
                f"{self.epoch}, which was not heard of for more than {self._seconds:.0f} s"
            )
        try:
            key = json.loads(self._storage.read(self._path))["key"]
        except FileNotFoundError:
            return f"its files were removed while it ran ({self._path} is gone)"
        if key != self.key:
            return f"another driver holds it under the same number, {self.epoch}"
        return None

    def release(self) -> None:
        """Let go: the next driver need not wait.

        Raises:
            RunTakenError: another driver has claimed the run.
            StorageError: the storage is away.
        """
        self.abandon()
        self.require()
        self._storage.write(self._path, self._document(released=True))

    def abandon(self) -> None:
        """Stop renewing and leave everything as it is: the run is another driver's."""
        self._let_go.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _renew(self) -> None:
        while not self._let_go.wait(self._seconds * MARGIN):
            try:
                self.renew()
            except RunTakenError:
                return
            except HynError as error:
                self._lost(error)
            except Exception as error:  # whatever it is, the search must not run unrenewed
                problem = f"the lease cannot be renewed ({type(error).__name__}: {error})"
                self._lost(StorageError(self._storage.url, problem))

    def _document(self, released: bool) -> bytes:
        document = {
            "epoch": self.epoch,
            "key": self.key,
            "holder": vars(self._holder),
            "renewed": secrets.token_hex(8),
            "released": released,
            "durable": dict(self._durable),
        }
        return json.dumps(document, indent=2).encode()


def claim(
    storage: Storage,
    run: str,
    tell: Callable[[str], None],
    lost: Callable[[HynError], None],
    seconds: float = LEASE_SECONDS,
    wait: float = WAIT_SECONDS,
) -> Lease:
    """Become the run's driver, as soon as no other one holds it.

    Raises:
        RunTakenError: another driver held on to it for ``wait`` seconds.
    """
    deadline = now() + wait
    while True:
        latest = _await_free(storage, run, tell, seconds, deadline)
        try:
            return Lease(storage, run, latest + 1, lost, seconds)
        except FileExistsError:
            # Somebody was faster, and is the one to wait for now. A listing may not show it yet.
            time.sleep(LOOK_SECONDS)


def _await_free(
    storage: Storage, run: str, tell: Callable[[str], None], seconds: float, deadline: float
) -> int:
    """Wait until the latest driver of ``run`` no longer holds it; that driver's epoch."""
    seen: Claim | None = None
    seen_at = now()
    while True:
        latest = latest_claim(storage, run)
        if is_free(latest):
            return latest.epoch if latest else 0
        assert latest is not None
        moment = now()
        if latest != seen:
            if seen is None:
                what = f"{latest.holder} drives it; waiting until it lets go ({seconds:.0f} s)"
                tell(Trouble(f"{run}: {what}", RunTakenError(run, what)))
            seen, seen_at = latest, moment
        if moment - seen_at > seconds:
            return latest.epoch
        if moment > deadline:
            problem = f"it is driven by {latest.holder}, which is alive"
            raise RunTakenError(run, problem, "stop that one first, or choose another name")
        time.sleep(LOOK_SECONDS)  # nobody tells when a file changes, or does not
