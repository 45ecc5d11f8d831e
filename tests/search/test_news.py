"""What reaches the driver's thread, from workers, signal handlers and other threads."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import KilledWorker

from hyn_k8s.search.news import AttemptOver, BegunAgain, Lost, News, Note


def long_after() -> float:
    """A time at which a test has failed."""
    return time.monotonic() + 30


def heard(status: str, result: Any, said: bytes | None = None) -> AttemptOver:
    """What is heard of an attempt whose future gives or raises ``result``.

    Its worker has ``said`` what it came to, if anything.
    """

    async def end(asynchronous: bool) -> None:
        if said is not None:
            cluster.ended["search-1"]("a key", said)

    async def gather(future: Any, asynchronous: bool) -> Any:
        assert said is None, "nothing is fetched that was said"
        if isinstance(result, BaseException):
            raise result
        return result

    def call(function: Any, *args: Any) -> None:
        asyncio.run(function(*args))

    news, loop = News("search-1"), SimpleNamespace(add_callback=call)
    cluster: Any = SimpleNamespace(wanted={}, begun_again={}, changed={}, ended={})
    news.listen(cluster)
    attempt: Any = SimpleNamespace(status=status, key="a key", exception=end)
    news.follow(SimpleNamespace(loop=loop, gather=gather), 7, attempt)
    over = news.hear(long_after())
    assert isinstance(over, AttemptOver)
    assert (over.number, over.future) == (7, attempt)
    return over


class TestAttempts:
    def test_a_result_is_heard(self) -> None:
        assert heard("finished", b"an outcome").result == b"an outcome"

    def test_what_its_worker_says_is_not_fetched(self) -> None:
        assert heard("finished", None, said=b"an outcome").result == b"an outcome"

    def test_what_is_said_of_others_is_not_kept(self) -> None:
        cluster: Any = SimpleNamespace(wanted={}, begun_again={}, changed={}, ended={})
        news = News("search-1")
        news.listen(cluster)
        cluster.ended["search-1"]("another key", b"an outcome")
        assert news.hear(time.monotonic()) is None

    def test_what_the_task_raised_is_its_result(self) -> None:
        error = ValueError("no")
        assert heard("error", error).result is error

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            ("error", KilledWorker("a", None, 1)),
            ("lost", ValueError("no")),
            ("cancelled", asyncio.CancelledError()),
        ],
        ids=["killed", "lost", "cancelled"],
    )
    def test_what_the_cluster_did_to_it_is_a_loss(self, status: str, error: Any) -> None:
        assert heard(status, error).result == Lost(error)


class TestWorkers:
    def test_they_are_heard_until_the_search_is_over(self) -> None:
        cluster: Any = SimpleNamespace(wanted={}, begun_again={}, changed={}, ended={})
        news = News("search-1")
        news.listen(cluster)
        cluster.wanted["search-1"]()
        cluster.begun_again["search-1"]("a key", False)
        assert news.hear(long_after()) is Note.CONTEXT_WANTED
        assert news.hear(long_after()) == BegunAgain("a key", False)
        news.ignore(cluster)
        news.ignore(cluster)
        assert (cluster.wanted, cluster.begun_again, cluster.ended) == ({}, {}, {})


class TestOthers:
    def test_another_thread_wakes_it(self) -> None:
        news = News("search-1")
        threading.Thread(target=news.wake).start()
        assert news.hear(long_after()) is Note.WOKEN

    def test_an_interrupt_comes_out_of_it(self) -> None:
        news = News("search-1")
        news.interrupt()
        with pytest.raises(KeyboardInterrupt):
            news.hear(long_after())

    def test_without_any_it_returns_in_time(self) -> None:
        assert News("search-1").hear(time.monotonic() + 0.01) is None

    def test_what_has_come_is_heard_however_late_it_is(self) -> None:
        news = News("search-1")
        news.wake()
        assert news.hear(time.monotonic() - 1) is Note.WOKEN
