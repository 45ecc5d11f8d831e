"""Asked to end, by Kubernetes or a batch system, a driver begins nothing new and loses nothing.

What runs may end within the grace period and is reported; then the driver ends with the exit code
that says: continue later.
"""

from __future__ import annotations

import time

import pytest

from tests.faults.drivers import CONTINUE_LATER, Scene
from tests.faults.marks import first_on_a_directory
from tests.processes import DaskCluster

pytestmark = pytest.mark.processes


@first_on_a_directory
def test_what_runs_is_reported_and_the_next_driver_goes_on(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "--trials 12 --seconds 1"
    driver = scene.drive(script, cluster.address)
    scene.await_told(3)
    driver.terminate()
    assert driver.ended(25) == CONTINUE_LATER, driver.said
    begun = {note.trial for note in scene.told() if note.what == "begin"}
    assert set(scene.trials_told()) == begun
    assert len(begun) < 12
    assert "Traceback" not in driver.said
    following = scene.drive(script, cluster.address)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
class TestGrace:
    def test_what_does_not_end_in_time_is_begun_again(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flags, script = "--run it --grace 3", "--trials 8 --seconds 0.3 --endless 4 --once"
        driver = scene.drive(script, flags=flags)
        scene.await_begun(4)
        scene.await_told(5)
        asked_at = time.monotonic()
        driver.terminate()
        assert driver.ended(20) == CONTINUE_LATER, driver.said
        assert 2 <= time.monotonic() - asked_at <= 10
        assert 4 not in scene.trials_told()
        scene.no_process_left()
        following = scene.drive(script, flags=flags)
        assert following.ended() == 0, following.said
        scene.check(monkeypatch, trials=8)

    def test_none_is_given_where_none_is_wanted(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = "--trials 9 --seconds 4"
        grace = {"HYN_SEARCH_GRACE": "0"}
        driver = scene.drive(script, cluster.address, env=grace)
        scene.await_begun(3)
        driver.terminate()
        assert driver.ended(10) == CONTINUE_LATER, driver.said
        following = scene.drive(script, cluster.address)
        assert following.ended() == 0, following.said
        scene.check(monkeypatch, trials=9)


@pytest.mark.faults
@pytest.mark.parametrize("flags", ["--run it", "--run it --backend standalone"])
def test_in_a_cluster_or_process_of_its_own(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, flags: str
) -> None:
    driver = scene.drive("--trials 8 --seconds 1", flags=flags)
    scene.await_told(2)
    driver.terminate()
    assert driver.ended(25) == CONTINUE_LATER, driver.said
    scene.no_process_left()
    following = scene.drive("--trials 8 --seconds 1", flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=8)


@pytest.mark.faults
def test_an_ordered_search_loses_none_that_was_told_early(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, script = "--run it --ordered --seed 7", "--trials 12 --seconds 1"
    driver = scene.drive(script, cluster.address, flags=flags)
    scene.await_told(4)
    driver.terminate()
    assert driver.ended(25) == CONTINUE_LATER, driver.said
    assert sorted(scene.trials_told()) == list(range(1, len(scene.trials_told()) + 1))
    following = scene.drive(script, cluster.address, flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
def test_again_and_again(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "--trials 30 --seconds 0.5"
    for told in (4, 12, 20):
        driver = scene.drive(script, cluster.address)
        scene.await_told(told)
        driver.terminate()
        assert driver.ended(25) == CONTINUE_LATER, driver.said
    driver = scene.drive(script, cluster.address)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=30)


@pytest.mark.faults
def test_before_the_first_trial(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = scene.drive("--trials 6", cluster.address)
    scene.await_said("results go to")
    driver.terminate()
    assert driver.ended(30) == CONTINUE_LATER, driver.said
    assert "Traceback" not in driver.said
    following = scene.drive("--trials 6", cluster.address)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=6)
