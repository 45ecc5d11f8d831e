"""Processes that a trial starts get our fixes of Hypernets, too.

A trial may train with processes of its own: joblib's, or those of ``multiprocessing``. Unless they
are forks, they import Hypernets themselves when they load what they are sent. They inherit the
environment, so ``PYTHONPATH`` leads their Python to ``startup/sitecustomize.py``.
"""

from __future__ import annotations

import os
import pathlib

STARTUP = str(pathlib.Path(__file__).parent / "startup")


def mend_descendants() -> None:
    """From now on, Python processes that this one starts import Hypernets with our fixes."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if STARTUP not in entries:
        os.environ["PYTHONPATH"] = os.pathsep.join([STARTUP, *filter(None, entries)])
