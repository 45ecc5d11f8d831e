"""How long a scheduler or all workers may be away while trials wait for them.

Pods are replaced and nodes come back, so trials wait; but not for ever, and never in silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hyn_k8s.errors import SchedulerError
from hyn_k8s.search.trouble import Trouble

NO_WORKER_SECONDS = 300.0
"""How long trials may wait on a cluster without a single worker."""

NO_SCHEDULER_SECONDS = 300.0
"""How long a scheduler that is gone is waited for."""


class ClusterWatch:
    """Since when something is away, told to the user once with ``tell``."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._no_worker_since: float | None = None
        self._no_scheduler_since: float | None = None

    @property
    def is_scheduler_away(self) -> bool:
        """Whether the scheduler is gone, and has not come back."""
        return self._no_scheduler_since is not None

    def miss_scheduler(self, address: str, trials: int) -> None:
        """The scheduler at ``address``, which had ``trials`` trials, is not there.

        Raises:
            SchedulerError: it has not been for NO_SCHEDULER_SECONDS.
        """
        now = time.monotonic()
        if self._no_scheduler_since is None:
            self._no_scheduler_since = now
            sentence = (
                f"The Dask scheduler {address} went away; {trials} trials wait up to "
                f"{NO_SCHEDULER_SECONDS:.0f} s for it, and begin again then"
            )
            self._tell(Trouble(sentence, SchedulerError(address, "it went away")))
        if now - self._no_scheduler_since > NO_SCHEDULER_SECONDS:
            problem = (
                f"it went away while {trials} trials were running, and did not come back within "
                f"{NO_SCHEDULER_SECONDS:.0f} s"
            )
            raise SchedulerError(address, problem)

    def find_scheduler(self) -> None:
        """The scheduler is there again."""
        self._no_scheduler_since = None

    def find_workers(self) -> None:
        """There are workers."""
        self._no_worker_since = None

    def miss_workers(self, address: str) -> None:
        """The scheduler at ``address`` has no worker.

        Raises:
            SchedulerError: it has had none for NO_WORKER_SECONDS.
        """
        now = time.monotonic()
        if self._no_worker_since is None:
            self._no_worker_since = now
            sentence = f"No worker is connected to {address}; trials wait for one."
            self._tell(Trouble(sentence, SchedulerError(address, "no worker is connected to it")))
        if now - self._no_worker_since > NO_WORKER_SECONDS:
            problem = f"no worker was connected to it for {NO_WORKER_SECONDS:.0f} s"
            raise SchedulerError(address, problem)
