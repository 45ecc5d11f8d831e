"""What a driver's run has come to: the exit code, and the problem if it is no success.

Whether another driver should go on is the one question here. It should after SIGTERM, and after
whatever passes by itself (a storage or scheduler that was away, another driver that holds the
run); everything that the next driver would run into as well ends the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hyn_k8s.contract import DriverExit
from hyn_k8s.documents import Cause, Problem
from hyn_k8s.driver.problems import problem_of, script_problem
from hyn_k8s.errors import HynError
from hyn_k8s.search.signals import Terminated


@dataclass(frozen=True)
class Ending:
    """How a driver ends."""

    exit_code: int
    """Of ``DriverExit``."""
    problem: Problem | None = None


TERMINATED = Ending(
    DriverExit.LATER,
    Problem(Cause.RUN, "the driver was told to end (SIGTERM); the next one goes on where it was"),
)

_INTERRUPTED = Ending(
    DriverExit.LATER,
    Problem(Cause.RUN, "the driver was interrupted (SIGINT); the next one goes on where it was"),
)


def of_error(error: HynError) -> Ending:
    """The end of a run whose script did not begin."""
    return Ending(DriverExit.LATER if error.retry else DriverExit.FAILED, problem_of(error))


def of_defect(error: Exception) -> Ending:
    """The end by an error that nobody has foreseen."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return Ending(DriverExit.FAILED, Problem(Cause.SCRIPT, f"the driver failed: {what}"))


def of_script(
    script: str, exit_code: int, raised: BaseException | None, errors: Sequence[HynError]
) -> Ending:
    """The end of a run whose script, known to Python as ``script``, is over.

    ``exit_code`` is the script's own, ``raised`` what it ended with if not by coming to its end,
    and ``errors`` are ours, which it may have heard of or not.
    """
    if isinstance(raised, Terminated):
        return TERMINATED
    passing = [error for error in errors if error.retry]
    if passing:
        return of_error(passing[-1])
    if isinstance(raised, KeyboardInterrupt):
        return _INTERRUPTED
    if errors:
        # The script may have stumbled over what one of these left behind, so they go first.
        return Ending(DriverExit.FAILED, problem_of(errors[-1]))
    if raised is None or exit_code == 0:
        return Ending(DriverExit.OK)
    return Ending(DriverExit.FAILED, script_problem(raised, script, exit_code))
