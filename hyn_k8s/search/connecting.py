"""Connects to a Dask scheduler, and says in one sentence why that cannot be done.

Dask tells problems of TLS in many ways: a TypeError without certificates, a connection that was
closed with a wrong authority, a timeout where one side speaks TLS and the other does not.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator

from distributed import Client
from distributed.security import Security

from hyn_k8s import contract
from hyn_k8s.errors import SchedulerError

CONNECT_TIMEOUT_SECONDS = 15.0

_TLS = "distributed.comm.tls"


def connect(address: str, security: Security | None) -> Client:
    """A client of the scheduler at ``address``, by Dask's own configuration without ``security``.

    Raises:
        SchedulerError: it does not answer, or not to somebody with this configuration.
    """
    begun = time.monotonic()
    try:
        return Client(
            address, timeout=CONNECT_TIMEOUT_SECONDS, set_as_default=False, security=security
        )
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        waited = time.monotonic() - begun
        raise SchedulerError(address, problem_of(error, address, waited)) from None


def problem_of(error: BaseException, address: str, waited: float) -> str:
    """Why a client could not connect, which ``error`` says after ``waited`` seconds."""
    causes = list(_causes(error))
    text = " ".join(str(each) for each in causes)
    if "ssl_context" in text:
        return (
            f"it speaks TLS, and this process has no certificate; set {_TLS}.ca-file, "
            f"{_TLS}.client.cert and {_TLS}.client.key in Dask's configuration"
        )
    if "encryption required" in text:
        return (
            "Dask's configuration here requires encryption, and this address has none; give a "
            "tls:// address, or set distributed.comm.require-encryption to false"
        )
    if "TLS" in text or any(isinstance(each, ssl.SSLError) for each in causes):
        return (
            f"the certificates of both sides do not match; is {_TLS}.ca-file of Dask's "
            "configuration of the authority that signed the scheduler's, and is the address right?"
        )
    if any(isinstance(each, ConnectionResetError) for each in causes):
        return "it closed the connection; if it speaks TLS, its address begins with tls://"
    return (
        f"no answer within {waited:.0f} s ({type(error).__name__}); "
        f"is it running, and is {contract.SCHEDULER.label} right?"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
