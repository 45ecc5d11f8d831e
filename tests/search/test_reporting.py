"""The lines a pipe, a log or a notebook gets of a search, and the thread that writes them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hyn_k8s.search import reporting
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.reporting import LineReporter
from tests.waiting import until

NEVER = 3600.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines come within no time when something changed, and otherwise never."""
    monkeypatch.setattr(reporting, "CHANGED_SECONDS", 0.005)
    monkeypatch.setattr(reporting, "UNCHANGED_SECONDS", NEVER)


@contextlib.contextmanager
def reporting_to(lines: list[str]) -> Iterator[LineReporter]:
    reporter = LineReporter(lines.append)
    try:
        yield reporter
    finally:
        reporter.close()


def progress(search: str = "heart-1/search-1", done: int = 0) -> Progress:
    made = Progress(search, 10, directions=("max",), reward="auc", begun=time.time() - 60)
    return dataclasses.replace(made, succeeded=done)


def told(lines: list[str], done: int, search: str = "heart-1/search-1") -> bool:
    """Whether a line says that ``done`` trials are done."""
    return any(line.startswith(f"{search}: {done}/10 done, ") for line in lines)


@pytest.fixture
def new_threads() -> Callable[[], set[threading.Thread]]:
    """Tells which of the threads alive at the moment began in this test."""
    before = set(threading.enumerate())
    return lambda: set(threading.enumerate()) - before


def test_a_search_begins_with_a_header_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "CHANGED_SECONDS", NEVER)
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        reporter.show(progress())
        assert lines == ["heart-1/search-1: 10 trials"]
        reporter.show(progress(done=1))
        assert len(lines) == 1


def test_the_header_names_the_dashboard() -> None:
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        shown = dataclasses.replace(progress(), dashboard="http://127.0.0.1:8787/status")
        reporter.show(shown)
    assert lines[0] == "heart-1/search-1: 10 trials; dashboard http://127.0.0.1:8787/status"


def test_each_change_gives_a_line_and_no_change_gives_none() -> None:
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        for done in range(1, 6):
            reporter.show(progress(done=done))
            until(functools.partial(told, lines, done), "a line about the change", 30)
    assert [line.partition(" done")[0] for line in lines[1:]] == [
        f"heart-1/search-1: {done}/10" for done in range(1, 6)
    ]


def test_now_and_then_a_line_comes_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "UNCHANGED_SECONDS", 0.01)
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        reporter.show(progress(done=3))
        until(lambda: len(lines) >= 5, "four lines about the same", 30)
    assert all(line.startswith("heart-1/search-1: 3/10 done, ") for line in lines[1:])


def test_nothing_is_written_before_a_search_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "UNCHANGED_SECONDS", 0.0)
    idle: list[str] = []
    busy: list[str] = []
    with reporting_to(idle), reporting_to(busy) as reporter:
        reporter.show(progress())
        until(lambda: len(busy) >= 5, "another reporter's lines", 30)
    assert idle == []


def test_the_end_gives_one_line_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "CHANGED_SECONDS", NEVER)
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        reporter.show(progress())
        reporter.show(progress(done=10).finished())
        assert len(lines) == 2
    assert told(lines[1:], 10)
    assert "left" not in lines[1]
    assert len(lines) == 2, "closing adds none"


def test_an_ended_search_is_not_told_of_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "UNCHANGED_SECONDS", 0.0)
    lines: list[str] = []
    beats: list[str] = []
    with reporting_to(lines) as reporter, reporting_to(beats) as beating:
        reporter.show(progress(done=10).finished())
        beating.show(progress())
        until(lambda: len(beats) >= 5, "another reporter's lines", 30)
    assert [line.partition(",")[0] for line in lines] == [
        "heart-1/search-1: 10 trials",
        "heart-1/search-1: 10/10 done",
    ]


def test_the_next_search_has_a_header_and_lines_of_its_own() -> None:
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        reporter.show(progress(done=10).finished())
        reporter.show(progress("heart-1/search-2"))
        reporter.show(progress("heart-1/search-2", done=1))
        until(lambda: told(lines, 1, "heart-1/search-2"), "a line of the second search", 30)
    assert lines.count("heart-1/search-1: 10 trials") == 1
    assert lines.count("heart-1/search-2: 10 trials") == 1
    assert lines.index("heart-1/search-2: 10 trials") == 2


def test_a_sentence_is_written_as_it_is_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "CHANGED_SECONDS", NEVER)
    lines: list[str] = []
    with reporting_to(lines) as reporter:
        reporter.tell("A worker was lost.")
        assert lines == ["A worker was lost."]


def test_closing_ends_the_thread_at_once_and_with_it_the_lines(
    monkeypatch: pytest.MonkeyPatch, new_threads: Callable[[], set[threading.Thread]]
) -> None:
    monkeypatch.setattr(reporting, "UNCHANGED_SECONDS", 0.0)
    lines: list[str] = []
    reporter = LineReporter(lines.append)
    (thread,) = new_threads()
    assert thread.daemon
    reporter.show(progress())
    until(lambda: len(lines) >= 3, "some lines", 30)
    reporter.close()
    assert not thread.is_alive()
    assert new_threads() == set()
    written = list(lines)
    reporter.close()
    assert lines == written


def test_closing_does_not_wait_for_the_next_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "CHANGED_SECONDS", NEVER)
    reporter = LineReporter(lambda line: None)
    began = time.monotonic()
    reporter.close()
    assert time.monotonic() - began < 30
