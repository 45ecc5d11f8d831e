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
from typing import Any

from hyn_k8s.contract import ExitCode

_Handler = Callable[[int, FrameType | None], None]


class Terminated(SystemExit):
    """SIGTERM has ended what ran; a script that exits with the same code is no such thing."""

    def __init__(self) -> None:
        super().__init__(ExitCode.LATER)


@contextlib.contextmanager
def signals_reach(interrupt: Callable[[], None], terminate: Callable[[], None]) -> Iterator[None]:
    """Within, Ctrl-C calls ``interrupt`` and SIGTERM calls ``terminate``, the first time."""
    by_default = signal.default_int_handler
    before = signal.getsignal(signal.SIGTERM)
    interrupted = _first(interrupt, by_default)
    terminated = _first(terminate, before if isinstance(before, _EndsAtOnce) else _EndsAtOnce())
    with (
        _replaced(signal.SIGINT, lambda found: found is by_default, interrupted),
        _replaced(signal.SIGTERM, _ends, terminated),
    ):
        yield


@contextlib.contextmanager
def ending_later(note: Callable[[], None] | None = None) -> Iterator[None]:
    """Within, SIGTERM ends the process at once, with the code that says: continue later.

    By default it would be killed without letting go of its run. ``note`` hears of it first: a bare
    ``except`` of a script, or of a library, may swallow what is raised.
    """
    with _replaced(signal.SIGTERM, _ends, _EndsAtOnce(note)):
        yield


@contextlib.contextmanager
def _replaced(
    number: int, is_replaceable: Callable[[Any], bool], handler: _Handler
) -> Iterator[None]:
    """Within, ``handler`` takes the signal, if what does so now is replaceable."""
    before = signal.getsignal(number)
    if threading.current_thread() is not threading.main_thread() or not is_replaceable(before):
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _first(call: Callable[[], None], later: _Handler) -> _Handler:
    """A handler that takes one signal with ``call`` and leaves those that follow to ``later``."""

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, later)
        call()

    return handle


class _EndsAtOnce:
    """The handler that ends whatever runs."""

    def __init__(self, note: Callable[[], None] | None = None) -> None:
        self._note = note

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self._note is not None:
            self._note()
        raise Terminated


def _ends(handler: Any) -> bool:
    """Whether it is Python's handler of SIGTERM, or one of ours in its stead."""
    return handler is signal.SIG_DFL or isinstance(handler, _EndsAtOnce)


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
