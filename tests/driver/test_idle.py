"""Idle workers are named while more are there than are wanted, and only then."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable

import pytest
from distributed import Client

from hyn_k8s.driver.idle import IdleWatch
from hyn_k8s.driver.problems import Veil
from hyn_k8s.driver.reporter import DriverReporter
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.reporting import LineReporter
from tests.processes import DaskCluster
from tests.waiting import last_for, until

pytestmark = pytest.mark.processes


def search(total: int, ordinal: int) -> Progress:
    return Progress(f"it/search-{ordinal}", total, ("max",), "auc", begun=time.time())


def test_a_worker_without_a_task_may_go(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    ahead = 0.0
    lines: list[str] = []
    reporter = DriverReporter(
        LineReporter(lines.append), "/mnt", 3, Veil(None), lambda: time.monotonic() + ahead
    )
    reporter.show(search(2, 1))
    watch = IdleWatch(cluster.address, 3, reporter)
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(3, timeout=60)
        busy = client.submit(
            wait_for(tmp_path / "enough"), workers=["node-1"], allow_other_workers=False
        )
        try:
            last_for(2.5)  # it has looked: all three may still be needed
            assert reporter.progress().idle_workers == ()
            ahead = 31.0
            idle = until(lambda: reporter.progress().idle_workers, "an idle worker", 20)
            assert idle == ("node-2",)
            reporter.show(search(9, 2))
            until(lambda: not reporter.progress().idle_workers, "no idle worker", 20)
        finally:
            (tmp_path / "enough").touch()
            busy.result(timeout=60)
    watch.close()
    reporter.close()


def wait_for(path: pathlib.Path) -> Callable[[], None]:
    """A task that keeps its worker busy until ``path`` is there."""

    def wait() -> None:  # within a function: workers get its code, not its module's name
        while not path.exists():
            time.sleep(0.1)  # only a file reaches a task that has begun

    return wait
