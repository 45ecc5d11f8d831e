"""Hypernets without what hyn-k8s changes about it but to have it import and run.

hyn-k8s makes Hypernets' scans of its history faster, also for Hypernets' own dispatchers. A
comparison has to be with Hypernets as it is; with current libraries it does not even import.
"""

from __future__ import annotations

from hyn_k8s.search import binding
from hyn_k8s.search.compat import HYPERNETS_FIXES, libraries
from hyn_k8s.search.compat.fix import repair_needed


def import_hypernets() -> None:
    """Import it, where nobody has; what hyn-k8s has done before stays."""
    repair_needed(libraries.FIXES)
    binding.import_hypernets()
    repair_needed(HYPERNETS_FIXES)
