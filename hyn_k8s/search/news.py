"""How news of a search's trials reaches the driver's thread: through a queue, so nothing polls.

It comes from the client's event loop, where attempts end and workers speak, and from signal
handlers and other threads that want the driver to look up.

What an attempt came to is mostly said by its worker itself, in the stream of messages that tells
of the task's end anyway, and just before that. To fetch it as Dask does, when the task has ended,
would have the client ask the scheduler, which asks the worker: for a trial of milliseconds that is
as long again. The task's end is waited for all the same: a scheduler that has not heard of it
takes the worker to be busy, and might give the next trial to one that is.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import queue
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from distributed import Future, KilledWorker

from hyn_k8s.search.cluster import Cluster


class AttemptOver(NamedTuple):
    """An attempt at a trial has ended."""

    number: int
    future: Future
    result: Any
    """The trial's pickled outcome, the error it raised, or Lost."""


@dataclass(frozen=True)
class Lost:
    """An attempt came to nothing because of its worker or the connection."""

    error: BaseException


@dataclass(frozen=True)
class BegunAgain:
    """A task was begun by a second worker: a foreign scheduler forgives some losses by itself."""

    key: str
    left: bool
    """Whether the first worker was asked to leave."""


class Note(enum.Enum):
    """What may be heard beside what becomes of attempts."""

    INTERRUPTED = enum.auto()
    WOKEN = enum.auto()
    CONTEXT_WANTED = enum.auto()
    WORKERS_CHANGED = enum.auto()


Heard = AttemptOver | BegunAgain | Note


class News:
    """What is heard of the search ``search``, one piece after the other."""

    def __init__(self, search: str) -> None:
        self._search = search
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._said: dict[str, bytes | None] = {}
        """By the key of its task: of an attempt that has not ended, the outcome if it was said."""

    def listen(self, cluster: Cluster) -> None:
        """From now on hear what the workers of ``cluster`` say."""
        cluster.wanted[self._search] = functools.partial(self._heard.put, Note.CONTEXT_WANTED)
        cluster.begun_again[self._search] = self._hear_again
        cluster.ended[self._search] = self._hear_end
        cluster.changed[self._search] = functools.partial(self._heard.put, Note.WORKERS_CHANGED)

    def ignore(self, cluster: Cluster) -> None:
        """The search is over: hear nothing more from ``cluster``."""
        cluster.wanted.pop(self._search, None)
        cluster.begun_again.pop(self._search, None)
        cluster.ended.pop(self._search, None)
        cluster.changed.pop(self._search, None)

    def follow(self, client: Any, number: int, future: Future) -> None:
        """Hear what the attempt ``future`` at the trial ``number`` comes to."""
        self._said[future.key] = None
        client.loop.add_callback(self._deliver, client, number, future)

    def wake(self) -> None:
        """From any thread: let ``hear`` return."""
        self._heard.put(Note.WOKEN)

    def interrupt(self) -> None:
        """In a signal handler: let ``hear`` raise KeyboardInterrupt."""
        self._heard.put(Note.INTERRUPTED)

    def is_waiting(self) -> bool:
        """Whether ``hear`` has something to return at once."""
        return not self._heard.empty()

    def hear(self, until: float) -> Heard | None:
        """What comes next; None if nothing does ``until`` that time on the monotonic clock.

        Raises:
            KeyboardInterrupt: ``interrupt`` was called.
        """
        try:
            heard = self._heard.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None
        if heard is Note.INTERRUPTED:
            raise KeyboardInterrupt
        return heard

    def _hear_again(self, key: str, left: bool) -> None:
        self._heard.put(BegunAgain(key, left))

    def _hear_end(self, key: str, outcome: bytes) -> None:
        if key in self._said:
            self._said[key] = outcome

    async def _deliver(self, client: Any, number: int, future: Future) -> None:
        """Runs in the client's event loop: wait for one attempt and hand over what it came to."""
        try:
            await future.exception(asynchronous=True)  # it has ended, in one way or another
            result: Any = self._said[future.key]
            if result is None:
                result = await client.gather(future, asynchronous=True)
        except (Exception, asyncio.CancelledError) as error:
            # A future whose task failed says so; anything else was done to it by the cluster.
            failed = future.status == "error" and not isinstance(error, KilledWorker)
            result = error if failed else Lost(error)
        del self._said[future.key]
        self._heard.put(AttemptOver(number, future, result))
