"""What a trial takes is its own, and not that of the one before in the same process."""

from __future__ import annotations

import mmap
import subprocess
import time

import pytest

from hyn_k8s.search.trial_usage import Usage

BIG = 200_000_000


def touch(size: int) -> None:
    """Have ``size`` bytes in memory for a moment, and give them back."""
    with mmap.mmap(-1, size) as taken:
        taken.write(b"1" * size)


def spend(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_peak_is_forgotten_when_the_next_trial_begins() -> None:
    usage = Usage()
    usage.begin()
    touch(BIG)
    big = usage.peak_memory()
    usage.begin()
    assert usage.peak_memory() < big - BIG / 2
    touch(BIG)
    assert usage.peak_memory() > big - BIG / 2


def test_processor_time_begins_with_the_trial() -> None:
    usage = Usage()
    spend(0.2)
    usage.begin()
    spend(0.1)
    assert 0.1 <= usage.cpu_seconds() < 0.2


@pytest.mark.processes
def test_processes_that_were_waited_for_count() -> None:
    usage = Usage()
    usage.begin()
    program = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run(["python3", "-c", program], check=True)
    assert usage.cpu_seconds() >= 0.3
