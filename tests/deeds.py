"""What a trial may do to the process it runs in, and to itself: by name, one function each.

Each one trains as some user's estimator does: with signals, processes, threads or an event loop of
its own, or with a library that ends the interpreter.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.searches import TinyEstimator, TinyModel


def use_an_alarm() -> None:
    """A time limit of the user's own, which never comes to pass."""

    def too_late(*_: Any) -> None:
        raise TimeoutError("training takes too long")

    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(60)


def forget_an_alarm() -> None:
    """One that would go off under the next trial, and end its process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(1)


def use_an_event_loop() -> None:
    async def answer() -> int:
        await asyncio.sleep(0.01)
        return 42

    assert asyncio.run(answer()) == 42


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def use_spawned_processes() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]


def use_forked_processes() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]


def use_joblib() -> None:
    import joblib

    found = joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(number) for number in (-1, -2))
    assert found == [1, 2]


def start_a_program() -> None:
    assert (
        subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True).returncode == 0
    )


def leave_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()


def change_directory() -> None:
    os.chdir("/")
    os.environ["LEFT_BY_A_TRIAL"] = "1"


def close_streams() -> None:
    for fd in (0, 1, 2):
        os.close(fd)


def raise_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


def exit_at_once() -> None:
    os._exit(3)


def crash() -> None:
    ctypes.string_at(0)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_its_group() -> None:
    os.killpg(0, signal.SIGTERM)


LEFT = "4321.5"
"""How long a program sleeps that a trial leaves in a session of its own, as it stands there."""


def start_a_session_and_never_end() -> None:
    subprocess.Popen(["sleep", LEFT], start_new_session=True)
    time.sleep(3600)


def hold_the_interpreter() -> None:
    """In C, for longer than any trial may run."""
    ctypes.PyDLL(None).sleep(3600)


def use_memory() -> None:
    """600 MB, for a moment."""
    assert np.ones(75_000_000).sum() == 75_000_000


def take_memory() -> None:
    """More than a gigabyte."""
    table = np.ones(150_000_000)
    time.sleep(3600)
    assert table[0]


def let_a_process_take_memory() -> None:
    program = "import time; x = b'1' * 1_200_000_000; time.sleep(3600)"
    subprocess.run([sys.executable, "-c", program])


DEEDS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        use_an_alarm,
        forget_an_alarm,
        use_an_event_loop,
        fork,
        use_spawned_processes,
        use_forked_processes,
        use_joblib,
        start_a_program,
        leave_a_thread,
        change_directory,
        close_streams,
        raise_keyboard_interrupt,
        exit_at_once,
        crash,
        kill_itself,
        kill_its_group,
        start_a_session_and_never_end,
        hold_the_interpreter,
        use_memory,
        take_memory,
        let_a_process_take_memory,
    )
}


class DoingEstimator(TinyEstimator):
    """Its ``kind`` is the name of what it does while it trains."""

    def fit(self, X: Any, y: Any, **kwargs: Any) -> DoingEstimator:
        if self.kind in DEEDS:
            DEEDS[self.kind]()
        super().fit(X, y)
        return self


class DoingModel(TinyModel):
    def _get_estimator(self, space_sample: Any) -> DoingEstimator:
        return DoingEstimator(space_sample)


class SpoilingEstimator(TinyEstimator):
    """Its reward is the sum of its data, and then it spoils them."""

    def fit(self, X: Any, y: Any, **kwargs: Any) -> SpoilingEstimator:
        super().fit(X, y)
        self.x = float(X.sum())
        X[:] = -1.0
        return self


class SpoilingModel(TinyModel):
    def _get_estimator(self, space_sample: Any) -> SpoilingEstimator:
        return SpoilingEstimator(space_sample)
