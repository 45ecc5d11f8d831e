"""Which search an event is about, and whether the operator works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import kopf
import pytest

from hyn_k8s.errors import ClusterError
from hyn_k8s.operator import handlers
from hyn_k8s.operator.handlers import Operator, register, search_of_child, search_of_itself
from hyn_k8s.operator.reconcile import Look
from tests.operator.fake_kube import FakeKube
from tests.operator.life import Life
from tests.operator.objects import NAME, NAMESPACE, SETTINGS, pod, search_job
from tests.operator.test_plan import begin


def changed(type_: str | None = "MODIFIED", generation: int = 2, seen: int = 2, **more: Any) -> Any:
    manifest = search_job()
    manifest["metadata"] |= {"generation": generation} | more
    manifest["status"] = {"observedGeneration": seen}
    return {"type": type_, "object": manifest}


class TestEventsOfSearchJobs:
    @pytest.mark.parametrize("type_", [None, "ADDED", "DELETED"])
    def test_one_that_is_new_or_gone_or_there_at_the_start(self, type_: str | None) -> None:
        assert search_of_itself(changed(type_)) == "s"

    def test_one_whose_spec_has_changed(self) -> None:
        assert search_of_itself(changed(generation=3)) == "s"

    def test_one_that_is_told_to_go(self) -> None:
        assert search_of_itself(changed(deletionTimestamp="2026-11-28T12:00:00Z")) == "s"

    def test_what_the_operator_wrote_itself_is_no_news(self) -> None:
        assert search_of_itself(changed()) is None


def test_events_of_children_are_their_searchs() -> None:
    assert search_of_child({"type": "MODIFIED", "object": pod("worker")}) == "s"
    assert search_of_child({"type": "MODIFIED", "object": {"metadata": {}}}) is None


def test_kopf_is_given_nothing_that_would_write_to_an_object() -> None:
    registry = kopf.OperatorRegistry()
    register(registry, Operator(FakeKube(), SETTINGS))
    assert not list(registry._changing.get_all_handlers())
    assert not list(registry._spawning.get_all_handlers())
    assert len(list(registry._watching.get_all_handlers())) == 5


class TestWhatWasSeenOfASettledSearch:
    """It is kept for the next look, and no longer than nothing is heard."""

    @pytest.fixture
    def life(self) -> Life:
        return begin(Life())

    @staticmethod
    async def looks(life: Life, between: Callable[[Operator], None]) -> list[str]:
        """The verbs of the second look of two."""
        operator = Operator(life.kube, life.settings)
        await operator._reconcile((NAMESPACE, NAME))
        between(operator)
        life.kube.calls.clear()
        await operator._reconcile((NAMESPACE, NAME))
        return [verb for verb, _ in life.kube.calls]

    def test_it_is_used_once_nothing_was_heard(self, life: Life) -> None:
        assert asyncio.run(self.looks(life, lambda operator: None)) == ["read_progress"]

    def test_it_is_forgotten_when_something_was(self, life: Life) -> None:
        verbs = asyncio.run(self.looks(life, lambda operator: operator.hear((NAMESPACE, NAME))))
        assert "get" in verbs

    def test_it_is_not_kept_when_something_was_heard_meanwhile(
        self, life: Life, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator = Operator(life.kube, life.settings)
        look = life.look()

        def reconcile(*given: Any, **more: Any) -> Look:
            operator.hear((NAMESPACE, NAME))
            return look

        monkeypatch.setattr(handlers, "reconcile", reconcile)

        async def main() -> None:
            await operator._reconcile((NAMESPACE, NAME))

        asyncio.run(main())
        assert look.settled is not None
        assert operator._settled == {}


class TestRounds:
    def test_every_search_is_looked_at(self) -> None:
        async def main() -> list[Any]:
            kube = FakeKube()
            for namespace in ("a", "b"):
                kube.apply(search_job(namespace=namespace))
            operator = Operator(kube, SETTINGS)
            await operator._round()
            return sorted(operator.queue._queued)

        assert asyncio.run(main()) == [("a", "s"), ("b", "s")]

    def test_it_is_well_while_rounds_are_completed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        operator = Operator(FakeKube(), SETTINGS)
        assert operator.check_health() == "0 s ago"
        monkeypatch.setattr(handlers, "HUNG_SECONDS", -1.0)
        with pytest.raises(RuntimeError, match="the last round over all searches"):
            operator.check_health()

    def test_it_is_not_well_while_searches_wait_for_a_look(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def main() -> None:
            operator = Operator(FakeKube(), SETTINGS)
            operator.queue.add((NAMESPACE, NAME))
            operator.check_health()
            monkeypatch.setattr(operator.queue, "longest_wait", lambda: 1000.0)
            with pytest.raises(RuntimeError, match="a search has been waiting for 1000 s"):
                operator.check_health()

        asyncio.run(main())

    def test_a_round_that_fails_does_not_count_and_is_not_the_last(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(handlers, "RESYNC_SECONDS", 0.0)
        kube = FakeKube()
        kube.failures["list"] += [ClusterError("list", "searchjobs", None, "no answer")]

        async def main() -> bool:
            async with asyncio.timeout(10):
                operator = Operator(kube, SETTINGS)
                began = operator._last_round
                rounds = asyncio.create_task(operator._resync())
                while operator._last_round == began:
                    await asyncio.sleep(0)
                rounds.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await rounds
            return len([verb for verb, what in kube.calls if "searchjobs" in what]) >= 2

        assert asyncio.run(main())
