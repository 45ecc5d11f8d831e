"""The progress bar of ``hyn-k8s run``: what its two lines say, and what a terminal shows of it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from rich.console import Console

from hyn_k8s.cli.bar import BAR_WIDTH, BarReporter, render
from hyn_k8s.search.progress import Best, Progress
from tests.waiting import until

DASHBOARD = "http://127.0.0.1:8787/status"
BEGUN = 1000.0
SOME = Progress(
    "heart-1/search-1",
    total=10,
    directions=("max",),
    reward="auc",
    begun=BEGUN,
    succeeded=4,
    failed=1,
    running=2,
    best=Best(2, (0.9,)),
    dashboard=DASHBOARD,
)


def drawn(progress: Progress, now: float, color: bool = False) -> str:
    """What a wide terminal is sent for ``progress``."""
    screen = io.StringIO()
    console = Console(
        file=screen, force_terminal=True, width=120, color_system="standard" if color else None
    )
    console.print(render(progress, now))
    return screen.getvalue()


def lines(progress: Progress, now: float) -> list[str]:
    """The lines of ``progress`` without the bar itself, single blanks between words."""
    return [" ".join(line.replace("━", "").split()) for line in drawn(progress, now).splitlines()]


def test_while_trials_run() -> None:
    assert lines(SOME, BEGUN + 10) == [
        "heart-1/search-1 5/10 30.0 trials/min 10 s left",
        f"2 running · best auc 0.9 (trial 2) · 1 failed · {DASHBOARD}",
    ]


def test_before_the_first_trial_is_done_it_tells_how_long_it_has_run() -> None:
    fresh = dataclasses.replace(SOME, succeeded=0, failed=0, best=None)
    assert lines(fresh, BEGUN + 75) == [
        "heart-1/search-1 0/10 1 min 15 s",
        f"2 running · best – · {DASHBOARD}",
    ]


def test_an_ended_search_tells_how_long_it_took_and_links_nowhere() -> None:
    ended = dataclasses.replace(SOME, succeeded=9, running=0, ended=BEGUN + 10)
    assert lines(ended, BEGUN + 5000) == [
        "heart-1/search-1 10/10 10 s 1.0 trials/s",
        "0 running · best auc 0.9 (trial 2) · 1 failed",
    ]


def test_a_search_that_ended_without_a_trial() -> None:
    ended = dataclasses.replace(SOME, succeeded=0, failed=0, running=0, best=None, ended=BEGUN + 3)
    assert lines(ended, BEGUN + 5000) == ["heart-1/search-1 0/10 3 s", "0 running · best –"]


@pytest.mark.parametrize("word", ["failed", "http"])
def test_what_is_not_there_takes_no_room(word: str) -> None:
    assert word in drawn(SOME, BEGUN + 10)
    assert word not in drawn(dataclasses.replace(SOME, failed=0, dashboard=None), BEGUN + 10)


@pytest.mark.parametrize(("done", "share"), [(0, 0.0), (5, 0.5), (10, 1.0), (12, 1.0)])
def test_the_bar_is_as_long_as_the_share_of_trials_done(done: int, share: float) -> None:
    progress = dataclasses.replace(SOME, succeeded=done, failed=0)
    assert drawn(progress, BEGUN + 10).count("━") == BAR_WIDTH * share


def test_a_search_of_no_trials_can_be_drawn() -> None:
    empty = Progress("heart-1/search-1", 0, directions=("max",), reward="auc", begun=BEGUN)
    assert lines(empty, BEGUN) == ["heart-1/search-1 0/0 0 s", "0 running · best –"]


def test_the_dashboard_is_a_link_and_failures_are_red() -> None:
    sent = drawn(SOME, BEGUN + 10, color=True)
    assert f";{DASHBOARD}\x1b\\" in sent, "an OSC 8 hyperlink"
    red = sent.partition("1 failed")[0].rpartition("\x1b[")[2]
    assert red.startswith("31m")


def test_it_is_two_lines_that_fit_a_usual_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    shown = console.render_lines(render(SOME, BEGUN + 10))
    assert len(shown) == 2


def test_time_goes_on_between_trials() -> None:
    now = time.time()
    running = dataclasses.replace(SOME, begun=now - 10)
    assert "10 s left" in drawn(running, now)
    assert "20 s left" in drawn(running, now + 10)


class Terminal(io.StringIO):
    """A terminal that understands what the bar sends: text, colours, links, moves, erasures."""

    SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b\]8;.*?\x1b\\\\|([\r\n])|([^\x1b\r\n]+)")

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, single blanks between words, without the bar itself."""
        rows: list[str] = [""]
        row = column = 0
        for number, command, move, text in self.SEQUENCE.findall(self.getvalue()):
            if text:
                rows[row] = (
                    rows[row][:column].ljust(column) + text + rows[row][column + len(text) :]
                )
                column += len(text)
            elif move == "\n":
                row, column = row + 1, 0  # a terminal's driver adds the carriage return
                rows += [""] * (row + 1 - len(rows))
            elif move == "\r":
                column = 0
            elif command == "A":
                row = max(0, row - int(number or 1))
            elif command == "K":
                assert number == "2", "the whole line is erased"
                rows[row] = ""
            else:
                assert command in ("", "m", "h", "l"), f"not understood: {command}"
        shown = (" ".join(re.sub("[━╸╺]", "", each).split()) for each in rows)
        return [line for line in shown if line]

    @property
    def has_cursor(self) -> bool:
        """Whether the cursor is visible."""
        return self.getvalue().rpartition("\x1b[?25")[2][:1] in ("", "h")


@contextlib.contextmanager
def reporting_to(terminal: Terminal) -> Iterator[BarReporter]:
    """A reporter while ``terminal`` is standard error; closed at the end."""
    with contextlib.redirect_stderr(terminal):
        reporter = BarReporter()
        try:
            yield reporter
        finally:
            reporter.close()
            assert sys.stderr is terminal, "what the bar put in its place is gone"


def search(ordinal: int, done: int) -> Progress:
    """A search of four trials, ten seconds after it began; it has ended when all are done."""
    begun = time.time() - 10
    return Progress(
        f"heart-1/search-{ordinal}",
        total=4,
        directions=("max",),
        reward="auc",
        begun=begun,
        succeeded=done,
        best=Best(1, (0.9,)) if done else None,
        ended=begun + 10 if done == 4 else None,
    )


def ended_lines(ordinal: int) -> list[str]:
    """What stands of such a search at its end."""
    return [
        f"heart-1/search-{ordinal} 4/4 10 s 24.0 trials/min",
        "0 running · best auc 0.9 (trial 1)",
    ]


class TestBarReporter:
    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Terminal:
        """A terminal as wide as any line here needs it."""
        for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "120")
        return Terminal()

    def test_the_bar_is_drawn_as_soon_as_the_search_is_shown(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            reporter.show(search(1, done=0))
            until(lambda: len(terminal.lines) == 2, "the bar", 30)
            first, second = terminal.lines
            assert first.startswith("heart-1/search-1 0/4 1")
            assert second == "0 running · best –"
            assert not terminal.has_cursor

    def test_it_is_drawn_anew_while_the_search_runs(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            reporter.show(search(1, done=0))
            reporter.show(search(1, done=2))
            until(lambda: " 2/4 " in terminal.getvalue(), "the bar of two trials", 30)

    def test_the_last_state_of_an_ended_search_stays(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            for done in range(5):
                reporter.show(search(1, done))
            assert terminal.lines == ended_lines(1)
            assert terminal.has_cursor
            reporter.close()
        assert terminal.lines == ended_lines(1)

    def test_two_searches_in_turn_stand_one_below_the_other(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            for ordinal in (1, 2):
                for done in (0, 2, 4):
                    reporter.show(search(ordinal, done))
        assert terminal.lines == ended_lines(1) + ended_lines(2)

    def test_a_search_that_broke_off_stands_above_the_next(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            reporter.show(search(1, done=2))
            reporter.show(search(2, done=4))
        assert terminal.lines[0].startswith("heart-1/search-1 2/4 ")
        assert terminal.lines[2:] == ended_lines(2)

    def test_a_sentence_stands_above_the_bar(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            reporter.show(search(1, done=2))
            reporter.tell("A worker [red] was lost.")
            reporter.show(search(1, done=4))
            reporter.tell("Interrupted.")
        assert terminal.lines == ["A worker [red] was lost.", *ended_lines(1), "Interrupted."]

    def test_what_the_script_prints_stands_above_the_bar(self, terminal: Terminal) -> None:
        with reporting_to(terminal) as reporter:
            reporter.show(search(1, done=2))
            print("a line of the script", file=sys.stderr)
            reporter.show(search(1, done=4))
        assert terminal.lines == ["a line of the script", *ended_lines(1)]

    def test_closing_while_trials_run_leaves_the_bar_the_cursor_and_no_thread(
        self, terminal: Terminal
    ) -> None:
        before = set(threading.enumerate())
        with reporting_to(terminal) as reporter:
            reporter.show(search(1, done=2))
        assert terminal.has_cursor
        assert terminal.lines[0].startswith("heart-1/search-1 2/4 ")
        assert len(terminal.lines) == 2
        until(lambda: set(threading.enumerate()) <= before, "the end of the bar's thread", 30)

    def test_closing_before_any_search_writes_nothing(self, terminal: Terminal) -> None:
        with reporting_to(terminal):
            pass
        assert terminal.getvalue() == ""
