"""How many workers a search can keep busy: at most as many as trials are left.

More are wanted at once, since each second without them is lost. Fewer are wanted only when fewer
have been needed for a while: another search of the script may follow, and a worker takes longer to
start than to wait. Moments come as arguments; nothing here has a clock.
"""

from __future__ import annotations

SHRINK_AFTER_SECONDS = 30.0
"""For how long fewer must have been needed."""


class Demand:
    """For a script whose searches have ``executors`` trials in flight; all of them at first."""

    def __init__(self, executors: int) -> None:
        self._executors = executors
        self._need = executors
        self._earlier: list[tuple[int, float]] = []
        """Greater needs, and when each was over."""

    def note(self, trials_left: int, now: float) -> None:
        """The current search has so many trials left, those in flight included."""
        before, self._need = self._need, max(1, min(self._executors, trials_left))
        if self._need < before:
            self._earlier.append((before, now))
        self._forget(now)

    def wanted(self, now: float) -> int:
        """How many workers are wanted."""
        self._forget(now)
        return max([self._need, *(need for need, _ in self._earlier)])

    def _forget(self, now: float) -> None:
        self._earlier = [
            (need, over)
            for need, over in self._earlier
            if need > self._need and now - over < SHRINK_AFTER_SECONDS
        ]


def may_go(tasks: dict[str, int], wanted: int) -> tuple[str, ...]:
    """Of the workers, by name with the number of their tasks, those that are idle and too many."""
    idle = sorted(name for name, number in tasks.items() if number == 0)
    return tuple(idle[: max(0, len(tasks) - wanted)])
