"""How much memory and processor time a trial takes in its process.

Memory is the peak of the process itself, which has run trials before: Linux forgets the peak of
earlier ones when it is told to. Where that is not allowed the peak is of the process, not of the
trial. Time is that of the process and of those it has started and waited for.
"""

from __future__ import annotations

import contextlib
import pathlib
import resource

_FORGET_PEAK = "5"


class Usage:
    """What is used from now on."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            pathlib.Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
        self._before = _cpu_seconds()

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        return _cpu_seconds() - self._before

    def read_peak(self) -> int | None:
        """The most memory that was resident so far, in bytes; None where nothing says it."""
        with contextlib.suppress(OSError, ValueError):
            for line in pathlib.Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return None


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
