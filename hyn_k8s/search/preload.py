"""``dask worker --preload hyn_k8s.search.preload``: a worker starts its trial host as it starts.

The host imports Hypernets, which takes seconds that the first trial would otherwise wait for. A
convenience only: a worker without it starts the host when a run comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyn_k8s.search.joining import runs_of

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Let the trial host of ``worker`` start; nothing waits for it."""
    runs_of(worker).start_host()
