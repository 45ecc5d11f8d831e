"""How a search takes Ctrl-C and SIGTERM: between two of its steps, not in the middle of one.

Python raises KeyboardInterrupt wherever the main thread happens to be: in the middle of a tell, or
in a destructor, which swallows it. SIGTERM, which by default kills the process at once, is how a
cluster says that a pod has to go: running trials may then end within a period of grace. A second
signal of either kind ends the search at once. Only the main thread can take signals, and a script
with a handler of its own keeps it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from hyn_k8s.contract import ExitCode


@contextlib.contextmanager
def signals_reach(interrupt: Callable[[], None], terminate: Callable[[], None]) -> Iterator[None]:
    """Within, Ctrl-C calls ``interrupt`` and SIGTERM calls ``terminate``, the first time."""
    with contextlib.ExitStack() as handlers:
        if threading.current_thread() is threading.main_thread():
            for number, first, replaceable in (
                (signal.SIGINT, interrupt, {signal.default_int_handler}),
                (signal.SIGTERM, terminate, {signal.SIG_DFL, _end_at_once}),
            ):
                if signal.getsignal(number) in replaceable:
                    handlers.enter_context(_handled(number, first))
        yield


@contextlib.contextmanager
def ending_later() -> Iterator[None]:
    """Within, SIGTERM ends the process at once, with the code that says: continue later.

    By default it would be killed without letting go of its run.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end_at_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def _handled(number: int, first: Callable[[], None]) -> Iterator[None]:
    before = signal.getsignal(number)

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(number, _end_at_once if number == signal.SIGTERM else before)
        first()

    signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(ExitCode.LATER)


@contextlib.contextmanager
def terminated_again_after(seconds: float) -> Iterator[Callable[[], None]]:
    """Gives what starts a timer that sends SIGTERM to this process; leaving the block stops it.

    A trial that runs in the main thread can be ended by nothing else.
    """
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGTERM))
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()
