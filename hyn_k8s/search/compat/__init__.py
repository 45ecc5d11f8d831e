"""Hypernets 0.3.2 made to work on current libraries, and its traps closed.

Hypernets declares lower bounds only, and was last made to fit scikit-learn 1.5, numpy 1.26 and
pandas 2. ``libraries`` and ``scores`` give back what later releases took away. ``genetics`` and
``learning`` close what hangs or loses trials on any release, and ``history`` replaces what reads
all earlier trials for each new one. Every ``Fix`` says since which release it is needed and looks
whether it is; one that is not needed does nothing, so a library or a Hypernets that mends itself
switches it off.

Fixes of the libraries themselves come before Hypernets is imported, fixes of Hypernets after it.
Drivers and workers both call ``apply``, before anything else of Hypernets is imported there. What
it changes it changes for Hypernets' own dispatchers, too.
"""

from __future__ import annotations

from hyn_k8s.search import binding
from hyn_k8s.search.compat import genetics, history, learning, libraries, scores
from hyn_k8s.search.compat.fix import Fix, repair_needed

__all__ = ["FIXES", "Fix", "apply"]

FIXES = (*libraries.FIXES, *scores.FIXES, *genetics.FIXES, *learning.FIXES)

_applied = False


def apply() -> None:
    """Import Hypernets with every needed fix in place; the second call does nothing."""
    global _applied
    if _applied:
        return
    repair_needed(libraries.FIXES)
    binding.import_hypernets()
    repair_needed((*scores.FIXES, *genetics.FIXES, *learning.FIXES))
    history.install()
    _applied = True
