"""Which workers a trial may go to, after the storage has failed on some."""

from __future__ import annotations

import pytest

from hyn_k8s.search import avoidance
from hyn_k8s.search.avoidance import AVOIDED_SECONDS, AvoidedWorkers
from tests.clocks import Clock

WORKERS = ["tcp://a:1", "tcp://b:1", "tcp://c:1"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(avoidance, "monotonic", clock)
    return clock


def test_at_first_any_will_do() -> None:
    assert not AvoidedWorkers()
    assert AvoidedWorkers().others(WORKERS) is None


def test_one_whose_storage_failed_is_avoided_for_a_while(clock: Clock) -> None:
    avoided = AvoidedWorkers()
    avoided.add("tcp://b:1")
    assert avoided.others(WORKERS) == ["tcp://a:1", "tcp://c:1"]
    clock.sleep(AVOIDED_SECONDS + 1)
    assert avoided.others(WORKERS) is None


@pytest.mark.usefixtures("clock")
def test_where_it_fails_everywhere_nobody_is_avoided() -> None:
    avoided = AvoidedWorkers()
    for address in WORKERS:
        avoided.add(address)
    assert avoided.others(WORKERS) is None


@pytest.mark.usefixtures("clock")
def test_one_that_is_gone_keeps_nobody_from_the_rest() -> None:
    avoided = AvoidedWorkers()
    avoided.add("tcp://gone:1")
    assert avoided.others(WORKERS) is None
