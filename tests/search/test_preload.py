"""A worker that is told to preload has a trial host before any run comes."""

from __future__ import annotations

import pathlib

import psutil
import pytest
from distributed import Client

from tests.processes import dask_cluster
from tests.waiting import until


def hosts(pid: int) -> list[psutil.Process]:
    """The trial hosts of the worker with the process id ``pid``."""
    children = psutil.Process(pid).children()
    return [each for each in children if "trial_host" in " ".join(each.cmdline())]


def process_id() -> int:
    """That of the worker that calls this."""
    return psutil.Process().pid


@pytest.mark.processes
def test_only_a_worker_that_is_told_to_has_a_host_early(tmp_path: pathlib.Path) -> None:
    with dask_cluster(tmp_path, workers=0) as cluster:
        cluster.add_worker("warm", options=("--preload", "hyn_k8s.search.preload"))
        cluster.add_worker("cold")
        with Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            workers = client.scheduler_info()["workers"]
            pids = {workers[a]["name"]: pid for a, pid in client.run(process_id).items()}
            until(lambda: hosts(pids["warm"]), "the host", 30)
            assert hosts(pids["cold"]) == []
            (host,) = hosts(pids["warm"])
    until(lambda: not host.is_running(), "the host to end with its worker", 30)
