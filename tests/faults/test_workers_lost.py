"""A worker may go at any moment, under a trial or with all others: no trial is lost by it.

A lost worker costs its trial an attempt, a worker that was asked to leave costs nothing, and a
trial that loses every worker it is given fails. Lost workers are no failed trials, and the
summary counts them apart.
"""

from __future__ import annotations

import os
import pathlib
import signal

import pytest

from tests.faults.clusters import (
    FragileCluster,
    fragile_cluster,
    frozen,
    lives,
    nanny_of,
    worker_of,
)
from tests.faults.drivers import Scene
from tests.faults.marks import first_in_a_bucket, first_on_a_directory
from tests.waiting import until

pytestmark = pytest.mark.processes


def begun(scene: Scene, trial: int) -> int:
    """How many times ``trial`` began to train."""
    return len([note for note in scene.executed() if (note.what, note.trial) == ("begin", trial)])


@first_in_a_bucket
def test_a_process_killed_under_its_trial_costs_an_attempt_and_no_trial(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = scene.drive("--trials 8 --seconds 0.5 --kill 3 --once", fragile.address)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=8)
    assert begun(scene, 3) == 2
    assert scene.run.summary()["processes_lost"] == 1
    assert "1 trial process died" in driver.said


@first_on_a_directory
def test_a_trial_that_kills_its_process_each_time_fails_and_no_worker_is_lost(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = {"HYN_SEARCH_TRIAL_ATTEMPTS": "2"}
    driver = scene.drive("--trials 8 --seconds 0.5 --kill 3", fragile.address, env=attempts)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=8, failed=[3])
    assert begun(scene, 3) == 2
    assert "its process was ended by SIGKILL" in scene.run.rows()[2]["detail"]
    assert scene.run.summary()["trials"]["failed"] == 1
    assert scene.run.summary()["workers_lost"] == 0
    assert scene.run.summary()["processes_lost"] == 2
    assert "2 trial processes died" in driver.said


@pytest.mark.faults
def test_a_worker_that_is_asked_to_leave_costs_no_attempt(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = {"HYN_SEARCH_TRIAL_ATTEMPTS": "1"}
    with fragile_cluster(tmp_path / "dask", workers=2) as cluster:
        driver = scene.drive("--trials 6 --seconds 10", cluster.address, env=attempts)
        os.kill(nanny_of(scene.await_begun(3).pid), signal.SIGTERM)
        scene.await_begun(3, times=2)
        assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=6)
    assert scene.run.summary()["workers_lost"] == 0


@pytest.mark.faults
def test_a_trial_that_takes_all_memory_fails_and_spares_its_neighbours(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = {"HYN_SEARCH_TRIAL_ATTEMPTS": "2"}
    with fragile_cluster(tmp_path / "dask", 2, "--memory-limit", "1GB") as cluster:
        driver = scene.drive("--trials 8 --seconds 1 --hungry 3", cluster.address, env=attempts)
        assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=8, failed=[3])
    assert "it took more than 1.0 GB of memory" in scene.run.rows()[2]["detail"]
    assert scene.run.summary()["processes_lost"] == 2


@pytest.mark.faults
def test_a_search_whose_workers_all_go_goes_on_with_those_that_come(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "dask", workers=3) as cluster:
        driver = scene.drive("--trials 12 --seconds 2", cluster.address)
        scene.await_told(4)
        cluster.lose_workers()
        scene.await_said("No worker is connected")
        cluster.add_workers(2)
        assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=12)
    assert 1 <= scene.run.summary()["workers_lost"] <= 3  # one may just have been between two


@pytest.mark.faults
def test_the_worker_of_the_embedded_cluster_is_replaced_if_it_dies(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = scene.drive("--trials 12 --seconds 1")
    scene.await_begun(6)
    os.kill(worker_of(scene.executed()[-1].pid), signal.SIGKILL)
    assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=12)
    scene.no_process_left()


@pytest.mark.faults
def test_a_worker_frozen_until_it_was_given_up_changes_nothing_when_it_thaws(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5 seconds"}
    with fragile_cluster(tmp_path / "dask", workers=2, env=patience) as cluster:
        driver = scene.drive("--trials 12 --seconds 3", cluster.address)
        twin = scene.await_begun(3)
        with frozen(worker_of(twin.pid)):
            until(lambda: 3 in scene.trials_told(), "the trial to be told from elsewhere")
            (model,) = [name for name in scene.run.models() if "/00003_" in name]
            committed = scene.run.models()[model]
        until(
            lambda: (
                not lives(twin.pid)
                or (twin.pid, "end") in {(note.pid, note.what) for note in scene.executed()}
            ),
            "the end of the trial's twin",
        )
        assert driver.ended() == 0, driver.said
    scene.check(monkeypatch, trials=12)
    assert scene.run.models()[model] == committed
    assert scene.run.rows()[2]["model"] == model
