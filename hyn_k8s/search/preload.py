"""``dask worker --preload hyn_k8s.search.preload``: a worker imports Hypernets as it starts.

It takes seconds, which would otherwise be the first trial's to wait for; while a cluster starts,
the driver imports as well. A convenience only: a worker without it imports when a run comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyn_k8s.search import compat

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: Worker) -> None:
    """Import Hypernets with its fixes, before ``worker`` says that it is there."""
    compat.apply()
