"""A search over two client machines, while the server or the driver's machine is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nfs.lab import Lab
from tests.nfs.searches import CONTINUE_LATER, Dask, Driver, read_rows

pytestmark = [pytest.mark.nfs, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def dask(lab: Lab) -> Iterator[Dask]:
    """The scheduler is on the second client, and so is a worker; the other one is on the first."""
    with Dask(lab.clients[1], *lab.clients) as dask:
        yield dask


def assert_whole(rows: list[dict[str, str]], trials: int) -> None:
    assert [int(row["trial"]) for row in rows] == list(range(1, trials + 1))
    assert {row["status"] for row in rows} == {"succeeded"}


def test_a_server_that_is_restarted_delays_a_search(lab: Lab, dask: Dask, root: str) -> None:
    first, second = lab.clients
    with Driver(first, root, "--trials 10", dask.address) as driver:
        driver.await_told(3)
        lab.restart_server()
        assert driver.ended(120) == 0, driver.said
        assert "Traceback" not in driver.said
    rows = read_rows(second, root)
    assert_whole(rows, 10)
    assert len({row["worker"] for row in rows}) == 2, "each client has a worker"


def test_a_machine_that_sleeps_loses_its_run_to_another(lab: Lab, dask: Dask, root: str) -> None:
    first, second = lab.clients
    with Driver(first, root, "--trials 10 --seconds 0.5", dask.address) as asleep:
        asleep.await_told(3)
        first.freeze()
        try:
            with Driver(second, root, "--trials 10 --seconds 0.5", dask.address) as awake:
                awake.await_said("drives it; waiting until it lets go")
                assert awake.ended(150) == 0, awake.said
            before = lab.server.run(
                "sh", "-c", f"cd /export/one; sha256sum $(find {folder(root)} -type f)"
            )
        finally:
            first.thaw()
        assert asleep.ended(90) == CONTINUE_LATER, asleep.said
        assert "has taken it over" in asleep.said
    assert_whole(read_rows(first, root), 10)
    after = lab.server.run("sh", "-c", f"cd /export/one; sha256sum $(find {folder(root)} -type f)")
    assert after == before, "the sleeper wrote under the other one"


def folder(root: str) -> str:
    return root.rpartition("/")[2]
