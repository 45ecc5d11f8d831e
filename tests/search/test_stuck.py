"""A thread that waits in the kernel, where no signal reaches it, is told from one that sleeps."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from hyn_k8s.search.stuck import is_in_kernel, stays_in_kernel
from tests.waiting import until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="it is found in /proc"),
]

# The parent of a vfork waits like one of a hard mount: here for a child that opens a FIFO.
WAITING = """
import os, sys
opens = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[opens])
sys.stdin.read()
"""


@pytest.fixture
def fifo(tmp_path: pathlib.Path) -> pathlib.Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@pytest.fixture
def waiting(fifo: pathlib.Path) -> Iterator[int]:
    """A process whose only thread waits in the kernel until somebody writes to the FIFO."""
    command = [sys.executable, "-c", WAITING, str(fifo)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_one_that_is_there_until_it_is_let_go(waiting: int, fifo: pathlib.Path) -> None:
    until(lambda: is_in_kernel(waiting), "it to wait", 20)
    assert stays_in_kernel(waiting, 1.0)
    with fifo.open("w"):
        until(lambda: not is_in_kernel(waiting), "it to come back", 20)
        began = time.monotonic()
        assert not stays_in_kernel(waiting, 60)
        assert time.monotonic() - began < 30


def test_one_that_sleeps_or_is_gone_is_not() -> None:
    gone = threading.Event()
    thread = threading.Thread(target=gone.wait)
    thread.start()
    assert thread.native_id is not None
    assert not is_in_kernel(thread.native_id)
    gone.set()
    thread.join()
    until(lambda: not pathlib.Path(f"/proc/{thread.native_id}").exists(), "its end", 20)
    assert not is_in_kernel(thread.native_id)
    assert not is_in_kernel(threading.get_native_id())
