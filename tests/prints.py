"""What a trial may print, and how it may end while it does: by name, one function each."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.searches import TinyEstimator, TinyModel

KEY_NAME = "PRINTED_KEY"
"""The variable that has what ``print_a_key`` prints."""

MEETING = "MEETING"
"""The variable that names a directory in which trials that run at once see each other."""


def print_everywhere() -> None:
    print("by print")
    print("by print to stderr", file=sys.stderr)
    logging.getLogger("mine").warning("by logging")
    os.write(1, b"by a library in C\n")


def print_in_c() -> None:
    """By C's own buffered stream, which nobody flushes."""
    ctypes.CDLL(None).printf(b"by printf\n")


def close_stdout() -> None:
    print("before it is closed")
    sys.stdout.close()


def replace_stdout() -> None:
    sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def exit_once() -> None:
    """Its first attempt prints, and ends its process; the next one prints nothing."""
    once = pathlib.Path(os.environ[MEETING], "exited")
    if not once.exists():
        once.touch()
        print_and_exit()
    once.unlink()


def print_in_processes() -> None:
    child = os.fork()
    if child == 0:
        os.write(1, b"in a fork\n")
        os._exit(0)
    os.waitpid(child, 0)
    subprocess.run(["echo", "in a program"], check=True)


def print_in_joblibs() -> None:
    """joblib keeps its processes for the next trial."""
    import joblib

    joblib.Parallel(n_jobs=2)(joblib.delayed(os.system)("echo by joblib") for _ in range(2))


def print_and_die() -> None:
    print("before the end")
    os.kill(os.getpid(), signal.SIGKILL)


def print_and_exit() -> None:
    print("before the exit", end="", flush=True)
    os._exit(3)


def print_and_hold() -> None:
    """In C, for longer than any test lasts, and nothing else of the process runs meanwhile."""
    print(f"while it runs: {os.getpid()}")
    ctypes.PyDLL(None).sleep(3600)


def print_and_take_memory() -> None:
    print("before it takes all")
    taken = b"1" * 1_500_000_000
    time.sleep(3600)
    assert taken


def print_much() -> None:
    print("the first line")
    for number in range(5_000):
        print(f"{number:07}" + "x" * 1_000)
    print("the last line")


def print_a_key() -> None:
    """At once, and in two writes of which the second one comes later."""
    key = os.environ[KEY_NAME]
    print(f"at once: {key}")
    os.write(1, f"in two: {key[:5]}".encode())
    time.sleep(0.2)
    os.write(1, f"{key[5:]}.\n".encode())


def print_beside_another() -> None:
    """Each line once another trial has come as far, so both print at once."""
    met = pathlib.Path(os.environ[MEETING])
    for number in range(100):
        print(f"process {os.getpid()} line {number}")
        (met / f"{number}-{os.getpid()}").touch()
        deadline = time.monotonic() + 100
        while len(list(met.glob(f"{number}-*"))) < 2:
            assert time.monotonic() < deadline, "no trial runs beside this one"
            time.sleep(0.001)


def kill_its_log_keeper() -> None:
    """The other process that reads the pipe to which this one prints; then print more into it."""
    pipe = os.readlink("/proc/self/fd/1")
    for each in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(each.name) not in (os.getpid(), os.getppid()) and pipe in map(
                os.readlink, (each / "fd").iterdir()
            ):
                os.kill(int(each.name), signal.SIGKILL)
                for _ in range(3000):
                    print("x" * 1000)
                return
    raise AssertionError(f"nobody else has {pipe}")


def take_a_little() -> None:
    """200 MB more than a trial has, and some processor time, without a word."""
    taken = bytearray(b"1") * 200_000_000
    until = time.process_time() + 0.3
    while time.process_time() < until:
        sum(taken[:100_000])


PRINTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        print_everywhere,
        print_in_c,
        close_stdout,
        replace_stdout,
        exit_once,
        print_in_processes,
        print_in_joblibs,
        print_and_die,
        print_and_exit,
        print_and_hold,
        print_and_take_memory,
        print_much,
        print_a_key,
        print_beside_another,
        kill_its_log_keeper,
        take_a_little,
    )
}


class PrintingEstimator(TinyEstimator):
    """Its ``kind`` is the name of what it does while it trains."""

    def fit(self, X: Any, y: Any, **kwargs: Any) -> PrintingEstimator:
        if self.kind in PRINTS:
            PRINTS[self.kind]()
        super().fit(X, y)
        return self


class PrintingModel(TinyModel):
    def _get_estimator(self, space_sample: Any) -> PrintingEstimator:
        return PrintingEstimator(space_sample)
