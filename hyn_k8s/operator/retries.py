"""When a driver's retries are counted anew: after progress, and after what passes by itself.

The driver's Job starts another driver ``driverRetries`` times and then fails for good. A search of
weeks meets more than that, a few at a time, and a storage that is away for an hour ends all of them
in a row. So a Job that has used its retries up is replaced by a new one, after a pause, where

- a trial has come to something since the Job was made: the drivers were of use, or
- the last driver said that what ended it may pass, and a search had begun, which it resumes, or
- another driver had the run.

So is a Job whose driver said that it may not use the storage, where a search had begun: the storage
was of use before, so keys have been replaced or a mount has changed, and somebody mends that.

What is left are drivers that end again and again without a word and without a trial: killed for
their memory, say. They fail the search, until somebody suspends it, gives them more, and resumes
it: then everything is counted anew.
"""

from __future__ import annotations

from hyn_k8s.api.schema import Manifest
from hyn_k8s.contract import DriverExit
from hyn_k8s.documents import Cause
from hyn_k8s.names import DONE_ANNOTATION
from hyn_k8s.operator.observation import Observation, condition_of, is_true, moment

PAUSE_SECONDS = 60.0
"""How long after the failure of a Job the next one is made."""


def trials_done(seen: Observation) -> int:
    """How many trials have come to something, as far as is known."""
    return seen.status.trials.done if seen.status.trials else 0


def has_used_retries_up(driver: Manifest | None) -> bool:
    """Whether the driver's Job has failed because its drivers ended too often."""
    failed = condition_of(driver, "Failed")
    return failed.get("status") == "True" and failed.get("reason") == "BackoffLimitExceeded"


def is_renewed(seen: Observation) -> bool:
    """Whether the driver's Job has failed and another one is to take its place."""
    driver = seen.own(seen.driver)
    if driver is None or not is_true(driver, "Failed"):
        return False
    outcome = seen.last_outcome
    cause = outcome.problem.cause if outcome is not None and outcome.problem else None
    passes = outcome is not None and outcome.exit_code == DriverExit.LATER
    if seen.status.search is None:
        return passes and cause is Cause.TAKEN
    if not has_used_retries_up(driver):
        return cause is Cause.STORAGE
    return passes or cause is Cause.STORAGE or trials_done(seen) > _done_before(driver)


def is_due(seen: Observation) -> bool:
    """Whether the pause before that other Job is over."""
    failed = condition_of(seen.driver, "Failed").get("lastTransitionTime")
    return failed is None or (seen.at - moment(failed)).total_seconds() >= PAUSE_SECONDS


def _done_before(driver: Manifest) -> int:
    """How many trials had come to something when the Job was made."""
    said = (driver["metadata"].get("annotations") or {}).get(DONE_ANNOTATION, "")
    return int(said) if said.isdecimal() else 0
