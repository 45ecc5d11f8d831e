"""A trial that would run for ever is stopped after its time, fails, and gives its slot back."""

from __future__ import annotations

import pathlib

import pytest

from tests.faults.clusters import FragileCluster, fragile_cluster, lives
from tests.faults.drivers import Scene
from tests.faults.marks import first_on_a_directory
from tests.waiting import until

pytestmark = pytest.mark.processes

TIMED_OUT = "timed out"


def check_timed_out(scene: Scene, trial: int) -> None:
    """``trial`` says that its time was over, and the process that trained it is gone."""
    assert TIMED_OUT in scene.run.rows()[trial - 1]["detail"]
    assert not lives(scene.await_begun(trial).pid)
    summary = scene.run.summary()
    assert summary["trials"]["failed"] == 1
    assert summary["workers_lost"] == 0


@first_on_a_directory
def test_it_is_stopped_and_the_others_succeed(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = {"HYN_SEARCH_TRIAL_TIMEOUT": "3"}
    driver = scene.drive("--trials 8 --endless 3", fragile.address, env=patience)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=8, failed=[3])
    check_timed_out(scene, 3)


@first_on_a_directory
def test_on_a_worker_that_nobody_starts_again_too(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "cluster", 2, "--no-nanny") as cluster:
        flags = "--run it --executors 2 --trial-timeout 3"
        driver = scene.drive("--trials 6 --endless 3", cluster.address, flags=flags)
        assert driver.ended() == 0, driver.said
        scene.check(monkeypatch, trials=6, failed=[3])
        check_timed_out(scene, 3)


@pytest.mark.faults
def test_the_only_slot_is_free_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = "--run it --executors 1 --trial-timeout 3"
    driver = scene.drive("--trials 6 --endless 3", flags=flags)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=6, failed=[3])
    check_timed_out(scene, 3)
    scene.no_process_left()


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [0, 1], ids=["at-once", "after-a-while"])
def test_one_that_lets_nothing_else_of_its_process_run_is_stopped_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    flags = "--run it --executors 2 --trial-timeout 3"
    driver = scene.drive(f"--trials 6 --seconds {seconds} --stuck 3", flags=flags)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=6, failed=[3])
    check_timed_out(scene, 3)
    scene.no_process_left()


@pytest.mark.faults
def test_time_spent_waiting_for_a_worker_does_not_count(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = "--run it --executors 8 --trial-timeout 4"  # two workers: the last ones wait for 6 s
    driver = scene.drive("--trials 8 --seconds 3", fragile.address, flags=flags)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=8)


@pytest.mark.faults
def test_a_resumed_search_does_not_run_it_again(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = "--run it --trial-timeout 3"
    script = "--trials 24 --seconds 0.5 --endless 3"
    killed = scene.drive(script, fragile.address, flags=flags)
    until(lambda: 3 in scene.trials_told(), "the endless trial to be told")
    killed.kill()
    following = scene.drive(script, fragile.address, flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=24, failed=[3])
