"""What a worker tells of the trials it has begun: those that last, once each, when it is due."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hyn_k8s.search.announcing import ANNOUNCE_AFTER_SECONDS, announcer
from hyn_k8s.search.trial_messages import topic
from tests.waiting import until

SEARCH: Any = SimpleNamespace(key="run-key", paths=SimpleNamespace(name="search-1"))


class Worker:
    """The part of Dask's that speaks: an event loop in a thread of its own, and events."""

    address = "tcp://node-1:1234"

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.timers = 0
        self.stopping = asyncio.Event()
        self.loop = self
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self._loop.run_until_complete(self.stopping.wait())
        self._loop.close()

    def add_callback(self, call: Any, *args: Any) -> None:
        self._loop.call_soon_threadsafe(call, *args)

    def call_later(self, seconds: float, call: Any) -> None:
        self.timers += 1
        self._loop.call_later(seconds, call)

    def log_event(self, topic: str, message: dict[str, Any]) -> None:
        assert threading.current_thread() is self.thread, "Dask's streams are its loop's"
        self.events.append((topic, message))

    def close(self) -> None:
        self.add_callback(self.stopping.set)
        self.thread.join(10)

    @property
    def started(self) -> list[str]:
        return [message["started"] for _, message in self.events]


def announced(worker: Worker, task: str) -> contextlib.AbstractContextManager[None]:
    """Within, ``worker`` says that ``task`` has begun."""
    return announcer(worker).announced(task, SEARCH)


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def test_one_that_lasts_is_told_once(worker: Worker) -> None:
    with announced(worker, "task-1"):
        assert worker.events == []
        until(lambda: worker.events, "the message", 10)
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > ANNOUNCE_AFTER_SECONDS, "another look's time", 10)
    message = {"started": "task-1", "worker": worker.address, "search": "search-1"}
    assert worker.events == [(topic("run-key"), message)]


def test_those_that_end_at_once_are_not_told_and_share_one_timer(worker: Worker) -> None:
    for number in range(50):
        with announced(worker, f"task-{number}"):
            pass
    with announced(worker, "lasting"):
        until(lambda: worker.events, "the message", 10)
    assert worker.started == ["lasting"]
    assert worker.timers <= 3


def test_each_of_several_is_told_in_its_time(worker: Worker) -> None:
    with announced(worker, "first"):
        half = time.monotonic() + ANNOUNCE_AFTER_SECONDS / 2
        until(lambda: time.monotonic() > half, "half of the time", 10, every=0.01)
        begun = time.monotonic()
        with announced(worker, "second"):
            until(lambda: len(worker.events) == 2, "both messages", 10, every=0.01)
            assert time.monotonic() - begun >= ANNOUNCE_AFTER_SECONDS
    assert worker.started == ["first", "second"]


def test_one_is_told_also_when_there_was_a_pause(worker: Worker) -> None:
    for name in ("first", "second"):
        with announced(worker, name):
            until(lambda name=name: name in worker.started, "the message", 10)  # type: ignore[misc]
        idle = time.monotonic() + 2 * ANNOUNCE_AFTER_SECONDS
        until(lambda idle=idle: time.monotonic() > idle, "a pause", 10)  # type: ignore[misc]
    assert worker.started == ["first", "second"]


def test_two_workers_of_one_process_speak_for_themselves(worker: Worker) -> None:
    other = Worker()
    with announced(worker, "here"), announced(other, "there"):
        until(lambda: worker.events and other.events, "both messages", 10)
    other.close()
    assert (worker.started, other.started) == (["here"], ["there"])
