"""Trials that run when their driver dies are the next driver's: they are not run again."""

from __future__ import annotations

import collections
import pathlib
import time

import pytest
from distributed import Client

from hyn_k8s.paths import RunPaths
from hyn_k8s.search.events import Asked
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.past import read_past
from hyn_k8s.search.settings import Settings
from tests.faults.clusters import FragileCluster, fragile_cluster, worker_of
from tests.faults.drivers import Scene, killed
from tests.faults.marks import first_in_a_bucket, first_on_a_directory
from tests.waiting import until

pytestmark = pytest.mark.processes

LONG = "--trials 6 --seconds 6"
"""Its trials take 2 to 6 s."""


def times_begun(scene: Scene) -> dict[int, int]:
    """How often each trial began to train."""
    return collections.Counter(note.trial for note in scene.executed() if note.what == "begin")


def trained(scene: Scene) -> int:
    """How many executions came to their end."""
    return sum(note.what == "end" for note in scene.executed())


def await_journaled(scene: Scene, trial: int) -> None:
    """Wait until the next driver would know that ``trial`` was begun."""
    storage = open_storage(Settings.from_env(scene.place.env_here, "/").storage)
    paths = RunPaths(scene.run.name).search(1)

    def asked() -> bool:
        events = read_past(storage, paths).events
        return any(isinstance(event, Asked) and event.number == trial for event in events)

    scene.await_begun(trial)
    until(asked, f"trial {trial} in the journal")


def once(trials: int) -> dict[int, int]:
    """Each of so many trials, begun once."""
    return dict.fromkeys(range(1, trials + 1), 1)


@first_in_a_bucket
def test_those_that_still_run_are_waited_for(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.drive(LONG, fragile.address)
    scene.await_told(1)
    await_journaled(scene, 3)
    first.kill()
    following = scene.drive(LONG, fragile.address)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=6)
    assert times_begun(scene) == once(6)
    assert not [path for path in scene.run.files() if "/outcomes/" in path]


@first_on_a_directory
def test_those_that_ended_meanwhile_are_taken_as_they_are(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = "--run it --executors 2"
    first = scene.drive(LONG, fragile.address, flags=flags)
    await_journaled(scene, 2)
    first.kill()
    until(lambda: trained(scene) == 2, "the end of both trials", 60)
    following = scene.drive(LONG, fragile.address, flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=6)
    assert times_begun(scene) == once(6)


@pytest.mark.faults
def test_one_is_stopped_when_its_time_is_over_whoever_began_it(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, flags = "--trials 6 --endless 2", "--run it --executors 2 --trial-timeout 30"
    first = scene.drive(script, fragile.address, flags=flags)
    await_journaled(scene, 2)
    begun = scene.await_begun(2)
    first.kill()
    until(lambda: time.time() > begun.at + 15, "half of its time", 20)
    following = scene.drive(script, fragile.address, flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=6, failed=[2])
    assert times_begun(scene)[2] == 1
    told = next(note for note in scene.told() if note.tells and note.trial == 2)
    assert told.at - begun.at < 30 + 12, "its time began anew"


@pytest.mark.faults
def test_one_whose_worker_dies_meanwhile_is_run_again(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = "--run it --executors 2"
    first = scene.drive(LONG, fragile.address, flags=flags)
    await_journaled(scene, 2)
    lost = scene.await_begun(2)
    first.kill()
    killed(worker_of(lost.pid))
    following = scene.drive(LONG, fragile.address, flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=6)
    assert times_begun(scene) == {**once(6), 2: 2}


@first_on_a_directory
def test_one_whose_worker_dies_while_it_is_waited_for_is_run_again(
    scene: Scene, fragile: FragileCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = "--run it --executors 2"
    first = scene.drive("--trials 6 --seconds 150", fragile.address, flags=flags)
    await_journaled(scene, 2)
    lost = scene.await_begun(2)
    first.kill()
    following = scene.drive("--trials 6", fragile.address, flags=flags)
    with Client(fragile.address, set_as_default=False) as client:
        until(lambda: any(client.processing().values()), "the trials to be submitted", 60)
        killed(worker_of(lost.pid))
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=6)
    assert times_begun(scene)[2] == 2


@pytest.mark.faults
def test_on_a_worker_with_threads_to_spare_it_is_waited_for_too(
    scene: Scene, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile_cluster(tmp_path / "cluster", 1, "--nthreads", "4") as cluster:
        first = scene.drive(LONG, cluster.address, flags="--run it --executors 1")
        await_journaled(scene, 1)
        first.kill()
        following = scene.drive(LONG, cluster.address, flags="--run it --executors 1")
        assert following.ended() == 0, following.said
        scene.check(monkeypatch, trials=6)
        assert times_begun(scene) == once(6)
