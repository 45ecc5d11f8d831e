"""How much memory and processor time a trial takes in its process.

Memory is the peak of the process itself, which has run trials before: Linux forgets the peak of
earlier ones when it is told to. Where that is not allowed the peak is of the process, not of the
trial. Time is that of the process and of those it has started and waited for.
"""

from __future__ import annotations

import contextlib
import os
import resource

_FORGET_PEAK = b"5"

_NOT_WORTH_IT = 4 * 1024 * 1024
"""How much earlier trials may have had at most, in bytes, for their peak to be let alone."""


class Usage:
    """What trials of this process use, one after the other."""

    def __init__(self) -> None:
        self._before = 0.0
        self._least = 0
        """The peak when it was forgotten last, in bytes."""

    def begin(self) -> None:
        """A trial begins. Where the one before was small this takes microseconds."""
        if self.peak_memory() - self._least > _NOT_WORTH_IT:
            with contextlib.suppress(OSError):
                _forget_peak()
            self._least = self.peak_memory()
        self._before = _cpu_seconds()

    def cpu_seconds(self) -> float:
        """Processor time of the trial so far."""
        return _cpu_seconds() - self._before

    def peak_memory(self) -> int:
        """The most memory that was resident under the trial so far, in bytes."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _forget_peak() -> None:
    fd = os.open("/proc/self/clear_refs", os.O_WRONLY)
    try:
        os.write(fd, _FORGET_PEAK)
    finally:
        os.close(fd)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
