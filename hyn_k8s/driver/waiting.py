"""Waits, with one deadline, until Dask's scheduler answers and a first worker is there.

While a cluster starts it is normal that the scheduler's name is not known yet and that nobody
listens: each is tried again, and said, so that a user sees what is waited for. Whether the worker
fits the run is found out later, by the search.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from hyn_k8s.documents import Cause, Problem, Stage
from hyn_k8s.errors import SchedulerError, WorkerError

Say = Callable[[Stage, Problem], None]
"""Hears what is waited for now."""

LOOK_SECONDS = 0.25
"""How long a look at something absent is followed by the next one."""

CONNECT_SECONDS = 5.0
"""How long one try to connect may take."""


def await_cluster(address: str, seconds: float, say: Say) -> None:
    """Return when the scheduler at ``address`` has a worker.

    Raises:
        SchedulerError: it did not answer within ``seconds``.
        WorkerError: it did, and had no worker by then.
    """
    deadline = time.monotonic() + seconds
    while True:
        _await_scheduler(address, seconds, deadline, say)
        if _await_worker(address, seconds, deadline, say):
            return


def _await_scheduler(address: str, seconds: float, deadline: float, say: Say) -> None:
    problem = None
    while True:
        found = _unreachable(address)
        if found is None:
            return
        if found != problem:
            problem = found
            say(Stage.SCHEDULER, Problem(Cause.SCHEDULER, f"no Dask scheduler yet at {problem}"))
        if time.monotonic() >= deadline:
            raise SchedulerError(address, f"no answer within {seconds:.0f} s: {problem}")
        time.sleep(LOOK_SECONDS)  # nobody tells when somebody begins to listen


def _unreachable(address: str) -> str | None:
    """Why nobody can be reached at ``address``, None if somebody can."""
    parts = urlsplit(address)
    host, port = parts.hostname, parts.port
    if host is None or port is None:
        return None  # Dask knows other kinds of addresses, and is about to try
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except socket.gaierror as error:
        return f"{host}: its name is not known ({error.strerror})"
    except TimeoutError:
        return f"{host}:{port}: no answer within {CONNECT_SECONDS:.0f} s"
    except OSError as error:
        return f"{host}:{port}: {error.strerror or error}"
    return None


def _await_worker(address: str, seconds: float, deadline: float, say: Say) -> bool:
    """Whether a worker is there; False if the scheduler is not there any more."""
    from distributed import Client

    from hyn_k8s.search.cluster import close_client

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        # Somebody listens there, and does not speak as a scheduler does.
        what = f"{address} listens, and does not answer as a scheduler ({type(error).__name__})"
        say(Stage.SCHEDULER, Problem(Cause.SCHEDULER, what))
        if time.monotonic() >= deadline:
            raise SchedulerError(address, f"no answer within {seconds:.0f} s: {what}") from None
        time.sleep(LOOK_SECONDS)  # nor when it begins to answer
        return False
    try:
        waits = f"no worker is connected to {address} yet"
        say(Stage.WORKER, Problem(Cause.WORKER, waits))
        while client.status == "running":
            left = deadline - time.monotonic()
            if left <= 0:
                problem = f"none was connected within {seconds:.0f} s"
                raise WorkerError(f"of {address}", problem, lasting=False)
            with contextlib.suppress(TimeoutError, OSError):  # the next look finds out
                client.wait_for_workers(1, timeout=min(left, CONNECT_SECONDS))
                return True
        return False
    finally:
        close_client(client)
