"""Two and three drivers of one run, in every order, over a storage at its worst.

Whatever they do, and whatever becomes of their machines and of what they write: an event that was
reported is in the journal of every driver that comes after, in its place; so there are never two
that write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

import hypothesis
import pytest
import stamina
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hyn_k8s.errors import HynError, StorageError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import claims, lease
from hyn_k8s.search.claims import Holder
from hyn_k8s.search.events import Asked, Event
from hyn_k8s.search.journal import Journal
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.past import read_past
from hyn_k8s.search.patience import PatientStorage
from tests.search.storage_model import Client, Fault, World

PATHS = SearchPaths("heart-1", 1)

HERE = Holder("here", 1, 1.0, "this boot")
ELSEWHERE = Holder("elsewhere", 1, 1.0, "another boot")
"""Of a process elsewhere nobody knows whether it lives."""

SLOTS = st.integers(0, 2)
FAULTS = st.just(Fault.NONE) | st.sampled_from(Fault)


@dataclass
class Driver:
    """One driver on a machine of its own."""

    client: Client
    storage: PatientStorage
    lease: Lease | None = None
    journal: Journal | None = None
    history: list[Event] = field(default_factory=list)
    """What it has read and reported, in this order."""
    is_asleep: bool = False
    renewed: float = 0.0

    @property
    def drives(self) -> bool:
        return self.journal is not None and not self.is_asleep


class Drivers(RuleBasedStateMachine):
    """Up to three drivers, of which each may begin, report, sleep, be killed and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.drivers = [self.machine() for _ in range(3)]
        self.reported: list[Event] = []
        self.number = 0
        self.patches = contextlib.ExitStack()
        for module, name, instead in (
            (lease, "now", self.world.now),
            (lease, "time", SimpleNamespace(sleep=self.pass_time)),
            (lease, "LOOK_SECONDS", 4.0),
            (lease, "this_process", mock.Mock(return_value=ELSEWHERE)),
            (claims, "this_process", mock.Mock(return_value=HERE)),
        ):
            self.patches.enter_context(mock.patch.object(module, name, instead))
        self.patches.enter_context(stamina.set_testing(True, attempts=3))

    def machine(self) -> Driver:
        client = Client(self.world)
        return Driver(client, PatientStorage(client, lambda _: None, patience=60.0))

    def pass_time(self, seconds: float) -> None:
        """Every driver that is awake renews its lease every ten seconds, as its thread would."""
        until = self.world.time + seconds
        while self.world.time < until:
            self.world.time += min(1.0, until - self.world.time)
            for driver in self.drivers:
                due = self.world.time - driver.renewed >= 10.0
                if driver.lease is not None and not driver.is_asleep and due:
                    driver.renewed = self.world.time
                    with contextlib.suppress(HynError):
                        driver.lease.renew()

    def stop(self, driver: Driver) -> None:
        """The driver is no more; nothing that it did not write is written."""
        if driver.journal is not None:
            driver.journal.fail(StorageError("/model", "the driver was killed"))
            driver.journal.close()
        if driver.lease is not None:
            driver.lease.abandon()
        driver.lease = driver.journal = None
        driver.is_asleep = False

    def begin(self, driver: Driver) -> None:
        """As a session does: look, claim, read what is there, go on from it."""
        if driver.lease is not None:
            return
        try:
            read_past(driver.storage, PATHS)  # is there anything left to do?
            driver.lease = lease.claim(driver.storage, PATHS.run, _ignore, _ignore)
            driver.renewed = self.world.time
            durable = claims.durable_places(claims.read_claims(driver.storage, PATHS.run))
            past = read_past(driver.storage, PATHS, durable.get(PATHS.name))
        except HynError:
            self.stop(driver)
            return
        known = [*past.events]
        assert known[: len(self.reported)] == self.reported, "what was reported is not there"
        driver.history = known
        driver.journal = Journal(driver.storage, PATHS, driver.lease, past, lambda: None)

    def report(self, driver: Driver, count: int) -> None:
        """Append events and report them, once they are durable."""
        if driver.journal is None:
            return
        try:
            for _ in range(count):
                self.number += 1
                event = Asked(self.number, b"", 0)
                index = driver.journal.append(event)
                driver.journal.require(index)
                # Reported now: nobody else may have reported anything that this one does not know.
                before = len(self.reported)
                assert driver.history[:before] == self.reported, "there are two writers"
                driver.history.append(event)
                self.reported = list(driver.history)
        except HynError:
            self.stop(driver)

    @initialize()
    def a_first_driver(self) -> None:
        self.begin(self.drivers[0])

    @rule(slot=SLOTS, stale=st.booleans())
    def one_begins(self, slot: int, stale: bool) -> None:
        driver = self.drivers[slot]
        driver.client.is_stale = stale
        if not driver.is_asleep:
            self.begin(driver)

    @rule(slot=SLOTS, count=st.integers(1, 3), fault=FAULTS)
    def one_reports(self, slot: int, count: int, fault: Fault) -> None:
        driver = self.drivers[slot]
        if driver.drives:
            driver.client.fault = fault
            self.report(driver, count)
            driver.client.fault = Fault.NONE

    @rule(slot=SLOTS, other=SLOTS, seconds=st.sampled_from([5.0, 45.0, 500.0]))
    def its_machine_sleeps_in_the_middle_of_a_write(
        self, slot: int, other: int, seconds: float
    ) -> None:
        driver, another = self.drivers[slot], self.drivers[other]
        if not driver.drives or slot == other or another.is_asleep:
            return

        def interlude() -> None:
            driver.is_asleep = True
            self.pass_time(seconds)
            self.begin(another)
            self.report(another, 1)
            driver.is_asleep = False

        driver.client.interludes[".seg"] = interlude
        self.report(driver, 1)
        driver.client.interludes.clear()

    @rule(slot=SLOTS, other=SLOTS)
    def two_begin_at_once(self, slot: int, other: int) -> None:
        """The second one between the first one's look and its claim."""
        driver, another = self.drivers[slot], self.drivers[other]
        if slot == other or driver.is_asleep or another.is_asleep or another.lease is not None:
            return
        driver.client.interludes[".json"] = lambda: self.begin(another)
        self.begin(driver)
        driver.client.interludes.clear()

    @rule(slot=SLOTS, fault=FAULTS, count=st.integers(0, 1))
    def one_tidies_up(self, slot: int, fault: Fault, count: int) -> None:
        """Joins its segments in a part, behind a checkpoint."""
        driver = self.drivers[slot]
        if driver.drives and driver.journal is not None and driver.lease is not None:
            driver.client.fault = fault
            driver.journal.add_checkpoint(b"state", 0.0)
            self.report(driver, count)
            if not count:
                driver.journal.close()  # once what was asked of it is done
                with contextlib.suppress(HynError):
                    driver.lease.release()
                self.stop(driver)
            driver.client.fault = Fault.NONE

    @rule(slot=SLOTS)
    def one_lets_go(self, slot: int) -> None:
        driver = self.drivers[slot]
        if driver.drives and driver.journal is not None and driver.lease is not None:
            driver.journal.close()
            with contextlib.suppress(HynError):
                driver.lease.release()
            self.stop(driver)

    @rule(slot=SLOTS)
    def one_is_killed(self, slot: int) -> None:
        self.stop(self.drivers[slot])

    @rule(slot=SLOTS)
    def one_falls_asleep_or_wakes(self, slot: int) -> None:
        driver = self.drivers[slot]
        if driver.journal is not None:
            driver.is_asleep = not driver.is_asleep

    @rule(slot=SLOTS)
    def ones_storage_goes_away_or_comes_back(self, slot: int) -> None:
        client = self.drivers[slot].client
        client.is_away = not client.is_away

    @rule(seconds=st.sampled_from([1.0, 9.0, 21.0, 31.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(seconds)

    @precondition(lambda self: self.world.late)
    @rule()
    def late_changes_arrive(self) -> None:
        self.world.let_late_changes_arrive()

    def teardown(self) -> None:
        for driver in self.drivers:
            self.stop(driver)
        self.world.let_late_changes_arrive()
        try:
            found = list(read_past(Client(self.world), PATHS).events)
            assert found[: len(self.reported)] == self.reported, "what was reported is lost"
        finally:
            self.patches.close()


def _ignore(_told: Any) -> None:
    """Nobody listens."""


def settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def test_no_reported_event_is_lost_and_never_do_two_write() -> None:
    run_state_machine_as_test(Drivers, settings=settings(100))


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_nor_in_ten_thousand_orders() -> None:
    run_state_machine_as_test(Drivers, settings=settings(10_000))


@pytest.fixture
def drivers() -> Iterator[Drivers]:
    """Drivers that do what a test says; the first has reported two events."""
    drivers = Drivers()
    drivers.a_first_driver()
    drivers.one_reports(0, 2, Fault.NONE)
    yield drivers
    drivers.teardown()


@pytest.mark.parametrize("tidied_up", [False, True])
def test_a_successor_sees_what_its_listing_does_not_show(drivers: Drivers, tidied_up: bool) -> None:
    first, second = drivers.drivers[:2]
    read_past(second.storage, PATHS)
    second.client.is_stale = True
    drivers.one_reports(0, 2, Fault.NONE)
    if tidied_up:
        drivers.one_tidies_up(0, Fault.NONE, 1)
    drivers.stop(first)
    for _ in range(3):
        drivers.begin(second)
        if second.journal is None:
            drivers.pass_time(31.0)  # it has said so, and tries again
    assert second.history == drivers.reported
    assert len(second.history) == (5 if tidied_up else 4)


def test_what_a_driver_only_inherited_is_in_its_claim(drivers: Drivers) -> None:
    """It joins the segments of the one before, and ends without a trial of its own."""
    first, second, third = drivers.drivers
    drivers.one_tidies_up(0, Fault.NONE, 1)
    read_past(third.storage, PATHS)
    third.client.is_stale = True
    drivers.one_reports(0, 2, Fault.NONE)
    drivers.stop(first)
    drivers.begin(second)
    read_past(third.storage, PATHS)
    drivers.one_tidies_up(1, Fault.NONE, 0)
    for _ in range(3):
        drivers.begin(third)
        if third.journal is None:
            drivers.pass_time(31.0)
    assert third.history == drivers.reported
    assert len(third.history) == 5


def test_where_conditions_are_ignored_what_was_reported_is_lost(drivers: Drivers) -> None:
    """So such a server is refused when it is opened; the model can show what it would do."""
    for driver in drivers.drivers:
        driver.client.keeps_conditions = False
    drivers.one_lets_go(0)
    drivers.two_begin_at_once(1, 2)
    drivers.one_reports(1, 1, Fault.NONE)
    drivers.one_reports(2, 1, Fault.NONE)
    found = read_past(Client(drivers.world), PATHS).events
    assert list(found[: len(drivers.reported)]) != drivers.reported
    drivers.reported.clear()


def test_a_driver_whose_claim_was_written_over_notices_when_it_renews(drivers: Drivers) -> None:
    for driver in drivers.drivers:
        driver.client.keeps_conditions = False
    drivers.one_lets_go(0)
    drivers.two_begin_at_once(1, 2)
    drivers.pass_time(11.0)
    drivers.one_reports(1, 1, Fault.NONE)
    drivers.one_reports(2, 1, Fault.NONE)
    assert [driver.lease is not None for driver in drivers.drivers].count(True) == 1
