"""Finds the workers that have nothing to do while more are there than are wanted.

Only then is the scheduler asked, every few seconds, in a thread and by a client of its own: the
search has no part in it. A trial that is submitted to an idle worker after it was named runs
again elsewhere if the worker goes: a worker that leaves says so, and no attempt is counted.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from hyn_k8s.driver.demand import may_go
from hyn_k8s.driver.reporter import DriverReporter

if TYPE_CHECKING:
    from distributed import Client

LOOK_SECONDS = 2.0

CONNECT_SECONDS = 5.0


class IdleWatch:
    """Tells ``reporter`` of idle workers of the scheduler at ``address``, until it is closed.

    Where as many workers are wanted as there can be, ``most``, nobody is asked.
    """

    def __init__(self, address: str, most: int, reporter: DriverReporter) -> None:
        self._address = address
        self._most = most
        self._reporter = reporter
        self._client: Client | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="idle workers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()
        self._thread.join(2 * CONNECT_SECONDS)

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            wanted = self._reporter.workers_wanted()
            idle: tuple[str, ...] = ()
            if wanted < self._most:
                with contextlib.suppress(Exception):  # the scheduler may be away: nobody may go
                    idle = may_go(self._tasks(), wanted)
            else:
                self._disconnect()
            self._reporter.note_idle(idle)
        self._reporter.note_idle(())
        self._disconnect()

    def _tasks(self) -> dict[str, int]:
        """How many tasks each worker has, by its name."""
        from distributed import Client

        if self._client is None or self._client.status != "running":
            self._disconnect()
            self._client = Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        workers = self._client.scheduler_info()["workers"]
        processing = self._client.processing()
        return {
            str(worker["name"]): len(processing.get(address, ()))
            for address, worker in workers.items()
            if address in processing
        }

    def _disconnect(self) -> None:
        from hyn_k8s.search.cluster import close_client

        client, self._client = self._client, None
        if client is not None:
            close_client(client)
