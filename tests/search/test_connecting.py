"""What is said when a Dask scheduler cannot be reached, above all for want of TLS settings."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import queue
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


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_TIMEOUT_SECONDS", 5.0)


@pytest.fixture(scope="module")
def security() -> Security:
    return Security.temporary()


@contextlib.contextmanager
def scheduler(protocol: str, security: Security | None) -> Iterator[str]:
    """The address of a scheduler that speaks this protocol and no other one."""
    stopping = asyncio.Event()
    found: queue.SimpleQueue[tuple[str, asyncio.AbstractEventLoop]] = queue.SimpleQueue()

    async def serve() -> None:
        made = Scheduler(
            host="127.0.0.1", port=0, protocol=protocol, security=security, dashboard=False
        )
        async with made:
            found.put((made.address, asyncio.get_running_loop()))
            await stopping.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    address, loop = found.get(timeout=30)
    yield address
    loop.call_soon_threadsafe(stopping.set)
    thread.join(10)


@pytest.fixture(scope="module")
def address(security: Security) -> Iterator[str]:
    """A scheduler that uses TLS."""
    with scheduler("tls", security) as found:
        yield found


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """A scheduler that does not."""
    with scheduler("tcp", None) as found:
        yield found


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


def test_an_address_without_encryption_where_it_is_required_is_told(plain: str) -> None:
    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert "distributed.comm.require-encryption" in said(plain)


def test_a_tls_address_of_one_that_does_not_use_it_is_told(plain: str, security: Security) -> None:
    address = plain.replace("tcp://", "tls://")
    assert "its address begins with tcp://" in said(address, security)


def test_a_file_that_is_missing_is_named_with_its_key(address: str, tmp_path: pathlib.Path) -> None:
    missing = str(tmp_path / "ca.pem")
    with dask.config.set({"distributed.comm.tls.ca-file": missing}):
        assert f"there is no {missing}, which is distributed.comm.tls.ca-file" in said(address)


def test_a_key_of_another_certificate_is_told(address: str, security: Security) -> None:
    other = Security.temporary()
    found = {
        "distributed.comm.tls.ca-file": security.tls_ca_file,
        "distributed.comm.tls.client.cert": security.tls_client_cert,
        "distributed.comm.tls.client.key": other.tls_client_key,
    }
    with dask.config.set(found):
        assert "client.key is not the key of client.cert" in said(address)


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_nobody_at_an_address_is_asked_whether_it_is_right(
    protocol: str, security: Security
) -> None:
    address = f"{protocol}://127.0.0.1:{free_port()}"
    given = security if protocol == "tls" else None
    assert "is DASK_SCHEDULER_ADDRESS (--scheduler) right?" in said(address, given)
