"""Who drives a run: one driver at a time, and one that was overtaken notices and stops.

Each driver of a run claims an epoch by creating its file, which only one can, and renews the file
while it lives. A second driver waits until the file has not changed for ``LEASE_SECONDS``, by its
own clock, and then claims the next epoch; if the process that holds it is plainly dead on this
very host, or has let go, it need not wait. No clocks are compared between hosts.

A driver knows by its own clock that nobody can have overtaken it: less than the lease has passed
since it began its latest renewal. Stopped for longer than that (a suspended machine, a paused
container, SIGSTOP) it must look, before it believes that anything it writes still counts. It
renews first and looks then, because on NFS a client's own write into a directory is what makes
its listing fresh.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from hyn_k8s.contract import RunPaths
from hyn_k8s.errors import HynError, RunTakenError
from hyn_k8s.search.storage import Storage

LEASE_SECONDS = 30.0
WAIT_SECONDS = 4 * LEASE_SECONDS
"""How long a driver waits for another one to let go of the run before it gives up."""

LOOK_SECONDS = 1.0
"""How often a waiting driver looks."""

MARGIN = 1 / 3
"""The part of the lease that is kept in hand for a slow write."""


@dataclass(frozen=True)
class Holder:
    """A process, told apart from all others."""

    host: str
    pid: int
    started: float
    """When the process began, by the host's clock."""
    pids: int
    """The process namespace: in two containers with one host name, a pid means two things."""


@dataclass(frozen=True)
class Claim:
    """What the latest driver of a run says of itself."""

    epoch: int
    key: str
    """The name under which its workers know the run."""
    holder: Holder
    renewed: str
    """Differs after each renewal."""
    released: bool


def this_process() -> Holder:
    """The Holder that this process is."""
    try:
        pids = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        pids = 0  # a system without namespaces
    return Holder(socket.gethostname(), os.getpid(), psutil.Process().create_time(), pids)


def is_dead(holder: Holder) -> bool:
    """Whether ``holder`` is known not to run any more; False when that cannot be seen from here."""
    here = this_process()
    if (holder.host, holder.pids) != (here.host, here.pids):
        return False
    try:
        process = psutil.Process(holder.pid)
        same = abs(process.create_time() - holder.started) < 1
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_free(claim: Claim | None) -> bool:
    """Whether a run with this latest claim can be claimed at once."""
    return claim is None or claim.released or is_dead(claim.holder)


def latest_epoch(storage: Storage, run: str) -> int:
    """The epoch of the run's latest driver, 0 when it never had one."""
    names = storage.list(RunPaths(run).drivers)
    return max((int(name.partition(".")[0]) for name in names), default=0)


def read_claims(storage: Storage, run: str) -> list[Claim]:
    """What the run's drivers said of themselves, in their order."""
    paths = RunPaths(run)
    epochs = range(1, latest_epoch(storage, run) + 1)
    return [_claim(json.loads(storage.read(paths.driver(epoch)))) for epoch in epochs]


def read_driver(storage: Storage, run: str, seconds: float = LEASE_SECONDS) -> str | None:
    """Who drives the run at this moment, in words; None when nobody does.

    A driver on another host is watched for up to ``seconds``.
    """
    seen = _latest_claim(storage, run)
    if is_free(seen):
        return None
    assert seen is not None
    here = this_process()
    if (seen.holder.host, seen.holder.pids) != (here.host, here.pids):
        deadline = _now() + seconds
        while _latest_claim(storage, run) == seen:
            if _now() > deadline:
                return None
            time.sleep(LOOK_SECONDS)  # nobody tells when a file changes, or does not
    return f"the process {seen.holder.pid} on {seen.holder.host}"


class Lease:
    """This driver's hold on a run, renewed by a thread of its own until ``release``.

    ``lost`` is called in that thread when the hold is lost.
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
        self._renewed_at = _now()
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
        if _now() - self._renewed_at >= self._seconds * (1 - MARGIN):
            self.renew()

    def renew(self) -> None:
        """Hold on for another ``LEASE_SECONDS``.

        Raises:
            RunTakenError: another driver has claimed the run.
            StorageError: the storage is away.
        """
        with self._lock:
            began = _now()
            self._storage.write(self._path, self._document(released=False))
            latest = latest_epoch(self._storage, self._run)
            if latest > self.epoch:
                problem = (
                    f"another driver, number {latest}, has taken it over from this one, number "
                    f"{self.epoch}, which was not heard of for more than {self._seconds:.0f} s"
                )
                raise RunTakenError(self._run, problem)
            self._renewed_at = began

    def release(self, storage: Storage) -> None:
        """Let go, by way of ``storage``: the next driver need not wait."""
        self.abandon()
        storage.write(self._path, self._document(released=True))

    def abandon(self) -> None:
        """Stop renewing and leave everything as it is: the run is another driver's."""
        self._let_go.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _renew(self) -> None:
        while not self._let_go.wait(self._seconds * MARGIN):
            try:
                self.renew()
            except HynError as error:
                self._lost(error)
                return

    def _document(self, released: bool) -> bytes:
        document = {
            "epoch": self.epoch,
            "key": self.key,
            "holder": vars(self._holder),
            "renewed": secrets.token_hex(8),
            "released": released,
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
    deadline = _now() + wait
    while True:
        latest = _await_free(storage, run, tell, seconds, deadline)
        try:
            return Lease(storage, run, latest + 1, lost, seconds)
        except FileExistsError:
            continue  # somebody was faster, and is the one to wait for now


def _await_free(
    storage: Storage, run: str, tell: Callable[[str], None], seconds: float, deadline: float
) -> int:
    """Wait until the latest driver of ``run`` no longer holds it; that driver's epoch."""
    seen: Claim | None = None
    seen_at = _now()
    while True:
        latest = _latest_claim(storage, run)
        if is_free(latest):
            return latest.epoch if latest else 0
        assert latest is not None
        now = _now()
        if latest != seen:
            if seen is None:
                who = f"the process {latest.holder.pid} on {latest.holder.host}"
                tell(f"{run}: {who} drives it; waiting until it lets go ({seconds:.0f} s)")
            seen, seen_at = latest, now
        if now - seen_at > seconds:
            return latest.epoch
        if now > deadline:
            problem = (
                f"it is driven by the process {latest.holder.pid} on {latest.holder.host}, which "
                f"is alive; stop that one first, or choose another name"
            )
            raise RunTakenError(run, problem)
        time.sleep(LOOK_SECONDS)  # nobody tells when a file changes, or does not


def _latest_claim(storage: Storage, run: str) -> Claim | None:
    epoch = latest_epoch(storage, run)
    return _claim(json.loads(storage.read(RunPaths(run).driver(epoch)))) if epoch else None


def _claim(document: dict[str, Any]) -> Claim:
    return Claim(
        epoch=document["epoch"],
        key=document["key"],
        holder=Holder(**document["holder"]),
        renewed=document["renewed"],
        released=document["released"],
    )


def _now() -> float:
    """Seconds on a clock that also runs while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
