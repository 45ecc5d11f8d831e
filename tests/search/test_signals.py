"""Ctrl-C and SIGTERM reach a search between two of its steps, and a second one ends it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from hyn_k8s.contract import ExitCode
from hyn_k8s.search.signals import ending_later, signals_reach, terminated_again_after


class Search:
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def interrupt(self) -> None:
        self.heard.append("interrupt")

    def terminate(self) -> None:
        self.heard.append("terminate")


def send(number: int) -> None:
    """To this very thread, in which the handler runs before this returns."""
    signal.raise_signal(number)


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """A process that has set no handlers, and has none afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    now = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    assert now == [signal.default_int_handler, signal.SIG_DFL]


class TestTheFirstOne:
    def test_ctrl_c_reaches_the_search(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate):
            send(signal.SIGINT)
            assert search.heard == ["interrupt"]

    def test_sigterm_reaches_the_search(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate):
            send(signal.SIGTERM)
            assert search.heard == ["terminate"]

    def test_what_the_search_raises_comes_out(self, search: Search) -> None:
        """With a trial in the main thread there is nobody else to end it."""

        def end_the_trial() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), signals_reach(end_the_trial, search.terminate):
            send(signal.SIGINT)

    def test_sigterm_may_come_after_ctrl_c(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate):
            send(signal.SIGINT)
            send(signal.SIGTERM)
            assert search.heard == ["interrupt", "terminate"]


class TestTheSecondOne:
    def test_ctrl_c_twice_ends_it_at_once(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate):
            send(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                send(signal.SIGINT)
        assert search.heard == ["interrupt"]

    def test_sigterm_twice_ends_it_at_once_as_one_to_be_continued(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate):
            send(signal.SIGTERM)
            with pytest.raises(SystemExit) as caught:
                send(signal.SIGTERM)
        assert caught.value.code == ExitCode.LATER
        assert search.heard == ["terminate"]

    def test_in_the_next_search_it_is_the_first_one_again(self, search: Search) -> None:
        for _ in range(2):
            with signals_reach(search.interrupt, search.terminate):
                send(signal.SIGTERM)
        assert search.heard == ["terminate", "terminate"]


class TestWhoseTheyAre:
    def test_a_scripts_own_handlers_stay(self, search: Search) -> None:
        mine: list[int] = []

        def handle(number: int, frame: FrameType | None) -> None:
            mine.append(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handle)
        with signals_reach(search.interrupt, search.terminate):
            send(signal.SIGINT)
            send(signal.SIGTERM)
        assert (mine, search.heard) == ([signal.SIGINT, signal.SIGTERM], [])
        assert signal.getsignal(signal.SIGTERM) is handle
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def test_another_thread_cannot_take_them(self, search: Search) -> None:
        handlers: list[object] = []

        def run() -> None:
            with signals_reach(search.interrupt, search.terminate):
                handlers.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert handlers == [signal.SIG_DFL]

    def test_they_are_given_back_when_the_search_fails(self, search: Search) -> None:
        with (
            pytest.raises(ValueError, match="failed"),
            signals_reach(search.interrupt, search.terminate),
        ):
            raise ValueError("failed")


class TestEndingLater:
    def test_sigterm_ends_the_process_as_one_to_be_continued(self) -> None:
        with ending_later(), pytest.raises(SystemExit) as caught:
            send(signal.SIGTERM)
        assert caught.value.code == ExitCode.LATER

    def test_a_search_within_takes_it_and_gives_it_back(self, search: Search) -> None:
        with ending_later():
            with signals_reach(search.interrupt, search.terminate):
                send(signal.SIGTERM)
            assert search.heard == ["terminate"]
            with pytest.raises(SystemExit):
                send(signal.SIGTERM)

    def test_it_is_noted_however_it_is_swallowed(self, search: Search) -> None:
        noted: list[str] = []
        with ending_later(), ending_later(lambda: noted.append("told")):
            with contextlib.suppress(BaseException):
                send(signal.SIGTERM)
            assert noted == ["told"]
            with signals_reach(search.interrupt, search.terminate):
                send(signal.SIGTERM)
                with contextlib.suppress(BaseException):
                    send(signal.SIGTERM)
            assert (search.heard, noted) == (["terminate"], ["told", "told"])
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    def test_a_scripts_own_handler_stays(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with ending_later():
            send(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class TestTerminatedAgainAfter:
    def test_a_trial_that_goes_on_for_too_long_is_ended(self, search: Search) -> None:
        with (
            signals_reach(search.interrupt, search.terminate),
            terminated_again_after(0.05) as end_the_trial,
        ):
            send(signal.SIGTERM)
            end_the_trial()
            with pytest.raises(SystemExit):
                threading.Event().wait(30)
        assert search.heard == ["terminate"]

    def test_one_that_ends_in_time_is_not(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate):
            with terminated_again_after(0.05) as end_the_trial:
                end_the_trial()
            timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
            for timer in timers:
                timer.join(5)
        assert search.heard == []

    def test_without_a_signal_nothing_is_ended(self, search: Search) -> None:
        with signals_reach(search.interrupt, search.terminate), terminated_again_after(0.0):
            pass
        assert search.heard == []
