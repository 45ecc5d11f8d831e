"""One driver at a time: whoever claims a run has it alone, and whoever lost it notices.

A driver that is dead is seen to be dead at once on its own host, and is waited for from another
one. A driver that slept for longer than its lease looks before it believes that it still drives.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from hyn_k8s.errors import HynError, RunTakenError, StorageError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import lease as leases
from hyn_k8s.search.claims import (
    Holder,
    is_dead,
    latest_claim,
    latest_epoch,
    read_claims,
    this_process,
)
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.lease import Lease, claim, read_driver
from hyn_k8s.search.patience import PatientStorage
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trouble import Trouble
from tests.clocks import Clock
from tests.fork_server import Process
from tests.processes import stop
from tests.storages import Opener
from tests.waiting import until

RUN = "heart-1"
PATHS = RunPaths(RUN)

ELSEWHERE = Holder("another-host", 17, 1000.0, "another-boot/42")


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: not renewing(), "every lease to be let go", seconds=10)


def renewing() -> list[threading.Thread]:
    """The threads that renew leases."""
    return [thread for thread in threading.enumerate() if thread.name == "lease"]


def never(error: HynError) -> None:
    raise AssertionError(f"the run was lost: {error}")


def nobody(sentence: str) -> None:
    raise AssertionError(f"nobody was to wait: {sentence}")


def take(storage: Storage, **options: float) -> Lease:
    """Claim the run, which is free."""
    return claim(storage, RUN, nobody, never, **options)


def document(storage: Storage, epoch: int) -> dict[str, object]:
    read: dict[str, object] = json.loads(storage.read(PATHS.driver(epoch)))
    return read


def write_claim(storage: Storage, epoch: int, holder: Holder, renewed: str = "once") -> None:
    """A claim as ``holder`` would write it."""
    claimed = {
        "epoch": epoch,
        "key": f"{RUN}-abc",
        "holder": dataclasses.asdict(holder),
        "renewed": renewed,
        "released": False,
    }
    storage.write(PATHS.driver(epoch), json.dumps(claimed).encode())


class Waiting:
    """A driver that claims the run in a thread of its own."""

    def __init__(self, storage: Storage, seconds: float, wait: float = 10_000.0) -> None:
        self.told: list[str] = []
        self.lease: Lease | None = None
        self.looks = 0
        self._storage = Counting(storage.settings, self._count)
        self._thread = threading.Thread(target=self._claim, args=(seconds, wait))
        self._thread.start()

    def _count(self) -> None:
        self.looks += 1

    def _claim(self, seconds: float, wait: float) -> None:
        self.lease = claim(self._storage, RUN, self.told.append, never, seconds, wait)

    def looks_again(self) -> None:
        """Wait until it has looked at whatever is there now."""
        before = self.looks
        until(lambda: self.looks > before + 1 or self.lease, "the waiting driver to look")

    def has_it(self) -> Lease:
        self._thread.join(30)
        assert self.lease is not None
        return self.lease


class Counting(FileStorage):
    """A directory that tells of each file that is read."""

    def __init__(self, settings: StorageSettings, tell: Callable[[], None]) -> None:
        super().__init__(settings)
        self._tell = tell

    def read(self, path: str) -> bytes:
        self._tell()
        return super().read(path)


class Fragile(FileStorage):
    """A directory that cannot be written while it is away."""

    away = False

    def write(self, path: str, data: bytes) -> None:
        if self.away:
            raise StorageError("/mnt", "away")
        super().write(path, data)


class TestClaim:
    def test_the_first_driver_has_the_first_epoch(self, open: Opener) -> None:
        lease = take(open())
        assert (lease.epoch, latest_epoch(open(), RUN)) == (1, 1)
        (claimed,) = read_claims(open(), RUN)
        assert (claimed.epoch, claimed.key, claimed.released) == (1, lease.key, False)
        assert claimed.holder == this_process()
        lease.abandon()

    def test_a_run_without_a_driver_has_no_epoch(self, open: Opener) -> None:
        assert latest_epoch(open(), RUN) == 0
        assert read_claims(open(), RUN) == []

    def test_what_is_let_go_can_be_had_at_once(self, open: Opener) -> None:
        keys = []
        for epoch in (1, 2, 3):
            lease = take(open())
            assert lease.epoch == epoch
            keys.append(lease.key)
            lease.release()
        claims = read_claims(open(), RUN)
        assert [claimed.key for claimed in claims] == keys
        assert all(claimed.released for claimed in claims)
        assert len(set(keys)) == 3

    def test_of_many_that_claim_at_once_one_has_it(self, open: Opener) -> None:
        had: list[Lease] = []
        refused: list[HynError] = []
        together = threading.Barrier(5)

        def drive() -> None:
            storage = open()
            together.wait()
            try:
                had.append(claim(storage, RUN, lambda sentence: None, never, wait=0.0))
            except RunTakenError as error:
                refused.append(error)

        threads = [threading.Thread(target=drive) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (lease,) = had
        assert len(refused) == 4
        assert [claimed.key for claimed in read_claims(open(), RUN)] == [lease.key]
        lease.abandon()

    def test_whoever_is_faster_between_a_look_and_a_claim_is_waited_for(
        self, storage: Storage
    ) -> None:
        faster: list[Lease] = []

        class Slow(PatientStorage):
            def list(self, path: str) -> list[str]:
                found = super().list(path)
                if not faster:
                    faster.append(Lease(storage, RUN, 1, never))
                return found

        with pytest.raises(RunTakenError, match=f"driven by the process {os.getpid()}"):
            claim(Slow(storage, print), RUN, lambda sentence: None, never, wait=0.0)
        assert latest_epoch(storage, RUN) == 1
        faster[0].abandon()

    def test_one_that_is_alive_and_holds_on_is_named(self, storage: Storage) -> None:
        lease, told = take(storage), list[str]()
        with pytest.raises(RunTakenError) as caught:
            claim(storage, RUN, told.append, never, wait=0.0)
        who = f"the process {os.getpid()} on {socket.gethostname()}"
        assert str(caught.value) == (
            f"run heart-1: it is driven by {who}, which is alive; "
            "stop that one first, or choose another name"
        )
        assert told == [f"heart-1: {who} drives it; waiting until it lets go (30 s)"]
        assert isinstance(told[0], Trouble)
        assert isinstance(told[0].error, RunTakenError)
        assert caught.value.retry
        lease.abandon()

    def test_a_claim_that_is_only_half_written_is_looked_at_again(self, storage: Storage) -> None:
        """So it is seen where a storage has no hard links, until its driver has written it."""
        lease, told = take(storage), list[str]()
        whole = storage.read(PATHS.driver(1))

        class Slow(FileStorage):
            seen = iter([b"", whole[:20]])

            def read(self, path: str) -> bytes:
                return next(self.seen, None) or super().read(path)

        with pytest.raises(RunTakenError, match=f"driven by the process {os.getpid()}"):
            claim(Slow(storage.settings), RUN, told.append, never, wait=0.0)
        lease.abandon()

    def test_one_of_several_that_is_only_half_written_is_looked_at_again(
        self, storage: Storage
    ) -> None:
        for epoch in (1, 2):
            write_claim(storage, epoch, ELSEWHERE)

        class Slow(FileStorage):
            seen = iter([b"{"])

            def read(self, path: str) -> bytes:
                return next(self.seen, None) or super().read(path)

        claims = read_claims(Slow(storage.settings), RUN)
        assert [claimed.epoch for claimed in claims] == [1, 2]


class TestWaiting:
    def test_a_driver_elsewhere_that_does_not_renew_is_overtaken(
        self, storage: Storage, machine: Clock
    ) -> None:
        write_claim(storage, 1, ELSEWHERE)
        waiting = Waiting(storage, seconds=100)
        until(lambda: waiting.told, "it to say what it waits for")
        machine.sleep(90)
        waiting.looks_again()
        assert waiting.lease is None
        machine.sleep(20)
        assert waiting.has_it().epoch == 2
        assert len(waiting.told) == 1
        assert "the process 17 on another-host" in waiting.told[0]
        waiting.has_it().abandon()

    def test_one_that_renews_is_waited_for_anew(self, storage: Storage, machine: Clock) -> None:
        write_claim(storage, 1, ELSEWHERE)
        waiting = Waiting(storage, seconds=100)
        for renewal in ("twice", "a third time", "a fourth time"):
            waiting.looks_again()
            machine.sleep(90)
            waiting.looks_again()
            write_claim(storage, 1, ELSEWHERE, renewal)
        waiting.looks_again()
        assert waiting.lease is None
        machine.sleep(110)
        assert waiting.has_it().epoch == 2
        waiting.has_it().abandon()

    def test_one_that_lets_go_is_not_waited_for_any_longer(
        self, storage: Storage, machine: Clock
    ) -> None:
        lease = take(storage)
        waiting = Waiting(storage, seconds=10_000)
        until(lambda: waiting.told, "it to wait")
        lease.release()
        assert waiting.has_it().epoch == 2
        waiting.has_it().abandon()

    def test_the_next_one_may_be_another_one_still(self, storage: Storage, machine: Clock) -> None:
        write_claim(storage, 1, ELSEWHERE)
        waiting = Waiting(storage, seconds=100)
        until(lambda: waiting.told, "it to wait")
        write_claim(storage, 2, dataclasses.replace(ELSEWHERE, pid=18))
        waiting.looks_again()
        machine.sleep(90)
        waiting.looks_again()
        assert waiting.lease is None
        machine.sleep(20)
        assert waiting.has_it().epoch == 3
        waiting.has_it().abandon()


PROGRAM = """
import sys, threading
from hyn_k8s.search.lease import claim
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.file_storage import FileStorage
lease = claim(FileStorage(StorageSettings("file", sys.argv[1])), "heart-1", print, print)
print("has it", flush=True)
threading.Event().wait()
"""


@pytest.mark.processes
class TestDeadDrivers:
    @pytest.fixture
    def other(self, storage: Storage, tmp_path: pathlib.Path) -> Iterator[Process]:
        """Another process on this host that drives the run, and whose parent we are."""
        log = tmp_path / "other.log"
        command = [sys.executable, "-c", PROGRAM, storage.settings.root]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            until(lambda: "has it" in log.read_text(), "the other process to have the run")
            yield process
        finally:
            stop(process)

    def test_one_that_was_killed_is_overtaken_at_once(
        self, storage: Storage, other: Process
    ) -> None:
        stop(other)
        lease = take(storage, seconds=10_000, wait=0.0)
        assert lease.epoch == 2
        lease.abandon()

    def test_one_that_nobody_has_buried_yet_is_dead_too(
        self, storage: Storage, other: Process
    ) -> None:
        os.kill(other.pid, signal.SIGKILL)
        zombie = psutil.STATUS_ZOMBIE
        until(lambda: psutil.Process(other.pid).status() == zombie, "it to be dead")
        lease = take(storage, seconds=10_000, wait=0.0)
        assert lease.epoch == 2
        lease.abandon()

    def test_one_that_is_alive_is_not(self, storage: Storage, other: Process) -> None:
        with pytest.raises(RunTakenError, match=f"the process {other.pid} on .*, which is alive"):
            claim(storage, RUN, lambda sentence: None, never, wait=0.0)

    def test_one_that_is_stopped_is_overtaken_in_time(
        self, storage: Storage, other: Process, machine: Clock
    ) -> None:
        os.kill(other.pid, signal.SIGSTOP)
        waiting = Waiting(storage, seconds=100)
        until(lambda: waiting.told, "it to wait")
        machine.sleep(110)
        assert waiting.has_it().epoch == 2
        waiting.has_it().abandon()

    def test_another_process_with_its_pid_is_not_it(self) -> None:
        here = this_process()
        assert not is_dead(here)
        assert is_dead(dataclasses.replace(here, started=here.started - 1))

    def test_the_systems_clock_may_be_set_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """psutil tells when a process began by that clock."""
        here = this_process()
        monkeypatch.setattr(psutil.Process, "create_time", lambda process: 0.0)
        assert this_process() == here
        assert not is_dead(here)

    def test_of_a_process_elsewhere_nobody_knows(self, other: Process) -> None:
        gone = dataclasses.replace(this_process(), pid=other.pid)
        stop(other)
        assert is_dead(gone)
        assert not is_dead(dataclasses.replace(gone, host="another-host"))
        assert not is_dead(dataclasses.replace(gone, system="another-boot/42"))


class TestHoldingOn:
    def test_a_lease_renews_itself(self, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leases, "MARGIN", 0.005)  # after this part of the 30 s
        lease = take(storage)
        first = document(storage, 1)
        renewed = until(lambda: [d for d in [document(storage, 1)] if d != first], "a renewal")
        assert {**renewed[0], "renewed": None} == {**first, "renewed": None}
        lease.abandon()

    def test_it_keeps_no_process_from_ending(self, storage: Storage) -> None:
        lease = take(storage)
        assert [thread.daemon for thread in renewing()] == [True]
        lease.abandon()

    def test_a_fresh_one_need_not_be_looked_at(self, storage: Storage, machine: Clock) -> None:
        lease = take(storage)
        first = document(storage, 1)
        lease.require()
        machine.sleep(15)
        lease.require()
        assert document(storage, 1) == first
        machine.sleep(10)
        lease.require()
        assert document(storage, 1) != first
        lease.abandon()

    def test_one_that_was_renewed_is_fresh_again(self, storage: Storage, machine: Clock) -> None:
        lease = take(storage)
        machine.sleep(25)
        lease.renew()
        renewed = document(storage, 1)
        machine.sleep(15)
        lease.require()
        assert document(storage, 1) == renewed
        machine.sleep(10)
        lease.require()
        assert document(storage, 1) != renewed
        lease.abandon()

    def test_one_that_slept_and_was_not_overtaken_goes_on(
        self, open: Opener, machine: Clock
    ) -> None:
        lease = take(open())
        machine.sleep(1000)
        lease.require()
        assert read_claims(open(), RUN)[0].released is False
        lease.abandon()

    def test_one_that_slept_and_was_overtaken_notices(self, open: Opener, machine: Clock) -> None:
        lost: list[HynError] = []
        sleeper = claim(open(), RUN, nobody, lost.append)
        machine.sleep(1000)
        other, claimed = Lease(open(), RUN, 2, never), open().read(PATHS.driver(1))
        with pytest.raises(RunTakenError) as caught:
            sleeper.require()
        assert open().read(PATHS.driver(1)) == claimed, "it writes nothing before it looks"
        assert str(caught.value) == (
            "run heart-1: another driver, number 2, has taken it over from this one, number 1, "
            "which was not heard of for more than 30 s"
        )
        with pytest.raises(RunTakenError):
            sleeper.require()
        assert lost == [caught.value]
        other.require()
        sleeper.abandon()
        other.abandon()

    def test_one_that_is_overtaken_tells_its_driver(self, storage: Storage) -> None:
        lost: list[HynError] = []
        lease = claim(storage, RUN, nobody, lost.append, seconds=0.15)
        other = Lease(storage, RUN, 2, never)
        (error,) = until(lambda: lost, "it to notice")
        assert isinstance(error, RunTakenError)
        until(lambda: len(renewing()) == 1, "it to stop renewing")
        lease.abandon()
        other.abandon()

    def test_a_driver_may_let_go_when_it_is_told(self, storage: Storage) -> None:
        gone = threading.Event()

        def lose(error: HynError) -> None:
            lease.abandon()
            gone.set()

        lease = claim(storage, RUN, nobody, lose, seconds=0.15)
        other = Lease(storage, RUN, 2, never)
        assert gone.wait(10)
        other.abandon()

    def test_a_storage_that_is_away_is_told_too(self, tmp_path: pathlib.Path) -> None:
        fragile, lost = Fragile(StorageSettings("file", str(tmp_path))), list[HynError]()
        lease = claim(fragile, RUN, nobody, lost.append, seconds=0.15)
        fragile.away = True
        (error,) = until(lambda: lost, "it to notice")
        assert str(error) == "storage /mnt: away"
        with pytest.raises(StorageError):
            lease.renew()
        lease.abandon()

    def test_so_is_whatever_else_keeps_it_from_being_renewed(self, tmp_path: pathlib.Path) -> None:
        class Broken(FileStorage):
            def write(self, path: str, data: bytes) -> None:
                raise OverflowError("no such number")

        broken, lost = Broken(StorageSettings("file", str(tmp_path))), list[HynError]()
        lease = claim(broken, RUN, nobody, lost.append, seconds=0.15)
        (error,) = until(lambda: lost, "it to notice")
        assert str(error) == (
            f"storage {tmp_path}: the lease cannot be renewed (OverflowError: no such number)"
        )
        lease.abandon()

    def test_one_that_is_given_up_is_not_let_go(self, storage: Storage) -> None:
        lease = take(storage)
        lease.abandon()
        assert document(storage, 1)["released"] is False
        assert renewing() == []

    def test_one_that_was_overtaken_lets_go_without_a_word(self, storage: Storage) -> None:
        lost: list[HynError] = []
        lease = claim(storage, RUN, nobody, lost.append)
        other, claimed = Lease(storage, RUN, 2, never), storage.read(PATHS.driver(1))
        with pytest.raises(RunTakenError):
            lease.renew()
        with pytest.raises(RunTakenError):
            lease.release()
        assert storage.read(PATHS.driver(1)) == claimed
        assert renewing() == [other._thread]
        other.abandon()

    def test_it_renews_again_once_its_storage_is_back(self, tmp_path: pathlib.Path) -> None:
        fragile, lost = Fragile(StorageSettings("file", str(tmp_path))), list[HynError]()
        lease = claim(fragile, RUN, nobody, lost.append, seconds=0.15)
        fragile.away = True
        until(lambda: lost, "it to notice")
        fragile.away, left = False, document(fragile, 1)
        until(lambda: document(fragile, 1) != left, "it to renew again")
        lease.require()
        lease.release()

    def test_one_whose_claim_another_has_written_over_notices(self, storage: Storage) -> None:
        """As on a server that ignores conditions: both have the same epoch."""
        lost: list[HynError] = []
        lease = claim(storage, RUN, nobody, lost.append)
        write_claim(storage, 1, ELSEWHERE)
        with pytest.raises(RunTakenError, match="another driver holds it under the same number"):
            lease.renew()
        assert document(storage, 1)["key"] == f"{RUN}-abc"
        lease.abandon()

    def test_one_whose_files_are_removed_notices(self, storage: Storage) -> None:
        lost: list[HynError] = []
        lease = claim(storage, RUN, nobody, lost.append)
        storage.delete(PATHS.driver(1))
        with pytest.raises(RunTakenError, match="its files were removed while it ran"):
            lease.renew()
        lease.abandon()


class TestClaimsThatAreGone:
    """With a run that came to nothing; a listing may still show them."""

    class Stale(FileStorage):
        def list(self, path: str) -> list[str]:
            return sorted({*super().list(path), "000001.json", "000002.json"})

    def test_somebody_elses_files_are_no_claims(self, storage: Storage) -> None:
        storage.write(f"{PATHS.drivers}/printer.deb", b"a user's")
        storage.write(f"{PATHS.drivers}/7.json", b"a user's")
        assert latest_epoch(storage, RUN) == 0

    def test_of_one_that_is_listed_and_gone_the_one_before_counts(self, storage: Storage) -> None:
        write_claim(storage, 1, ELSEWHERE)
        found = latest_claim(self.Stale(storage.settings), RUN)
        assert found is not None
        assert found.epoch == 1

    def test_without_any_the_run_is_free(self, storage: Storage) -> None:
        stale = self.Stale(storage.settings)
        assert latest_claim(stale, RUN) is None
        assert read_claims(stale, RUN) == []
        lease = take(stale)
        assert lease.epoch == 1
        lease.abandon()


class TestReadDriver:
    def test_nobody_drives_a_run_that_is_new_or_let_go(self, open: Opener) -> None:
        assert read_driver(open(), RUN) is None
        take(open()).release()
        assert read_driver(open(), RUN) is None

    def test_a_process_of_this_host_is_seen_at_once(self, open: Opener) -> None:
        lease = take(open())
        who = f"the process {os.getpid()} on {socket.gethostname()}"
        assert read_driver(open(), RUN, seconds=10_000) == who
        lease.abandon()

    def test_a_dead_one_is_nobody(self, storage: Storage) -> None:
        here = this_process()
        write_claim(storage, 1, dataclasses.replace(here, started=here.started - 100))
        assert read_driver(storage, RUN, seconds=10_000) is None

    def test_one_elsewhere_is_watched(self, storage: Storage, machine: Clock) -> None:
        write_claim(storage, 1, ELSEWHERE)
        seen: list[str | None] = []
        looks = 0

        def look() -> None:
            nonlocal looks
            looks += 1

        watched = Counting(storage.settings, look)
        watching = threading.Thread(target=lambda: seen.append(read_driver(watched, RUN, 100)))
        watching.start()
        until(lambda: looks > 2, "a second look")
        write_claim(storage, 1, ELSEWHERE, "twice")
        watching.join(30)
        assert seen == ["the process 17 on another-host"]

    def test_one_elsewhere_that_does_not_renew_is_nobody(self, storage: Storage) -> None:
        write_claim(storage, 1, ELSEWHERE)
        assert read_driver(storage, RUN, seconds=0.1) is None
