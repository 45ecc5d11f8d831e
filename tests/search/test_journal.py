"""The journal on both storages: what was said to be durable is there, whatever happens next.

A driver may be killed after any single write, may be overtaken while it sleeps, and may be read
while it tidies up. A slow storage makes longer segments, not a slower search, and one that fails
is told to whoever waits for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import threading
import types
from collections.abc import Callable, Iterator

import pytest

from hyn_k8s.errors import HynError, RunTakenError, StorageError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import journal as journals
from hyn_k8s.search.events import Asked, Event, Told
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.journal import Journal
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.outcome import LARGE_RESULT
from hyn_k8s.search.past import Past, read_past
from hyn_k8s.search.patience import PatientStorage
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.site import Blob
from hyn_k8s.search.storage import Storage
from tests.clocks import Clock
from tests.storages import Logged, Opener, left_after, on_directory
from tests.waiting import until

PATHS = SearchPaths("heart-1", 1)


def never(error: HynError) -> None:
    raise AssertionError(f"the run was lost: {error}")


def expected(_error: HynError) -> None:
    """The run is lost, as the test has it."""


@contextlib.contextmanager
def driving(
    storage: Storage,
    epoch: int = 1,
    past: Past | None = None,
    wake: Callable[[], None] = lambda: None,
    lost: Callable[[HynError], None] = never,
) -> Iterator[Journal]:
    """The journal of the run's ``epoch``-th driver, which goes on from ``past``."""
    past = read_past(storage, PATHS) if past is None else past
    lease = Lease(storage, PATHS.run, epoch, lost)
    journal = Journal(storage, PATHS, lease, past, wake)
    try:
        yield journal
    finally:
        journal.close()
        lease.abandon()


def events(first: int, last: int) -> list[Event]:
    return [Asked(number, b"a sample", 0) for number in range(first, last + 1)]


def append(journal: Journal, first: int, last: int) -> None:
    """Each of these events in a segment of its own."""
    for event in events(first, last):
        journal.require(journal.append(event))


def numbers(past: Past) -> list[int]:
    return [event.number for event in past.events if isinstance(event, Asked)]


class TestDrivers:
    def test_a_search_without_a_journal_has_no_past(self, open: Opener) -> None:
        assert read_past(open(), PATHS) == Past()

    def test_what_is_durable_is_read_by_another_process(self, open: Opener) -> None:
        with driving(open()) as journal:
            for event in events(1, 3):
                index = journal.append(event)
            journal.require(index)
            assert journal.durable == 3
            past = read_past(open(), PATHS)
        assert past.events == tuple(events(1, 3))
        assert past.elapsed > 0

    def test_closing_writes_what_has_gathered(self, open: Opener) -> None:
        with driving(open()) as journal:
            for event in events(1, 50):
                journal.append(event)
            journal.close()
            assert journal.durable == 50
            journal.close()
        assert numbers(read_past(open(), PATHS)) == list(range(1, 51))

    def test_the_next_driver_goes_on_and_so_does_the_one_after_it(self, open: Opener) -> None:
        for epoch in (1, 2, 3):
            with driving(open(), epoch) as journal:
                assert journal.durable == 2 * (epoch - 1)
                append(journal, 2 * epoch - 1, 2 * epoch)
                assert journal.durable == 2 * epoch
        assert numbers(read_past(open(), PATHS)) == [1, 2, 3, 4, 5, 6]

    def test_the_time_of_all_drivers_counts(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 0.0
        monkeypatch.setattr(journals, "time", types.SimpleNamespace(monotonic=lambda: now))
        for epoch, total in ((1, 100.0), (2, 200.0)):
            with driving(storage, epoch) as journal:
                now += 100.0
                append(journal, epoch, epoch)
                assert journal.elapsed == total
            now += 5000.0  # nobody drives
        assert read_past(storage, PATHS).elapsed == 200.0


class TestLargeResults:
    def test_a_large_result_has_a_file_of_its_own(self, open: Opener) -> None:
        storage, result = open(), bytes(LARGE_RESULT)
        with driving(storage) as journal:
            journal.require(journal.append(Told(7, result, b"random numbers")))
        (event,) = read_past(open(), PATHS).events
        assert isinstance(event, Told)
        assert isinstance(event.result, Blob)
        assert event._replace(result=b"") == Told(7, b"", b"random numbers")
        assert storage.read(event.result.path) == result
        (segment,) = storage.list(PATHS.journal)
        assert len(storage.read(f"{PATHS.journal}/{segment}")) < 1000

    def test_another_one_stands_among_the_events(self, open: Opener) -> None:
        event = Told(7, bytes(LARGE_RESULT - 1))
        with driving(open()) as journal:
            journal.require(journal.append(event))
        assert read_past(open(), PATHS).events == (event,)

    def test_two_results_of_a_number_do_not_share_one(self, open: Opener) -> None:
        """An overtaken driver may write its own result of a trial that is run again."""
        storage = open()
        for epoch in (1, 2):
            with driving(storage, epoch, Past()) as journal:
                journal.require(journal.append(Told(7, bytes([epoch]) * LARGE_RESULT)))
        (event,) = read_past(storage, PATHS).events
        assert isinstance(event, Told)
        assert isinstance(event.result, Blob)
        assert storage.read(event.result.path)[:1] == b"\2"


class TestCheckpoints:
    def test_a_checkpoint_has_its_place_among_the_events(self, open: Opener) -> None:
        with driving(open()) as journal:
            append(journal, 1, 3)
            journal.add_checkpoint(b"a state", 0.0)
            append(journal, 4, 5)
        past = read_past(open(), PATHS)
        assert (past.state, past.position) == (b"a state", 3)
        assert numbers(past) == [1, 2, 3, 4, 5]

    def test_one_may_come_before_any_event(self, open: Opener) -> None:
        with driving(open()) as journal:
            journal.add_checkpoint(b"how it began", 0.0)
        past = read_past(open(), PATHS)
        assert (past.state, past.position, past.events) == (b"how it began", 0, ())

    def test_it_waits_for_what_was_appended_before_it(self, storage: Storage) -> None:
        with driving(storage) as journal:
            for event in events(1, 20):
                journal.append(event)
            journal.add_checkpoint(b"a state", 0.0)
        past = read_past(storage, PATHS)
        assert (past.state, past.position, len(past.events)) == (b"a state", 20, 20)

    def test_only_the_latest_one_stays_and_segments_become_parts(self, open: Opener) -> None:
        with driving(open()) as journal:
            for last in (3, 6, 9):
                append(journal, last - 2, last)
                journal.add_checkpoint(f"after {last}".encode(), 0.0)
            append(journal, 10, 11)
        assert open().list(PATHS.journal) == [
            "000001-0000000009.state",
            "000001-00000001-00000003.part",
            "000001-00000004-00000006.part",
            "000001-00000007-00000009.part",
            "000001-00000010.seg",
            "000001-00000011.seg",
        ]
        past = read_past(open(), PATHS)
        assert (past.state, past.position) == (b"after 9", 9)
        assert numbers(past) == list(range(1, 12))

    def test_the_next_driver_tidies_up_after_one_that_died(self, open: Opener) -> None:
        with driving(open()) as journal:
            append(journal, 1, 3)
        with driving(open(), 2) as journal:
            append(journal, 4, 5)
            journal.add_checkpoint(b"a state", 0.0)
        assert open().list(PATHS.journal) == [
            "000001-00000001-00000003.part",
            "000002-0000000005.state",
            "000002-00000001-00000002.part",
        ]
        past = read_past(open(), PATHS)
        assert (past.state, past.position, numbers(past)) == (b"a state", 5, [1, 2, 3, 4, 5])

    def test_a_driver_without_a_checkpoint_leaves_the_one_before_it(self, open: Opener) -> None:
        with driving(open()) as journal:
            append(journal, 1, 2)
            journal.add_checkpoint(b"a state", 0.0)
        with driving(open(), 2) as journal:
            append(journal, 3, 4)
        past = read_past(open(), PATHS)
        assert (past.state, past.position, numbers(past)) == (b"a state", 2, [1, 2, 3, 4])

    @pytest.mark.parametrize("seed", range(8))
    def test_wherever_checkpoints_fall_nothing_is_lost(self, storage: Storage, seed: int) -> None:
        """Parts hold neighbours only: a single segment may have been left between two of them."""
        chance = random.Random(seed)
        done, kept = 0, Past()
        for epoch in range(1, 5):
            with driving(storage, epoch) as journal:
                for _ in range(chance.randint(0, 4)):
                    count = chance.randint(0, 3)
                    append(journal, done + 1, done + count)
                    done += count
                    if chance.random() < 0.6:
                        kept = Past(state=f"after {done}".encode(), position=done)
                        journal.add_checkpoint(kept.state or b"", 0.0)
            past = read_past(storage, PATHS)
            assert numbers(past) == list(range(1, done + 1))
            assert (past.state, past.position) == (kept.state, kept.position)

    def test_they_take_two_percent_of_the_time_at_most(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 0.0
        monkeypatch.setattr(journals, "time", types.SimpleNamespace(monotonic=lambda: now))

        def next_one() -> float:
            """After how many seconds another one is due."""
            nonlocal now
            began = now
            while not journal.is_checkpoint_due():
                now += 0.5
            return now - began

        with driving(storage) as journal:
            assert next_one() == 10.0
            journal.add_checkpoint(b"", cost=0.01)
            assert next_one() == 10.0
            journal.add_checkpoint(b"", cost=1.0)
            assert next_one() == 50.0
            now = 100_000.0
            journal.add_checkpoint(b"", cost=0.01)
            assert next_one() == 2000.0


class Meanwhile(PatientStorage):
    """Between its listing of the journal and what it reads then, another process does something."""

    def __init__(self, inner: Storage, happens: Callable[[], None]) -> None:
        super().__init__(inner, print)
        self._happens: Callable[[], None] | None = happens

    def list(self, path: str) -> list[str]:
        found = super().list(path)
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        return found


class TestReadingALiveJournal:
    def test_segments_that_are_joined_meanwhile_are_read_as_a_part(self, open: Opener) -> None:
        with driving(open()) as journal:
            append(journal, 1, 3)

            def join() -> None:
                journal.add_checkpoint(b"a state", 0.0)
                journal.close()

            past = read_past(Meanwhile(open(), join), PATHS)
        assert (numbers(past), past.state, past.position) == ([1, 2, 3], b"a state", 3)

    def test_a_state_that_is_replaced_meanwhile_is_not_missed(self, open: Opener) -> None:
        with driving(open()) as journal:
            append(journal, 1, 2)
            journal.add_checkpoint(b"an early state", 0.0)
            until(lambda: len(open().list(PATHS.journal)) == 2, "a state and a part")

            def replace() -> None:
                append(journal, 3, 3)
                journal.add_checkpoint(b"a late state", 0.0)
                journal.close()

            past = read_past(Meanwhile(open(), replace), PATHS)
        assert (numbers(past), past.state, past.position) == ([1, 2, 3], b"a late state", 3)

    def test_one_that_changes_all_the_time_is_given_up(self, storage: Storage) -> None:
        class Restless(FileStorage):
            def list(self, path: str) -> list[str]:
                return ["000001-00000001.seg"]

        with pytest.raises(StorageError, match="changes faster than it can be read"):
            read_past(Restless(storage.settings), PATHS)

    def test_every_look_at_it_shows_a_beginning_of_it(self, open: Opener) -> None:
        seen: list[list[int]] = []
        over = threading.Event()

        def look() -> None:
            reader = open()
            while not over.is_set():
                seen.append(numbers(read_past(reader, PATHS)))

        looking = threading.Thread(target=look)
        with driving(open()) as journal:
            looking.start()
            for last in range(3, 31, 3):
                append(journal, last - 2, last)
                journal.add_checkpoint(b"a state", 0.0)
            until(lambda: seen, "a look")
        over.set()
        looking.join()
        assert seen == sorted(seen, key=len)
        assert all(each == list(range(1, len(each) + 1)) for each in seen)


class TestOvertaken:
    def test_an_overtaken_driver_makes_nothing_durable(self, open: Opener, machine: Clock) -> None:
        with driving(open(), lost=expected) as sleeper:
            append(sleeper, 1, 2)
            machine.sleep(1000.0)
            with driving(open(), 2) as journal:
                append(journal, 3, 4)
                with pytest.raises(RunTakenError, match="another driver, number 2"):
                    sleeper.require(sleeper.append(Asked(33, b"", 0)))
                with pytest.raises(RunTakenError):
                    sleeper.check()
                assert sleeper.durable == 2
            assert numbers(read_past(open(), PATHS)) == [1, 2, 3, 4]

    def test_what_it_was_writing_at_that_moment_does_not_count(
        self, storage: Storage, machine: Clock
    ) -> None:
        """The machine sleeps in the middle of a write, and the write goes on when it wakes."""
        gate = Gate(storage.settings)
        with driving(gate, lost=expected) as sleeper:
            gate.open.set()
            append(sleeper, 1, 2)
            gate.open.clear()
            gate.entered.clear()
            index = sleeper.append(Asked(33, b"", 0))
            assert gate.entered.wait(10)
            machine.sleep(1000.0)
            with driving(storage, 2) as journal:
                append(journal, 3, 4)
                gate.open.set()
                with pytest.raises(RunTakenError):
                    sleeper.require(index)
                assert "000001-00000003.seg" in storage.list(PATHS.journal)
                assert sleeper.durable == 2
        assert numbers(read_past(storage, PATHS)) == [1, 2, 3, 4]

    def test_its_checkpoints_are_not_written(self, open: Opener, machine: Clock) -> None:
        with driving(open(), lost=expected) as sleeper:
            append(sleeper, 1, 2)
            with driving(open(), 2):
                before = open().list(PATHS.journal)
                machine.sleep(1000.0)
                sleeper.add_checkpoint(b"of the sleeper", 0.0)
                until(lambda: sleeper.error, "the sleeper to notice")
                assert open().list(PATHS.journal) == before

    def test_a_state_of_events_that_do_not_count_does_not_count(self, open: Opener) -> None:
        storage = open()
        with driving(storage) as journal:
            append(journal, 1, 2)
            journal.add_checkpoint(b"after 2", 0.0)
        with driving(storage, 2) as journal:
            append(journal, 3, 6)
        storage.write(PATHS.checkpoint(1, 5), b"of the first driver's own fifth event")
        past = read_past(storage, PATHS)
        assert (past.state, past.position) == (b"after 2", 2)

    def test_a_driver_that_lost_its_run_says_so_to_whoever_waits(self, storage: Storage) -> None:
        gate = Gate(storage.settings)
        woken = threading.Event()
        with driving(gate, wake=woken.set) as journal:
            index = journal.append(Asked(1, b"", 0))
            assert gate.entered.wait(10)
            journal.fail(RunTakenError("heart-1", "somebody has it"))
            journal.fail(StorageError("nowhere", "a later error"))
            assert woken.is_set()
            with pytest.raises(RunTakenError, match="somebody has it"):
                journal.require(index)
            gate.open.set()


class Gate(FileStorage):
    """A directory on which segments are written when the test opens the gate."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.entered = threading.Event()
        self.open = threading.Event()

    def write(self, path: str, data: bytes) -> None:
        if path.endswith(".seg"):
            self.entered.set()
            assert self.open.wait(30)
        super().write(path, data)


class Broken(FileStorage):
    """A directory on which no segment can be written."""

    def __init__(self, settings: StorageSettings, error: Exception) -> None:
        super().__init__(settings)
        self._error = error

    def write(self, path: str, data: bytes) -> None:
        if path.endswith(".seg"):
            raise self._error
        super().write(path, data)


class TestSlowStorage:
    def test_what_gathers_during_a_write_is_written_together(self, storage: Storage) -> None:
        gate = Gate(storage.settings)
        with driving(gate) as journal:
            journal.append(Asked(1, b"", 0))
            assert gate.entered.wait(10)
            indices = [journal.append(Asked(number, b"", 0)) for number in range(2, 101)]
            assert indices[-1] == 100
            assert journal.durable == 0
            gate.open.set()
            journal.require(100)
        assert storage.list(PATHS.journal) == ["000001-00000001.seg", "000001-00000002.seg"]
        assert numbers(read_past(storage, PATHS)) == list(range(1, 101))

    def test_events_that_nobody_waits_for_gather_a_moment(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journals, "GATHER_SECONDS", 3600.0)
        with driving(storage) as journal:
            for event in events(1, 3):
                journal.append(event)
            assert journal.durable == 0
            journal.require(2)  # whoever waits does not wait for others
            assert journal.durable == 3
            journal.append(*events(4, 4))
        assert len(storage.list(PATHS.journal)) == 2
        assert numbers(read_past(storage, PATHS)) == [1, 2, 3, 4]

    def test_what_would_take_memory_until_the_next_checkpoint_is_joined(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journals, "JOINED_BYTES", 1000)
        with driving(storage) as journal:
            for number in range(1, 8):
                journal.require(journal.append(Asked(number, bytes(600), 0)))
        assert storage.list(PATHS.journal) == [
            "000001-00000001-00000002.part",
            "000001-00000003-00000004.part",
            "000001-00000005-00000006.part",
            "000001-00000007.seg",
        ]
        assert numbers(read_past(storage, PATHS)) == list(range(1, 8))

    def test_the_loop_is_woken_when_more_is_durable(self, storage: Storage) -> None:
        durable: list[int] = []
        with driving(storage, wake=lambda: durable.append(journal.durable)) as journal:
            append(journal, 1, 3)
        assert durable == [1, 2, 3]

    def test_one_that_never_answers_is_not_waited_for_for_ever(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journals, "WAIT_SECONDS", 0.2)
        gate = Gate(dataclasses.replace(storage.settings, patience=0.0))
        with driving(gate) as journal:
            index = journal.append(Asked(1, b"", 0))
            with pytest.raises(StorageError, match="did not answer within 0 s"):
                journal.require(index)
            journal.close()
            gate.open.set()


class TestBrokenStorage:
    def test_its_error_reaches_whoever_waits_or_asks(self, storage: Storage) -> None:
        woken = threading.Event()
        broken = Broken(storage.settings, StorageError("/mnt", "no space is left on it"))
        with driving(broken, wake=woken.set) as journal:
            index = journal.append(Asked(1, b"", 0))
            with pytest.raises(StorageError, match=r"storage /mnt: no space is left on it"):
                journal.require(index)
            with pytest.raises(StorageError, match=r"storage /mnt: no space is left on it"):
                journal.check()
            assert woken.wait(10)
            assert journal.durable == 0
            journal.append(Asked(2, b"", 0))
            journal.close()
            assert journal.durable == 0
        assert read_past(storage, PATHS) == Past()

    def test_what_was_durable_before_stays_so(self, storage: Storage) -> None:
        broken = Broken(storage.settings, StorageError("/mnt", "away"))
        with driving(storage) as journal:
            append(journal, 1, 2)
        with driving(broken, 2) as journal:
            journal.append(Asked(3, b"", 0))
            until(lambda: journal.error, "the error")
            assert journal.durable == 2
        assert numbers(read_past(storage, PATHS)) == [1, 2]

    def test_an_error_of_any_other_kind_is_told_as_the_storages(self, storage: Storage) -> None:
        broken = Broken(storage.settings, OverflowError("no such number"))
        with driving(broken) as journal:
            with pytest.raises(StorageError) as caught:
                journal.require(journal.append(Asked(1, b"", 0)))
        assert str(caught.value) == (
            f"storage {storage.url}: the journal cannot be written (OverflowError: no such number)"
        )


@pytest.mark.parametrize("seed", range(4))
def test_killed_after_any_write_a_driver_leaves_all_that_was_durable(
    seed: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(journals, "JOINED_BYTES", (100, 300, 1000, 3000)[seed])
    storage = Logged(StorageSettings("file", str(tmp_path / "root")))
    durable: list[tuple[int, int]] = []
    """How many changes had been made, at most, when so many events were durable."""
    done = 0
    for epoch in (1, 2, 3):
        with driving(storage, epoch) as journal:
            for _ in range(chance.randint(1, 5)):
                count = chance.randint(1, 4)
                for event in events(done + 1, done + count):
                    index = journal.append(event)
                done += count
                journal.require(index)
                durable.append((len(storage.changes), done))
                if chance.random() < 0.5:
                    journal.add_checkpoint(f"after {done}".encode(), 0.0)
    for count in range(len(storage.changes) + 1):
        root = tmp_path / f"after-{count}"
        left_after(storage.changes[:count], root)
        past = read_past(on_directory(root)(), PATHS)
        found = numbers(past)
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= max((known for made, known in durable if made <= count), default=0)
        assert past.state in (None, f"after {past.position}".encode())
        assert past.position <= len(found)
