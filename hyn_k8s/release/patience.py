"""Waits for what others do, and does not mind an API server that is away for a moment.

Helm tries no hook a second time: an error that would have passed ends an installation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import stamina

from hyn_k8s.errors import HynError

T = TypeVar("T")


class NotYet(Exception):
    """What is waited for has not come about; the text says what is missing."""


def until(look: Callable[[], T], seconds: float, pause: float) -> T:
    """What ``look`` returns, called with pauses until it raises nothing that may pass.

    Raises:
        NotYet: after so many seconds it is still missing.
        HynError: it cannot pass, or has not in that time.
    """
    again = stamina.RetryingCaller(
        attempts=None, timeout=seconds, wait_initial=pause, wait_max=pause, wait_jitter=0.0
    )
    return again(_may_pass, look)


def _may_pass(error: Exception) -> bool:
    return isinstance(error, NotYet) or (isinstance(error, HynError) and error.retry)
