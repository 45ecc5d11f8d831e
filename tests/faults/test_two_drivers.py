"""Two drivers of one run: at any time one of them writes, and the other one waits or stops.

The driver holds a lease on its run. Who finds it held waits for it to end; who finds that another
one has taken over, because it was frozen for longer than its lease, stops without a trace.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.faults.drivers import CONTINUE_LATER, Driver, Scene
from tests.faults.marks import first_in_a_bucket
from tests.processes import DaskCluster
from tests.waiting import until

pytestmark = pytest.mark.processes

LEASE_SECONDS = 30.0
SCRIPT = "--trials 12 --seconds 0.5"


def told_by(scene: Scene, driver: Driver) -> list[int]:
    """The trials that ``driver`` was the first to report."""
    return [note.trial for note in scene.told() if note.tells and note.pid == driver.process.pid]


@first_in_a_bucket
def test_the_second_waits_for_the_first_and_finds_all_done(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the run's driver then, for a moment; what the first left is as it was."""
    script = "--trials 12 --seconds 3"
    first = scene.drive(script, cluster.address)
    scene.await_told(1)
    second = scene.drive(script, cluster.address)
    scene.await_said("waiting until it lets go")
    assert first.ended() == 0, first.said
    found = files_of_search(scene)
    assert second.ended() == 0, second.said
    assert told_by(scene, second) == []
    assert files_of_search(scene) == found
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
def test_of_two_that_start_at_once_one_waits(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    drivers = [scene.drive(SCRIPT, cluster.address) for _ in range(2)]
    for driver in drivers:
        assert driver.ended() == 0, driver.said
    assert sorted(len(told_by(scene, driver)) for driver in drivers) == [0, 12]
    last = drivers[told_by(scene, drivers[0]) != []]
    assert len([n for n in scene.told() if n.resumes and n.pid == last.process.pid]) == 12
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
def test_the_second_takes_over_at_once_when_the_first_is_dead(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "--trials 12 --seconds 4"
    first = scene.drive(script, cluster.address)
    scene.await_told(1)
    second = scene.drive(script, cluster.address)
    scene.await_said("waiting until it lets go")
    first.kill()
    killed_at = time.monotonic()
    until(lambda: told_by(scene, second), "the second to tell a trial")
    assert time.monotonic() - killed_at < LEASE_SECONDS / 2
    assert second.ended() == 0, second.said
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
def test_a_live_driver_keeps_its_run_for_longer_than_one_lease(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "--trials 12 --seconds 14"  # for about 40 s
    first = scene.drive(script, cluster.address)
    scene.await_begun(1)
    second = scene.drive(script, cluster.address)
    assert first.ended(120) == 0, first.said
    assert second.ended() == 0, second.said
    assert told_by(scene, second) == []
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
class TestFrozen:
    """The first driver is frozen for longer than its lease; the second one takes over."""

    def test_it_stops_while_the_other_one_runs(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = "--trials 24 --seconds 2"
        first = scene.drive(script, cluster.address)
        scene.await_told(3)
        with frozen_driver(first):
            second = scene.drive(script, cluster.address)
            until(lambda: told_by(scene, second), "the second to tell a trial", 90)
            told, models = told_by(scene, first), scene.run.models()
        assert first.ended() == CONTINUE_LATER, first.said
        assert second.lives
        assert told_by(scene, first) == told
        assert second.ended() == 0, second.said
        assert scene.run.models().items() >= committed(scene, models)
        scene.check(monkeypatch, trials=24)

    def test_it_changes_no_file_after_the_other_one_has_ended(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = scene.drive(SCRIPT, cluster.address)
        scene.await_told(3)
        with frozen_driver(first):
            second = scene.drive(SCRIPT, cluster.address)
            assert second.ended(120) == 0, second.said
            told, files = told_by(scene, first), files_but_first_lease(scene)
        assert first.ended() == CONTINUE_LATER, first.said
        assert told_by(scene, first) == told
        assert without_late_segment(files_but_first_lease(scene), files) == files
        assert "Traceback" not in first.said
        scene.check(monkeypatch, trials=12)

    def test_its_embedded_cluster_goes_with_it(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = scene.drive(SCRIPT)
        scene.await_told(3)
        with frozen_driver(first):
            second = scene.drive(SCRIPT)
            assert second.ended(120) == 0, second.said
            files = files_but_first_lease(scene)
        assert first.ended() == CONTINUE_LATER, first.said
        scene.no_process_left()
        assert without_late_segment(files_but_first_lease(scene), files) == files
        scene.check(monkeypatch, trials=12)

    def test_a_driver_frozen_for_less_than_its_lease_goes_on(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = scene.drive(SCRIPT, cluster.address)
        scene.await_told(3)
        with frozen_driver(first):
            second = scene.drive(SCRIPT, cluster.address)
            scene.await_said("waiting until it lets go")
        assert first.ended() == 0, first.said
        assert second.ended() == 0, second.said
        assert told_by(scene, second) == []
        scene.check(monkeypatch, trials=12)


@contextlib.contextmanager
def frozen_driver(driver: Driver) -> Iterator[None]:
    """Within, ``driver`` is stopped without its noticing."""
    driver.freeze()
    try:
        yield
    finally:
        driver.thaw()


def files_but_first_lease(scene: Scene) -> dict[str, str]:
    """The run's files; the first driver renews its own lease before it looks at the others'."""
    lease = f"{scene.run.name}/drivers/000001.json"
    return {path: sum_ for path, sum_ in scene.run.files().items() if path != lease}


def without_late_segment(found: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    """The files without one segment of the first driver's that was on its way when it was frozen.

    A request that has been sent cannot be called back. Such a segment follows none of the second
    driver's, so nobody who reads the journal takes it up.
    """
    late = [path for path in found if path not in before and "/journal/000001-" in path]
    assert len(late) <= 1, late
    return {path: sum_ for path, sum_ in found.items() if path not in late}


def committed(scene: Scene, models: dict[str, str]) -> set[tuple[str, str]]:
    """Those of ``models`` that were of reported trials when they were looked at."""
    kept = {f"/{trial:05d}_" for trial in scene.trials_told()}
    final = {row["model"] for row in scene.run.rows()}
    return {
        (path, sum_)
        for path, sum_ in models.items()
        if path in final and any(each in path for each in kept)
    }


def files_of_search(scene: Scene) -> dict[str, str]:
    """What there is of the run's search, and not of its drivers."""
    return {path: sum_ for path, sum_ in scene.run.files().items() if "/search-1/" in path}
