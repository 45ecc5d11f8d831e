"""What a Dask worker tells the log keeper of a trial process: the run, and how a trial was ended.

Only the worker knows why a trial process was killed. What it says is the last line of the log.
"""

from __future__ import annotations

import contextlib
import socket
from multiprocessing.connection import Connection, wait

KEPT_WITHIN_SECONDS = 5.0
"""How long a worker waits until the log of a trial that was killed is on the storage."""


class LogOrders:
    """The worker's end of the socket to a log keeper, which ends when this is closed."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = Connection(orders.detach())

    def join(self, request: bytes) -> None:
        """Let it keep logs in the storage of the run; ``request`` is a pickled JoinRun."""
        with contextlib.suppress(OSError):  # one that is gone keeps no log, and is missed by none
            self._orders.send_bytes(request)

    def end(self, cause: str) -> None:
        """The trial process is dead, or dying: say why in the log of its trial.

        Waits until that is on the storage, so that a next attempt finds it there.
        """
        with contextlib.suppress(OSError):
            self._orders.send_bytes(cause.encode())
            wait([self._orders], KEPT_WITHIN_SECONDS)

    def close(self) -> None:
        """Let the keeper write what it has, and end."""
        self._orders.close()
