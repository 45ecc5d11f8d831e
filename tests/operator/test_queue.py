"""The queue keeps what it promises; in a real event loop, without waiting for the clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hyn_k8s.operator import queue
from hyn_k8s.operator.queue import WorkQueue

Work = Callable[[str], Awaitable[float | None]]


@contextlib.asynccontextmanager
async def running(work: Work, at_once: int = 8) -> AsyncIterator[WorkQueue[str]]:
    """A queue that works, for as long as the block lasts; which ends in time or fails."""
    async with asyncio.timeout(10):
        found = WorkQueue(work, at_once)
        task = asyncio.create_task(found.run())
        try:
            yield found
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class Bench:
    """Work that notes what it does, and lasts as long as a test wants."""

    def __init__(self, lasts: bool = False) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.may_end = asyncio.Semaphore(0)
        self.lasts = lasts
        self.now: set[str] = set()
        self.most = 0

    async def __call__(self, key: str) -> float | None:
        assert key not in self.now, "one key twice at a time"
        self.now.add(key)
        self.most = max(self.most, len(self.now))
        self.begun.put_nowait(key)
        if self.lasts:
            await self.may_end.acquire()
        self.now.discard(key)
        return None


def test_a_key_that_is_added_is_worked_on() -> None:
    async def main() -> None:
        bench = Bench()
        async with running(bench) as found:
            found.add("a")
            assert await bench.begun.get() == "a"

    asyncio.run(main())


def test_a_key_that_was_added_often_is_worked_on_once() -> None:
    async def main() -> None:
        bench = Bench(lasts=True)
        async with running(bench, at_once=1) as found:
            for key in ("first", "a", "a", "a", "last"):
                found.add(key)
            bench.may_end.release()
            bench.may_end.release()
            assert [await bench.begun.get() for _ in range(3)] == ["first", "a", "last"]

    asyncio.run(main())


def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_afterwards_too() -> None:
    async def main() -> None:
        bench = Bench(lasts=True)
        async with running(bench) as found:
            found.add("a")
            await bench.begun.get()
            found.add("a")
            found.add("b")
            assert await bench.begun.get() == "b"  # others are not kept waiting
            assert bench.begun.empty()
            bench.may_end.release()
            bench.may_end.release()
            assert await bench.begun.get() == "a"

    asyncio.run(main())


def test_as_many_are_worked_on_at_a_time_as_it_was_told() -> None:
    async def main() -> None:
        bench = Bench(lasts=True)
        async with running(bench, at_once=2) as found:
            for key in "abcd":
                found.add(key)
            for _ in range(4):
                await bench.begun.get()
                if len(bench.now) == 2:
                    bench.may_end.release()
            assert bench.most == 2

    asyncio.run(main())


class Timers:
    """The pauses that were asked for, each over at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        later = WorkQueue.add_later

        def add_later(found: WorkQueue[str], key: str, seconds: float) -> None:
            self.pauses.append(seconds)
            later(found, key, 0)

        monkeypatch.setattr(WorkQueue, "add_later", add_later)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers(monkeypatch)


def test_a_key_whose_work_raises_comes_again_later_each_time(timers: Timers) -> None:
    async def main() -> None:
        done = asyncio.Event()
        left = iter(range(12))

        async def work(key: str) -> float | None:
            if next(left, None) is not None:
                raise ValueError("the API server is away")
            done.set()
            return None

        async with running(work) as found:
            found.add("a")
            await done.wait()

    asyncio.run(main())
    assert timers.pauses[:4] == [0.5, 1, 2, 4]
    assert timers.pauses == sorted(timers.pauses)
    assert timers.pauses[-1] == queue.LONGEST_PAUSE_SECONDS


def test_after_a_success_the_pauses_begin_anew(timers: Timers) -> None:
    async def main() -> None:
        done = asyncio.Event()
        results = iter([ValueError(), ValueError(), 7.0, ValueError(), None])

        async def work(key: str) -> float | None:
            result = next(results)
            if isinstance(result, Exception):
                raise result
            if result is None:
                done.set()
            return result

        async with running(work) as found:
            found.add("a")
            await done.wait()

    asyncio.run(main())
    assert timers.pauses == [0.5, 1, 7.0, 0.5]


def test_a_key_that_always_raises_keeps_no_other_one_waiting(timers: Timers) -> None:
    async def main() -> None:
        done = asyncio.Event()
        failures = 0

        async def work(key: str) -> float | None:
            nonlocal failures
            if key == "good":
                done.set()
                return None
            failures += 1
            if failures == 1500:  # a day of them
                found.add("good")
            raise ValueError("no")

        async with running(work, at_once=1) as found:
            found.add("bad")
            await done.wait()

    asyncio.run(main())


def test_a_key_that_wants_to_come_again_does_or_sooner_when_it_is_added() -> None:
    async def main() -> None:
        begun: asyncio.Queue[str] = asyncio.Queue()
        pauses = iter([0.0, 3600.0, None])

        async def work(key: str) -> float | None:
            begun.put_nowait(key)
            return next(pauses)

        async with running(work) as found:
            found.add("a")
            assert [await begun.get() for _ in range(2)] == ["a", "a"]
            await asyncio.sleep(0)
            found.add("a")
            assert await begun.get() == "a"

    asyncio.run(main())
