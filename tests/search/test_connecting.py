"""What is said when a Dask scheduler cannot be reached, above all for want of TLS settings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import dask.config
import pytest
from distributed import Scheduler
from distributed.security import Security

from hyn_k8s.errors import SchedulerError
from hyn_k8s.search import connecting
from hyn_k8s.search.connecting import connect
from tests.processes import free_port
from tests.waiting import until


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_TIMEOUT_SECONDS", 5.0)


@pytest.fixture(scope="module")
def security() -> Security:
    return Security.temporary()


@pytest.fixture(scope="module")
def address(security: Security) -> Iterator[str]:
    """A scheduler that speaks TLS only."""
    found: list[str] = []
    stopping: list[asyncio.Event] = []

    async def serve() -> None:
        stopping.append(asyncio.Event())
        scheduler = Scheduler(
            host="127.0.0.1", port=0, protocol="tls", security=security, dashboard=False
        )
        async with scheduler:
            found.append(scheduler.address)
            loops.append(asyncio.get_running_loop())
            await stopping[0].wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    until(lambda: loops, "the scheduler", 30)
    yield found[0]
    loops[0].call_soon_threadsafe(stopping[0].set)
    thread.join(10)


def said(address: str, security: Security | None = None) -> str:
    """The sentence of a client that cannot connect."""
    with pytest.raises(SchedulerError) as caught:
        connect(address, security)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_with_its_keys_a_client_connects(address: str, security: Security) -> None:
    with connect(address, security) as client:
        assert client.status == "running"


def test_without_certificates_the_settings_are_named(address: str) -> None:
    assert "distributed.comm.tls.client.cert" in said(address)


def test_another_authority_is_told(address: str) -> None:
    assert "certificates of both sides do not match" in said(address, Security.temporary())


def test_a_plain_address_of_one_that_speaks_tls_is_told(address: str) -> None:
    assert "begins with tls://" in said(address.replace("tls://", "tcp://"))


def test_an_address_without_encryption_where_it_is_required_is_told(address: str) -> None:
    plain = address.replace("tls://", "tcp://")
    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert "distributed.comm.require-encryption" in said(plain)


def test_nobody_at_an_address_is_asked_whether_it_is_right() -> None:
    assert "is DASK_SCHEDULER_ADDRESS (--scheduler) right?" in said(
        f"tcp://127.0.0.1:{free_port()}"
    )
