"""Which search is looked at next: a queue of keys, in one event loop.

What it promises: a key that is added is worked on afterwards, at least once, however often it was
added meanwhile; one key is never worked on twice at a time; a key whose work raises comes again,
each time later, and keeps no other one waiting; one that asks to come again after some seconds
does, or sooner when it is added.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
"""Within so long what keeps a search waiting is told, even if the API server refuses something."""


class WorkQueue(Generic[Key]):
    """Keys for ``work``, of which ``at_once`` are worked on at a time.

    ``work`` returns after how many seconds the key wants to come again, None if it does not.
    """

    def __init__(self, work: Callable[[Key], Awaitable[float | None]], at_once: int = 8) -> None:
        self._work = work
        self.at_once = at_once
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: dict[Key, float] = {}
        """Since when, by the monotonic clock."""
        self._busy: set[Key] = set()
        self._added_meanwhile: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._pauses: dict[Key, float] = {}
        """Of keys whose work has raised: how long until the next time."""

    def add(self, key: Key) -> None:
        """Have ``key`` worked on as soon as may be."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._busy:
            self._added_meanwhile.add(key)
        elif key not in self._queued:
            self._queued[key] = time.monotonic()
            self._ready.put_nowait(key)

    def add_later(self, key: Key, seconds: float) -> None:
        """Have ``key`` worked on after some seconds, unless it is added before."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def longest_wait(self) -> float:
        """For how many seconds the first key in line has been there; 0 without one."""
        return time.monotonic() - min(self._queued.values(), default=time.monotonic())

    async def run(self) -> None:
        """Work on keys until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self.at_once):
                    tasks.create_task(self._work_on_keys())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _work_on_keys(self) -> None:
        while True:
            key = await self._ready.get()
            self._queued.pop(key, None)
            self._busy.add(key)
            again_in = await self._work_on(key)
            self._busy.discard(key)
            if key in self._added_meanwhile:
                self._added_meanwhile.discard(key)
                self.add(key)
            elif again_in is not None:
                self.add_later(key, again_in)

    async def _work_on(self, key: Key) -> float | None:
        """Work on ``key`` once; after how many seconds again."""
        try:
            again_in: float | None = await self._work(key)
        except Exception as error:
            pause = self._pauses.get(key, FIRST_PAUSE_SECONDS)
            self._pauses[key] = min(2 * pause, LONGEST_PAUSE_SECONDS)
            logger.warning("%s: %s; again in %.1f s", key, error, pause)
            logger.debug("The traceback", exc_info=error)
            return pause
        self._pauses.pop(key, None)
        return again_in
