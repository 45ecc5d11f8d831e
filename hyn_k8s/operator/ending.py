"""Whether and how a search ends: one policy after the other, the first that says so decides.

A driver's Outcome comes first, since a search that has ended has ended, whatever else happened
meanwhile; then the deadlines.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.status import ConditionStatus
from hyn_k8s.contract import DriverExit
from hyn_k8s.documents import Cause, Outcome, Standing
from hyn_k8s.names import DRIVER, REPORT
from hyn_k8s.operator.observation import (
    Observation,
    age,
    condition_of,
    has_ended,
    is_running_script,
    is_true,
    moment,
    outcome_of,
)
from hyn_k8s.operator.retries import has_used_retries_up, is_renewed
from hyn_k8s.operator.waiting import (
    Waiting,
    events_since,
    last_words,
    named_driver,
    refused_pods,
)

REPORT_SECONDS = 180.0
"""How long that may take; then the search ends without counts of its own."""

_REASONS = {
    Cause.SETTINGS: Reason.SETTINGS_REFUSED,
    Cause.WORKER: Reason.SETTINGS_REFUSED,
    Cause.RUN: Reason.RUN_REFUSED,
    Cause.TAKEN: Reason.RETRIES_EXHAUSTED,
    Cause.SCRIPT: Reason.SCRIPT_FAILED,
    Cause.STORAGE: Reason.STORAGE_REFUSED,
    Cause.SCHEDULER: Reason.RETRIES_EXHAUSTED,
    Cause.SEARCH: Reason.SEARCH_FAILED,
}


TRUE = ConditionStatus.TRUE


@dataclass(frozen=True)
class Ending:
    """How a search ends."""

    type: ConditionType
    """COMPLETE or FAILED."""
    reason: Reason
    message: str
    outcome: Outcome | None = None
    """What the driver left."""


def ending_of(seen: Observation) -> Ending | None:
    """How the search ends at this moment, None if it goes on."""
    for policy in (ending_by_outcome, _ending_by_deadline, _ending_by_startup):
        ending = policy(seen)
        if ending is not None:
            return ending
    return None


def has_ended_driver(seen: Observation) -> bool:
    """Whether the driver's Job is over, or about to be, so that no driver comes any more."""
    driver = seen.own(seen.driver)
    return driver is not None and (_has_succeeded(seen, driver) or is_true(driver, "Failed"))


def _has_succeeded(seen: Observation, driver: Manifest) -> bool:
    """Whether the script has ended well: the container says so a second or two before the Job.

    Of one that has failed only the Job knows whether there will be another.
    """
    if is_true(driver, "Complete"):
        return True
    outcome = seen.last_outcome
    return outcome is not None and outcome.exit_code == DriverExit.OK


def ending_by_outcome(seen: Observation) -> Ending | None:
    """No driver comes any more, and what came of it is known, or will never be."""
    driver = seen.own(seen.driver)
    if driver is None or not has_ended_driver(seen) or is_renewed(seen):
        return None
    outcome = final_outcome(seen)
    if outcome is None:
        if not _has_ended_report(seen):
            return None  # a report's Job reads it from the storage
        reports = [each for pod in seen.pods_of(REPORT) if (each := outcome_of(pod)) is not None]
        outcome = reports[-1] if reports else None
    if _has_succeeded(seen, driver):
        message = "the script has ended well"
        if outcome is None:
            message += "; what it came to could not be read, look into the results"
        return Ending(ConditionType.COMPLETE, Reason.SUCCEEDED, message, outcome)
    return _failure(seen, driver, outcome)


def final_outcome(seen: Observation) -> Outcome | None:
    """What the last driver left, if its pod is there.

    Pods of earlier drivers stay, too, and what they left is not the end of it.
    """
    found = [each for pod in seen.pods_of(DRIVER) if (each := outcome_of(pod)) is not None]
    driver = seen.own(seen.driver)
    if driver is not None and _has_succeeded(seen, driver):
        found = [each for each in found if each.exit_code == DriverExit.OK]
    return found[-1] if found else None


def standing_of(seen: Observation, ending: Ending) -> Standing | None:
    """What the outcome says of the trials, unless it is behind what is known.

    The last driver may have been killed without a word. Then the outcome is an earlier one's.
    """
    outcome, search, trials = ending.outcome, seen.status.search, seen.status.trials
    if outcome is None or search is None or trials is None:
        return outcome.standing if outcome else None
    standing = outcome.standing
    known = (search.ordinal, trials.done)
    return standing if (standing.ordinal or 0, standing.trials.done) >= known else None


def _has_ended_report(seen: Observation) -> bool:
    report = seen.own(seen.report)
    if report is None:
        return False
    over = is_true(report, "Complete") or is_true(report, "Failed")
    return over or age(report, seen.at) > REPORT_SECONDS


def _failure(seen: Observation, driver: Manifest, outcome: Outcome | None) -> Ending:
    failed = condition_of(driver, "Failed")
    problem = outcome.problem if outcome and _is_of_last_driver(seen, driver, outcome) else None
    if has_used_retries_up(driver):
        retries = seen.search_job.spec.driver_retries
        last = _last_end(seen, problem.message if problem else None)
        message = f"driverRetries, {retries}, are used up; the last driver: {last}"
        return Ending(ConditionType.FAILED, Reason.RETRIES_EXHAUSTED, message, outcome)
    if problem is None or (outcome and outcome.exit_code in (DriverExit.OK, DriverExit.LATER)):
        said = _last_end(seen, failed.get("message"))
        message = f"the driver failed: {said}"
        return Ending(ConditionType.FAILED, Reason.SCRIPT_FAILED, message, outcome)
    reason = _REASONS[problem.cause]
    said = named_driver(seen, problem) if problem.cause is Cause.STORAGE else problem.message
    return Ending(ConditionType.FAILED, reason, said, outcome)


def _is_of_last_driver(seen: Observation, driver: Manifest, outcome: Outcome) -> bool:
    """Whether the last driver has left it; what the storage has may be from before a retry, or
    from another SearchJob of the same run, and may have ended with the same exit code."""
    last = seen.last_driver
    if last is None:
        return outcome.job == str(driver["metadata"]["uid"])
    return outcome == seen.last_outcome or outcome.pod == str(last["metadata"]["uid"])


def _last_end(seen: Observation, otherwise: str | None) -> str:
    """How the last driver ended: what it said, else how its container did."""
    outcome, last = seen.last_outcome, seen.last_driver
    if outcome is not None and outcome.problem is not None:
        return outcome.problem.message
    words: Waiting | None = last_words(last) if last else None
    return (words and words.message) or otherwise or "it left no word"


def _start(seen: Observation) -> datetime.datetime | None:
    """When the search began, or was resumed; None if that is only now."""
    start = seen.status.start_time
    if start is None or seen.holds(ConditionType.SUSPENDED):
        return None
    return moment(start)


def _ending_by_deadline(seen: Observation) -> Ending | None:
    limit, start = seen.search_job.spec.active_deadline_seconds, _start(seen)
    if limit is None or start is None or (seen.at - start).total_seconds() < limit:
        return None
    message = f"it has taken more than activeDeadlineSeconds, {limit} s"
    return Ending(ConditionType.FAILED, Reason.DEADLINE_EXCEEDED, message)


def _ending_by_startup(seen: Observation) -> Ending | None:
    """The script has not begun for too long; what it waits for is told.

    A search that has begun is not failed for that. Days of it are on the storage, and its driver
    may find no node for an hour; the conditions say what it waits for.
    """
    if seen.status.search is not None:
        return None
    running = seen.condition(ConditionType.DRIVER_RUNNING)
    start, last = _start(seen), seen.last_driver
    if running is None or running.status is ConditionStatus.TRUE or start is None:
        return None
    if running.reason == Reason.RUN_TAKEN:
        return None  # its script has begun, and its search waits for another driver
    # What was written may be old: the operator was away, or the driver began a moment ago.
    if is_running_script(seen.progress) or _pauses(seen, last):
        return None
    tried = last or seen.driver
    made = moment(tried["metadata"]["creationTimestamp"]) if tried else start
    since = max(moment(running.last_transition_time), start, made)
    limit = seen.search_job.spec.startup_timeout_seconds
    if (seen.at - since).total_seconds() < limit:
        return None
    message = f"the script did not begin within startupTimeoutSeconds, {limit} s: {_blame(seen)}"
    return Ending(ConditionType.FAILED, Reason.STARTUP_TIMEOUT, message)


def _pauses(seen: Observation, last: Manifest | None) -> bool:
    """Whether the Job is about to start another driver, which it does later each time."""
    driver = seen.own(seen.driver)
    if driver is None or last is None or not has_ended(last):
        return False
    return refused_pods([driver], events_since(last, seen.events)) is None


def _blame(seen: Observation) -> str:
    """What was waited for: the first condition that says more than that it starts."""
    for type_ in (
        ConditionType.STORAGE_READY,
        ConditionType.CLUSTER_READY,
        ConditionType.DRIVER_RUNNING,
    ):
        condition = seen.condition(type_)
        if condition is None or condition.status is ConditionStatus.TRUE:
            continue
        if condition.reason not in (Reason.STARTING, Reason.NOT_PROVED):
            return condition.message
    cluster = seen.condition(ConditionType.CLUSTER_READY)
    running = seen.condition(ConditionType.DRIVER_RUNNING)
    said = [each.message for each in (cluster, running) if each and each.status is not TRUE]
    return "; ".join(said) or "it waited for its pods"
