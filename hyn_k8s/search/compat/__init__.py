"""Hypernets 0.3.2 made to work on current libraries, and its traps closed.

Hypernets declares lower bounds only, and was last made to fit scikit-learn 1.5, numpy 1.26 and
pandas 2. ``libraries``, ``tables`` and ``scores`` mend what later releases took away or changed;
``spaces``, ``genetics`` and ``learning`` what hangs, loses trials or goes by chance anywhere. Every
``Fix`` says since which release it is needed and looks whether it is; one that is not needed does
nothing, so a library or a Hypernets that mends itself switches it off. ``history``, which gives
the same answers in less time, is always put in place.

Fixes of the libraries themselves come before Hypernets is imported, fixes of Hypernets after it.
Drivers and workers both call ``apply``, before anything else of Hypernets is imported there. What
it changes it changes for Hypernets' own dispatchers, too.
"""

from __future__ import annotations

import threading

from hyn_k8s.search import binding
from hyn_k8s.search.compat import genetics, history, learning, libraries, scores, spaces, tables
from hyn_k8s.search.compat.fix import Fix, repair_needed
from hyn_k8s.search.descendants import mend_descendants

__all__ = ["FIXES", "Fix", "apply"]

HYPERNETS_FIXES = (
    *tables.FIXES,
    *scores.FIXES,
    *spaces.FIXES,
    *genetics.FIXES,
    *learning.FIXES,
)
FIXES = (*libraries.FIXES, *HYPERNETS_FIXES)

_begun = False
_lock = threading.RLock()


def apply() -> None:
    """Import Hypernets with every needed fix in place; the second call does nothing.

    Python processes that this one starts do the same when they import Hypernets.
    """
    global _begun
    with _lock:
        if _begun:
            return
        _begun = True
        mend_descendants()
        repair_needed(libraries.FIXES)
        binding.import_hypernets()
        repair_needed(HYPERNETS_FIXES)
        history.install()
