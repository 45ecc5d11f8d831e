"""A scheduler that is lost takes all it knew with it; what had not ended is submitted again."""

from __future__ import annotations

import os
import pathlib
import signal

import pytest

from tests.faults.clusters import fragile_cluster
from tests.faults.drivers import CONTINUE_LATER, Scene
from tests.faults.marks import first_on_a_directory

pytestmark = pytest.mark.processes


@first_on_a_directory
def test_one_that_comes_back_empty_at_its_address_is_given_the_rest(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "dask", workers=2) as cluster:
        driver = scene.drive("--trials 8 --seconds 0.5", cluster.address)
        scene.await_told(3)
        cluster.lose_scheduler()
        cluster.lose_workers()
        cluster.start_scheduler()
        cluster.add_workers(2)
        assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=8)
    assert scene.run.summary()["trials"]["failed"] == 0


@pytest.mark.faults
def test_lost_again_and_again(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "dask", workers=2) as cluster:
        driver = scene.drive("--trials 24 --seconds 0.5", cluster.address)
        for told in (4, 10, 16):
            scene.await_told(told)
            cluster.lose_scheduler()
            cluster.lose_workers()
            cluster.start_scheduler()
            cluster.add_workers(2)
        assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=24)


@pytest.mark.faults
def test_that_of_the_embedded_cluster_is_replaced_with_its_workers(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = scene.drive("--trials 12 --seconds 0.5")
    scene.await_told(4)
    (scheduler,) = [pid for pid, line in scene.processes().items() if " dask scheduler " in line]
    os.kill(scheduler, signal.SIGKILL)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=12)
    scene.no_process_left()


@pytest.mark.faults
def test_one_that_is_lost_with_its_driver_is_no_loss_to_the_next(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "dask", workers=2) as cluster:
        killed = scene.drive("--trials 8 --seconds 0.5", cluster.address)
        scene.await_told(3)
        cluster.lose_scheduler()
        killed.kill()
    following = scene.drive("--trials 8 --seconds 0.5")
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=8)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_one_that_never_comes_back_is_named_and_the_run_can_be_continued(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "dask", workers=2) as cluster:
        driver = scene.drive("--trials 8 --seconds 0.5", cluster.address)
        scene.await_told(3)
        cluster.lose_scheduler()
        assert driver.ended(600) == CONTINUE_LATER, driver.said
    assert f"Error: Dask scheduler {cluster.address}" in driver.said
    assert "Traceback" not in driver.said
    following = scene.drive("--trials 8 --seconds 0.5")
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=8)


@first_on_a_directory
def test_a_driver_that_is_told_to_end_meanwhile_ends(scene: Scene, tmp_path: pathlib.Path) -> None:
    with fragile_cluster(tmp_path / "cluster", workers=1) as cluster:
        env = {"HYN_SEARCH_GRACE": "2", "HYN_SEARCH_CLUSTER_PATIENCE": "unlimited"}
        driver = scene.drive("--trials 4 --seconds 60", cluster.address, env=env)
        scene.await_begun(1)
        cluster.lose_scheduler()
        scene.await_said("went away", 60)
        driver.terminate()
        assert driver.ended(60) == CONTINUE_LATER, driver.said
