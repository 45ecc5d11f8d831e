"""How much memory a trial may take, on machines of every size."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
from distributed import Client
from distributed.system import MEMORY_LIMIT

from hyn_k8s.search import trial_memory
from hyn_k8s.search.settings import LEAST_MEMORY
from hyn_k8s.search.trial_memory import machines_share, read_taken, workers_share
from tests.deeds import DoingModel
from tests.processes import QUIET, dask_cluster, start
from tests.searches import ListSearcher, sample
from tests.sessions import rows_of, search, session_on

GB = 1_000_000_000

TASK = {"task": "binary", "reward_metric": "auc"}


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_memory, "MEMORY_LIMIT", 16 * GB)


class TestMachinesShare:
    @pytest.mark.parametrize(("trials", "share"), [(1, 16 * GB), (3, 16 * GB // 3), (16, GB)])
    def test_it_depends_on_the_trials_and_on_nothing_else(self, trials: int, share: int) -> None:
        assert machines_share(trials) == share

    def test_hypernets_itself_always_fits(self) -> None:
        assert machines_share(10_000) == LEAST_MEMORY


class TestWorkersShare:
    @pytest.mark.parametrize("cores", [2, 16, 64])
    def test_a_limit_that_dask_made_up_is_none(self, cores: int) -> None:
        assert workers_share(int(16 * GB / cores), threads=1, cores=cores) is None

    def test_a_limit_that_somebody_gave_is_shared_by_the_threads(self) -> None:
        assert workers_share(4 * GB, threads=2, cores=16) == 2 * GB

    @pytest.mark.parametrize("limit", [None, 0])
    def test_without_a_limit_there_is_none(self, limit: int | None) -> None:
        assert workers_share(limit, threads=1, cores=2) is None


WORKER = """
import sys
import dask.system
dask.system.CPU_COUNT = int(sys.argv.pop(1))
from distributed.cli.dask_worker import main
main()
"""


@pytest.mark.processes
@pytest.mark.parametrize("cores", [2, 16, 64])
def test_on_a_machine_of_any_size_a_trial_may_take_what_dask_gives_no_worker(
    tmp_path: pathlib.Path, cores: int
) -> None:
    """With 64 cores, Dask lets a worker of one thread have a 64th of the machine's memory."""
    with dask_cluster(tmp_path, workers=0) as cluster:
        command = [sys.executable, "-P", "-c", WORKER, str(cores), cluster.address, "--no-nanny"]
        command += ["--nthreads", "1", "--name", "node", "--no-dashboard", "--host", "127.0.0.1"]
        cluster.workers["node"] = start(command, tmp_path, QUIET, tmp_path / "node.log")
        with Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            (worker,) = client.scheduler_info()["workers"].values()
        assert worker["memory_limit"] == pytest.approx(MEMORY_LIMIT / cores, rel=0.01)
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            samples = [sample(0.1, kind="use_memory"), sample(0.2)]
            search(DoingModel(ListSearcher(samples), **TASK), max_trials=2)
            large, small = rows_of(session)
    assert (large["status"], small["status"]) == ("succeeded", "succeeded")
    assert float(large["memory_mb"]) > 600 > float(small["memory_mb"])


@pytest.mark.processes
def test_what_a_process_takes_is_its_own_memory_and_that_of_those_it_has_started() -> None:
    child = "import time; x = b'1' * 200_000_000; print('', flush=True); time.sleep(60)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = read_taken(process.pid)
        process.kill()
    assert 200_000_000 < taken < 300_000_000


def test_a_process_that_is_gone_takes_nothing() -> None:
    assert read_taken(2**22 + 1) == 0
