"""Connects to a Dask scheduler, and says in one sentence why that cannot be done.

Dask tells problems of TLS in many ways: a TypeError without certificates, a connection that was
closed with a wrong authority, a timeout where one side speaks TLS and the other does not.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator

import dask.config
from distributed import Client
from distributed.security import Security

from hyn_k8s import contract
from hyn_k8s.errors import SchedulerError

CONNECT_TIMEOUT_SECONDS = 15.0

_TLS = "distributed.comm.tls"

_NO_CERTIFICATE = (
    f"it uses TLS, and this process has no certificate; set {_TLS}.ca-file, {_TLS}.client.cert and "
    f"{_TLS}.client.key in Dask's configuration"
)

_NO_ENCRYPTION = (
    "Dask's configuration here requires encryption, and this address has none; give a tls:// "
    "address, or set distributed.comm.require-encryption to false"
)

_OTHER_AUTHORITY = (
    f"the certificates of both sides do not match; has the authority in {_TLS}.ca-file of Dask's "
    "configuration signed the scheduler's, and the scheduler's authority this one's?"
)


def connect(address: str, security: Security | None) -> Client:
    """A client of the scheduler at ``address``, by Dask's own configuration without ``security``.

    Raises:
        SchedulerError: it does not answer, or not to somebody with this configuration.
    """
    if security is None and not dask.config.get("distributed.client.security-loader"):
        _check_configuration(address)
    begun = time.monotonic()
    try:
        return Client(
            address, timeout=CONNECT_TIMEOUT_SECONDS, set_as_default=False, security=security
        )
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        waited = time.monotonic() - begun
        raise SchedulerError(address, problem_of(error, waited)) from None


def _check_configuration(address: str) -> None:
    """Load what Dask's configuration says of TLS; a client that fails by it leaves threads behind.

    Raises:
        SchedulerError: a file is not there, or is none of certificates and keys.
    """
    for name in ("ca-file", "client.cert", "client.key"):
        file = dask.config.get(f"{_TLS}.{name}", None)
        if file and "\n" not in file and not os.path.exists(file):
            raise SchedulerError(address, f"there is no {file}, which is {_TLS}.{name} here")
    try:
        found = Security().get_connection_args("client")
    except (OSError, ValueError) as error:
        problem = f"Dask's configuration ({_TLS}) cannot be used: {_line(error)}"
        raise SchedulerError(address, problem) from None
    if address.startswith("tls://") and found.get("ssl_context") is None:
        raise SchedulerError(address, _NO_CERTIFICATE)
    if not address.startswith("tls://") and found.get("require_encryption"):
        raise SchedulerError(address, _NO_ENCRYPTION)


def problem_of(error: BaseException, waited: float) -> str:
    """Why a client could not connect, which ``error`` says after ``waited`` seconds."""
    causes = list(_causes(error))
    reasons = {each.reason for each in causes if isinstance(each, ssl.SSLError)}
    # A scheduler that speaks first, and not TLS, may be heard before or after TLS begins.
    plain = any("cannot convert to SSL" in str(each) for each in causes)
    if plain or reasons & {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return "it does not use TLS; its address begins with tcp://"
    if reasons or any("TLS certificate" in str(each) for each in causes):
        return _OTHER_AUTHORITY
    if any(isinstance(each, ConnectionResetError) for each in causes):
        return "it closed the connection; if it uses TLS, its address begins with tls://"
    return (
        f"no answer within {waited:.0f} s ({type(error).__name__}); "
        f"is it running, and is {contract.SCHEDULER.label} right?"
    )


def _line(error: BaseException) -> str:
    """What a file that cannot be used is called, and why."""
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "client.key is not the key of client.cert"
    return str(error).partition("\n")[0]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
