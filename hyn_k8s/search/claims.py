"""What the drivers of a run say of themselves on its storage, and whether the latest still lives.

A claim names its process well enough to be looked at from the same system, where a process that
is gone is known to be gone. Of one on another host only its silence can be noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psutil
import stamina

from hyn_k8s.paths import RunPaths
from hyn_k8s.search.storage import Storage

HALF_WRITTEN_SECONDS = 30.0
"""How long a claim may take to be written where a storage shows it before that."""


class Place(NamedTuple):
    """Where a segment of a journal stands: the driver that wrote it, and its number there."""

    epoch: int
    number: int


@dataclass(frozen=True)
class Holder:
    """A process, told apart from all others."""

    host: str
    pid: int
    started: float
    """When the process began: in ticks since the host did, which no clock's setting changes."""
    system: str
    """The host's boot and the process namespace: a pid means something else in another one."""

    def __str__(self) -> str:
        return f"the process {self.pid} on {self.host}"


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
    durable: Mapping[str, Place] = field(default_factory=dict)
    """By the name of a search: up to where its journal was durable, at least, at that renewal."""


def this_process() -> Holder:
    """The Holder that this process is."""
    boot = namespace = ""
    with contextlib.suppress(OSError):  # a system without them
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(os.stat("/proc/self/ns/pid").st_ino)
    return Holder(socket.gethostname(), os.getpid(), _started(os.getpid()), f"{boot}/{namespace}")


def _started(pid: int) -> float:
    """When the process ``pid`` began; psutil.NoSuchProcess when there is none.

    psutil's own answer moves with the system's clock.
    """
    process = psutil.Process(pid)
    if process.status() == psutil.STATUS_ZOMBIE:
        raise psutil.NoSuchProcess(pid)
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return float(fields[19])
    except OSError:
        return process.create_time()


def is_here(holder: Holder) -> bool:
    """Whether ``holder`` is a process of this very system, which can be looked at."""
    here = this_process()
    return (holder.host, holder.system) == (here.host, here.system)


def is_dead(holder: Holder) -> bool:
    """Whether ``holder`` is known not to run any more; False when that cannot be seen from here."""
    if not is_here(holder):
        return False
    try:
        return _started(holder.pid) != holder.started
    except psutil.NoSuchProcess:
        return True


def is_free(claim: Claim | None) -> bool:
    """Whether a run with this latest claim can be claimed at once."""
    return claim is None or claim.released or is_dead(claim.holder)


def latest_epoch(storage: Storage, run: str) -> int:
    """The epoch of the run's latest driver, 0 when it never had one."""
    paths = RunPaths(run)
    names = storage.list(paths.drivers)  # somebody else's files may lie there, too
    own = [name for name in names if paths.owns(f"{paths.drivers}/{name}")]
    return max((int(name.partition(".")[0]) for name in own), default=0)


def durable_places(claimed: Iterable[Claim]) -> dict[str, Place]:
    """By the name of a search: up to where these drivers, in their order, said it is durable.

    A later driver's word counts: it may have begun before the end of an earlier one.
    """
    return {name: place for claim in claimed for name, place in claim.durable.items()}


def read_claims(storage: Storage, run: str) -> list[Claim]:
    """What the run's drivers said of themselves, in their order; a claim may have been removed."""
    read = (_read(storage, run, epoch) for epoch in range(1, latest_epoch(storage, run) + 1))
    return [claim for claim in read if claim is not None]


def latest_claim(storage: Storage, run: str) -> Claim | None:
    """What the run's latest driver says of itself, None when it never had one."""
    # One that is listed may have been removed since, with the run that came to nothing.
    epochs = range(latest_epoch(storage, run), 0, -1)
    read = (_read(storage, run, epoch) for epoch in epochs)
    return next((claim for claim in read if claim is not None), None)


def _read(storage: Storage, run: str, epoch: int) -> Claim | None:
    """The claim of a driver, None where it is not there."""
    path = RunPaths(run).driver(epoch)
    looks = stamina.RetryingCaller(attempts=None, timeout=HALF_WRITTEN_SECONDS, wait_initial=0.1)
    # Where a storage has no hard links a claim is seen before it is written.
    try:
        document: dict[str, Any] = looks(ValueError, lambda: json.loads(storage.read(path)))
    except FileNotFoundError:
        return None
    return Claim(
        epoch=document["epoch"],
        key=document["key"],
        holder=Holder(**document["holder"]),
        renewed=document["renewed"],
        released=document["released"],
        durable={name: Place(*place) for name, place in document.get("durable", {}).items()},
    )


def now() -> float:
    """Seconds on a clock that also runs while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
