"""How long a scheduler or all workers may be away while trials wait for them.

Pods are replaced, batch queues let workers wait for their turn, and nodes come back, so trials
wait: as long as the user says, and never in silence.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hyn_k8s.contract import CLUSTER_PATIENCE
from hyn_k8s.errors import SchedulerError
from hyn_k8s.search.trouble import Trouble


class ClusterWatch:
    """Since when something is away, told to the user once with ``tell``.

    Either may be away for ``patience`` seconds, which may be infinite.
    """

    def __init__(self, patience: float, tell: Callable[[str], None]) -> None:
        self._patience = patience
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
            SchedulerError: it has been away for longer than it may.
        """
        now = time.monotonic()
        if self._no_scheduler_since is None:
            self._no_scheduler_since = now
            sentence = (
                f"The Dask scheduler {address} went away; {trials} trials wait for it"
                f"{self._limit()}, and begin again then"
            )
            self._tell(Trouble(sentence, SchedulerError(address, "it went away")))
        if now - self._no_scheduler_since > self._patience:
            problem = (
                f"it went away while {trials} trials were running, and did not come back within "
                f"{self._patience:g} s ({CLUSTER_PATIENCE.name})"
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
            SchedulerError: it has had none for longer than it may.
        """
        now = time.monotonic()
        if self._no_worker_since is None:
            self._no_worker_since = now
            sentence = f"No worker is connected to {address}; trials wait for one{self._limit()}."
            self._tell(Trouble(sentence, SchedulerError(address, "no worker is connected to it")))
        if now - self._no_worker_since > self._patience:
            waited = f"{self._patience:g} s ({CLUSTER_PATIENCE.name})"
            raise SchedulerError(address, f"no worker was connected to it for {waited}")

    def _limit(self) -> str:
        return "" if math.isinf(self._patience) else f" up to {self._patience:g} s"
