"""Whether and how a search ends, as a table of what was seen."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hyn_k8s.api.conditions import ConditionType, Reason
from hyn_k8s.documents import Cause, Stage
from hyn_k8s.operator.ending import Ending, ending_of
from tests.operator.objects import (
    ago,
    condition,
    ended_pod,
    event,
    job,
    outcome,
    pod,
    progress,
    seen,
)

COMPLETE = job(ended="Complete")
REFUSED = job(ended="Failed", reason="PodFailurePolicy")
USED_UP = job(ended="Failed", reason="BackoffLimitExceeded")


BEGUN = {
    "search": {"ordinal": 1, "name": "search-1"},
    "trials": {
        **{"total": 10, "done": 7, "succeeded": 7},
        **{"failed": 0, "pruned": 0, "skipped": 0, "running": 0},
    },
}
"""The status of a search of which seven trials have come to something."""


def made_at(done: int) -> Any:
    """A Job whose retries are used up, made when so many trials had come to something."""
    metadata = USED_UP["metadata"] | {"annotations": {"hyn-k8s.dev/trials-done": str(done)}}
    return USED_UP | {"metadata": metadata}


def ending(*pods: Any, driver: Any = None, **more: Any) -> Ending | None:
    return ending_of(seen(driver=driver, pods=pods, **more))


def failed(*pods: Any, driver: Any = None, **more: Any) -> Ending:
    found = ending(*pods, driver=driver, **more)
    assert found is not None
    assert found.type is ConditionType.FAILED
    return found


def test_it_goes_on_while_the_driver_runs() -> None:
    assert ending(pod("driver"), driver=job()) is None


def test_the_driver_that_ended_well_need_not_wait_for_its_job_to_be_complete() -> None:
    found = ending(ended_pod(outcome(0)), driver=job())
    assert found is not None
    assert (found.type, found.outcome) == (ConditionType.COMPLETE, outcome(0))


def test_after_one_that_failed_only_the_job_knows_whether_there_is_another() -> None:
    assert ending(ended_pod(outcome(65, Cause.SCRIPT)), driver=job()) is None


def test_it_is_complete_with_what_the_driver_left() -> None:
    found = ending(ended_pod(outcome(0)), driver=COMPLETE)
    assert found is not None
    assert (found.type, found.reason) == (ConditionType.COMPLETE, Reason.SUCCEEDED)
    assert found.message == "the script has ended well"
    assert found.outcome == outcome(0)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.SETTINGS, Reason.SETTINGS_REFUSED),
        (Cause.WORKER, Reason.SETTINGS_REFUSED),
        (Cause.RUN, Reason.RUN_REFUSED),
        (Cause.SCRIPT, Reason.SCRIPT_FAILED),
        (Cause.STORAGE, Reason.STORAGE_REFUSED),
        (Cause.SEARCH, Reason.SEARCH_FAILED),
    ],
)
def test_a_cause_becomes_a_reason(cause: Cause, reason: Reason) -> None:
    found = failed(ended_pod(outcome(65, cause)), driver=REFUSED)
    assert found.reason is reason
    where = "pod s-driver-x: " if cause is Cause.STORAGE else ""
    assert found.message == where + "it broke"
    assert found.outcome == outcome(65, cause)


def test_a_driver_that_fails_without_a_reason_leaves_its_counts() -> None:
    found = failed(ended_pod(outcome(65)), driver=REFUSED)
    assert found.reason is Reason.SCRIPT_FAILED
    assert found.outcome == outcome(65)


def test_what_the_storage_has_of_an_earlier_driver_is_not_the_end_of_this_one() -> None:
    """The search was retried, and its next driver crashed without a word."""
    crashed = ended_pod(None, code=139)
    earlier = ended_pod(outcome(65, Cause.SCRIPT, "no column 'age'"), role="report")
    report = job("report", ended="Complete")
    found = failed(crashed, earlier, driver=REFUSED, report=report)
    assert found.reason is Reason.SCRIPT_FAILED
    assert "ended with exit code 139" in found.message
    assert found.outcome is not None  # its counts are the latest there are


SAID = outcome(65, Cause.RUN, "search-1 was another search's")
REPORTED = {"driver": REFUSED, "report": job("report", ended="Complete")}
GENERIC = "the driver failed: "


class TestWhoseOutcomeTheReportHasRead:
    """Each of these ended with 65, as the last driver did."""

    def kept(self, pod: str | None, job: str | None) -> Any:
        """The report's pod, with what that driver has left on the storage."""
        return ended_pod(dataclasses.replace(SAID, pod=pod, job=job), role="report")

    def test_the_last_drivers_by_its_pod(self) -> None:
        last = ended_pod(None, code=65)
        kept = self.kept(last["metadata"]["uid"], REFUSED["metadata"]["uid"])
        assert failed(last, kept, **REPORTED).message == SAID.problem.message  # type: ignore[union-attr]

    def test_an_earlier_drivers_of_the_same_job(self) -> None:
        """Its pod was drained at its end, so the Job went on."""
        last = ended_pod(None, code=65)
        kept = self.kept("uid-of-another", REFUSED["metadata"]["uid"])
        found = failed(last, kept, **REPORTED)
        assert found.reason is Reason.SCRIPT_FAILED
        assert found.message.startswith(GENERIC)
        assert found.outcome is not None  # its counts are the latest there are

    def test_the_last_drivers_by_its_job_where_the_pod_is_gone(self) -> None:
        kept = self.kept("uid-of-the-pod", REFUSED["metadata"]["uid"])
        assert failed(kept, **REPORTED).reason is Reason.RUN_REFUSED

    @pytest.mark.parametrize("job", ["uid-of-another", None])
    def test_that_of_an_earlier_job_or_of_another_search_job(self, job: str | None) -> None:
        found = failed(self.kept("uid-of-the-pod", job), **REPORTED)
        assert found.reason is Reason.SCRIPT_FAILED
        assert found.message.startswith(GENERIC)

    def test_an_earlier_pods_while_the_last_one_left_no_word(self) -> None:
        earlier = ended_pod(SAID, name="d-1", age=90)
        last = ended_pod(None, code=65, name="d-2", age=30)
        assert failed(earlier, last, driver=REFUSED).message.startswith(GENERIC)


class TestRetriesAreUsedUp:
    def test_with_what_the_last_driver_said(self) -> None:
        left = outcome(75, Cause.SCHEDULER, "the scheduler is away")
        found = failed(ended_pod(left), driver=USED_UP)
        assert found.reason is Reason.RETRIES_EXHAUSTED
        used_up = "driverRetries, 6, are used up; the last driver: "
        assert found.message == used_up + "the scheduler is away"
        assert found.outcome == left

    def test_with_how_it_was_killed_where_only_an_earlier_one_spoke(self) -> None:
        earlier = ended_pod(outcome(75, Cause.STORAGE, "the bucket is away"), name="d-1", age=90)
        last = ended_pod(None, reason="OOMKilled", name="d-2", age=30)
        found = failed(earlier, last, driver=USED_UP)
        assert "container driver took more memory than its limit" in found.message
        assert found.outcome is not None  # its counts are the latest there are

    def test_with_what_the_report_has_read(self) -> None:
        kept = outcome(75, Cause.STORAGE, "the bucket is away")
        kept = dataclasses.replace(kept, job=USED_UP["metadata"]["uid"])
        left = ended_pod(kept, role="report")
        found = failed(left, driver=USED_UP, report=job("report", ended="Complete"))
        assert found.message.endswith("the last driver: the bucket is away")

    def test_but_what_may_pass_does_not_end_a_search_that_has_begun(self) -> None:
        """The storage was away for an hour."""
        left = ended_pod(outcome(75, Cause.STORAGE, "the bucket is away"))
        assert ending(left, driver=USED_UP, status=BEGUN) is None
        assert failed(left, driver=USED_UP) is not None

    def test_nor_does_another_driver_that_has_the_run(self) -> None:
        """Though nothing of it has been seen here."""
        taken = ended_pod(outcome(75, Cause.TAKEN, "it is driven by another"))
        assert ending(taken, driver=USED_UP) is None

    def test_nor_a_storage_that_refuses_it_though_it_was_of_use_before(self) -> None:
        """Its keys were replaced."""
        refused = ended_pod(outcome(65, Cause.STORAGE, "the credentials were rejected"))
        assert ending(refused, driver=REFUSED, status=BEGUN) is None
        assert failed(refused, driver=REFUSED).reason is Reason.STORAGE_REFUSED

    def test_nor_do_drivers_that_got_somewhere(self) -> None:
        killed = ended_pod(outcome(143))
        assert ending(killed, driver=made_at(6), status=BEGUN) is None
        assert failed(killed, driver=made_at(7), status=BEGUN) is not None

    def test_a_script_that_failed_has_failed(self) -> None:
        left = ended_pod(outcome(65, Cause.SCRIPT))
        driver = REFUSED | {"metadata": made_at(0)["metadata"]}
        assert failed(left, driver=driver, status=BEGUN).reason is Reason.SCRIPT_FAILED

    def test_without_any_word(self) -> None:
        pods = (pod("report", phase="Failed"),)
        found = failed(*pods, driver=USED_UP, report=job("report", ended="Failed"))
        assert found.message.endswith("it left no word")


def test_a_driver_that_dies_of_itself_is_told_by_its_exit_code() -> None:
    report = job("report", ended="Failed")
    found = failed(ended_pod(None, code=139), driver=REFUSED, report=report)
    assert found.reason is Reason.SCRIPT_FAILED
    assert "exit code 139" in found.message


class TestWithoutTheDriversPod:
    def test_its_job_says_how_it_failed(self) -> None:
        driver = job(ended="Failed", reason="PodFailurePolicy")
        driver["status"]["conditions"][0]["message"] = "Container driver failed with exit code 139"
        found = failed(driver=driver, report=job("report", ended="Failed"))
        assert found.message == "the driver failed: Container driver failed with exit code 139"

    def test_it_waits_for_the_report(self) -> None:
        assert ending(driver=COMPLETE) is None
        assert ending(driver=COMPLETE, report=job("report")) is None

    def test_the_report_has_the_outcome(self) -> None:
        pods = (ended_pod(outcome(0), role="report"),)
        found = ending(*pods, driver=COMPLETE, report=job("report", ended="Complete"))
        assert found is not None
        assert found.outcome == outcome(0)

    def test_what_an_earlier_driver_left_is_not_the_end(self) -> None:
        assert ending(ended_pod(outcome(75, Cause.STORAGE)), driver=COMPLETE) is None

    @pytest.mark.parametrize("how", ["failed", "slow"])
    def test_a_report_that_fails_or_takes_too_long_is_done_without(self, how: str) -> None:
        report = job("report", ended="Failed" if how == "failed" else "")
        report["metadata"]["creationTimestamp"] = ago(200)
        found = ending(driver=COMPLETE, report=report)
        assert found is not None
        assert found.type is ConditionType.COMPLETE
        assert found.message == (
            "the script has ended well; what it came to could not be read, look into the results"
        )
        assert found.outcome is None


def test_the_job_of_another_search_ends_nothing() -> None:
    foreign = job(ended="Complete")
    foreign["metadata"]["ownerReferences"] = []
    assert ending(ended_pod(outcome(0)), driver=foreign) is None


def waits(since: float, *more: Any, running: str = "False", start: float = 1000) -> dict[str, Any]:
    conditions = [condition("DriverRunning", running, "Starting", since, "its pod starts"), *more]
    return {"conditions": conditions, "startTime": ago(start)}


class TestStartup:
    def late(self, *more: Any) -> Ending:
        return failed(status=waits(601, *more))

    def test_it_may_take_its_time(self) -> None:
        assert ending(status=waits(599)) is None
        assert ending(status=waits(601, start=599)) is None
        assert ending(status=waits(5000, running="True")) is None

    def test_then_it_fails(self) -> None:
        found = self.late()
        assert found.reason is Reason.STARTUP_TIMEOUT
        assert found.message.endswith("startupTimeoutSeconds, 600 s: its pod starts")

    def test_what_is_amiss_is_blamed(self) -> None:
        quota = condition("ClusterReady", "False", "Quota", 600, "exceeded quota: small")
        proof = condition("StorageReady", "Unknown", "NotProved", 600, "not so far")
        assert self.late(quota, proof).message.endswith("exceeded quota: small")

    def test_the_storage_before_the_cluster(self) -> None:
        quota = condition("ClusterReady", "False", "Quota", 600, "exceeded quota: small")
        mount = condition("StorageReady", "False", "Mount", 600, "access denied")
        assert self.late(quota, mount).message.endswith("access denied")

    def test_what_is_there_is_not_blamed(self) -> None:
        proof = condition("StorageReady", "True", "Proved", 600, "it was written and read")
        quota = condition("ClusterReady", "False", "Quota", 600, "exceeded quota: small")
        assert self.late(proof, quota).message.endswith("600 s: exceeded quota: small")

    def test_where_nothing_is_amiss_it_is_told_what_starts(self) -> None:
        starts = condition("ClusterReady", "False", "Starting", 600, "no scheduler so far")
        assert self.late(starts).message.endswith("600 s: no scheduler so far; its pod starts")

    def test_a_search_that_has_begun_waits_for_as_long_as_it_takes(self) -> None:
        """Its driver was evicted after days, and no node takes the next one."""
        begun = {"search": {"ordinal": 1, "name": "search-1"}}
        late = pod("driver", "d-2", age=90_000)
        status = waits(90_000, start=900_000)
        assert ending(late, driver=job(), status={**status, **begun}) is None
        assert ending(late, driver=job(), status=status) is not None

    def test_a_driver_that_runs_by_now_is_not_late(self) -> None:
        assert ending(status=waits(5000), progress=progress(Stage.SEARCH)) is None
        assert ending(status=waits(5000), progress=progress(Stage.WORKER)) is not None

    def test_the_pause_before_another_driver_does_not_count(self) -> None:
        left = ended_pod(outcome(75, Cause.SCHEDULER), age=5000)
        assert ending(left, driver=job(), status=waits(5000, start=6000)) is None

    def test_but_what_keeps_the_job_from_starting_it_does(self) -> None:
        left, driver = ended_pod(outcome(75, Cause.SCHEDULER), age=5000), job()
        refused = (event(driver, "FailedCreate", "exceeded quota: small"),)
        status = waits(5000, start=6000)
        assert failed(left, driver=driver, status=status, events=refused) is not None

    def test_what_kept_it_from_starting_the_one_before_does_not(self) -> None:
        left, driver = ended_pod(outcome(75, Cause.SCHEDULER), age=5000), job()
        past = (event(driver, "FailedCreate", "exceeded quota: small", since=5500),)
        status = waits(5000, start=6000)
        assert ending(left, driver=driver, status=status, events=past) is None

    def test_each_driver_has_the_whole_time(self) -> None:
        late = pod("driver", "d-2", age=599)
        assert ending(late, driver=job(), status=waits(5000, start=6000)) is None

    def test_one_that_is_resumed_starts_only_now(self) -> None:
        assert ending(status=waits(5000, condition("Suspended", "True", "Suspended"))) is None

    def test_it_has_the_whole_time_then_even_while_its_last_pod_is_there(self) -> None:
        assert ending(pod("driver", age=5000), status=waits(5000, start=10)) is None

    def test_a_retry_has_the_whole_time_again(self) -> None:
        assert ending(status=waits(10, start=90_000)) is None


class TestActiveDeadline:
    def test_it_ends_what_takes_longer(self) -> None:
        status = waits(10, start=100)
        assert ending(status=status, spec={"activeDeadlineSeconds": 101}) is None
        found = failed(status=status, spec={"activeDeadlineSeconds": 100})
        assert found.reason is Reason.DEADLINE_EXCEEDED

    def test_a_search_that_has_ended_in_time_has_ended(self) -> None:
        found = ending(
            ended_pod(outcome(0)),
            driver=COMPLETE,
            status=waits(10, start=100),
            spec={"activeDeadlineSeconds": 1},
        )
        assert found is not None
        assert found.type is ConditionType.COMPLETE


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Killed",
        "[1]",
        '{"version": 1, "exit_code": 0, "standing": []}',
        '{"version": 1}',
        '{"version": 1, "exit_code": 65, "best": 1}',
    ],
)
def test_whatever_a_pod_leaves_is_read_without_an_error(message: str) -> None:
    found = ended_pod(None)
    found["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = message
    assert ending(found, driver=job()) is None
    odd = dataclasses.replace(seen(pods=(found,)), driver=COMPLETE)
    assert ending_of(odd) is None or "best" in message
