"""Failed is not the end: a search that is suspended and resumed is retried, a complete one not."""

from __future__ import annotations

from typing import Any

import pytest

from hyn_k8s.documents import Cause, Stage
from hyn_k8s.kube import JOB, SEARCH_JOB, Ref
from hyn_k8s.names import DONE_ANNOTATION
from tests.operator.life import Life
from tests.operator.objects import NAME, NAMESPACE, outcome, progress, standing
from tests.operator.test_plan import begin, run

DRIVER = JOB.ref(NAMESPACE, "s-driver")
FAILURE = outcome(65, Cause.SCRIPT, "ValueError: no column 'age'")


@pytest.fixture
def failed() -> Life:
    """A search whose script has raised."""
    life = begin(Life())
    life.driver_ends(FAILURE, job="Failed:PodFailurePolicy")
    life.go_on()
    assert life.conditions()["Failed"] == "True ScriptFailed"
    return life


def suspend(life: Life, **spec: Any) -> None:
    life.apply(suspend=True, **spec)
    life.go_on()


def resume(life: Life, **spec: Any) -> None:
    life.apply(**spec)
    life.go_on()


class TestRetry:
    def test_a_failed_search_that_is_suspended_rests(self, failed: Life) -> None:
        suspend(failed)
        assert failed.status()["phase"] == "Suspended"
        assert failed.conditions()["Suspended"] == "True Suspended"
        assert failed.conditions()["Failed"] == "False Retried"
        said = "it failed before, by ScriptFailed: ValueError: no column 'age'"
        assert failed.message("Failed") == said
        assert "completionTime" not in failed.status()
        assert failed.there() == {"ConfigMap s-run"}
        assert ("Normal", "Retried") in failed.kube.events

    def test_resumed_it_has_the_trials_it_had_and_goes_to_its_end(self, failed: Life) -> None:
        done = failed.status()["trials"]
        suspend(failed)
        resume(failed)
        assert failed.status()["trials"] == done
        assert failed.status()["phase"] == "Starting"
        run(failed)
        assert failed.status()["phase"] == "Running"
        failed.driver_ends(outcome(0), job="Complete")
        failed.go_on()
        assert failed.conditions()["Complete"] == "True Succeeded"
        assert failed.conditions()["Failed"] == "False Retried"
        assert failed.status()["phase"] == "Complete"

    def test_its_retries_are_counted_anew(self, failed: Life) -> None:
        suspend(failed)
        resume(failed)
        driver = failed.kube.objects[DRIVER]
        assert driver["spec"]["backoffLimit"] == 6
        assert driver["metadata"]["annotations"][DONE_ANNOTATION] == "20"

    def test_its_deadlines_too(self, failed: Life) -> None:
        late = Life()
        begin(late, activeDeadlineSeconds=1000)
        late.clock.pass_by(1001)
        late.go_on()
        assert late.conditions()["Failed"] == "True DeadlineExceeded"
        suspend(late, activeDeadlineSeconds=1000)
        resume(late, activeDeadlineSeconds=1000)
        assert late.status()["phase"] == "Starting"

    def test_so_is_the_time_for_a_script_that_never_began(self) -> None:
        life = Life()
        life.apply(startupTimeoutSeconds=60)
        life.go_on(seconds=61)
        life.go_on()
        assert life.conditions()["Failed"] == "True StartupTimeout"
        suspend(life, startupTimeoutSeconds=60)
        resume(life, startupTimeoutSeconds=60)
        assert life.status()["phase"] == "Starting"
        assert life.conditions()["Failed"] == "False Retried"

    def test_it_fails_again_by_what_is_not_repaired(self, failed: Life) -> None:
        suspend(failed)
        resume(failed)
        run(failed)
        failed.driver_ends(outcome(65, Cause.SEARCH, "none succeeded"), job="Failed:P")
        failed.go_on()
        assert failed.conditions()["Failed"] == "True SearchFailed"
        assert failed.status()["phase"] == "Failed"

    def test_it_stays_failed_until_nothing_of_the_failure_is_left(self, failed: Life) -> None:
        """The Job that has failed would be taken for the end of the next driver."""
        failed.kube.finalizers["Job"] = ["slow"]
        failed.kube.change(DRIVER, {"metadata": {"finalizers": ["slow"]}})
        suspend(failed)
        assert failed.status()["phase"] == "Failed"
        failed.kube.finalizers.pop("Job")
        failed.kube.change(DRIVER, {"metadata": {"finalizers": None}})
        failed.go_on()
        assert failed.status()["phase"] == "Suspended"

    def test_the_counts_that_are_known_stay(self, failed: Life) -> None:
        """The last driver was killed without a word, and what an earlier one left is older."""
        life = begin(Life())
        life.driver_says(progress(standing=standing(done=9)))
        life.go_on()
        life.driver_ends(outcome(65, Cause.SCRIPT), job="Failed:PodFailurePolicy")
        life.go_on()
        done = life.status()["trials"]["done"]
        suspend(life)
        assert life.status()["trials"]["done"] == done

    def test_without_being_suspended_it_stays_failed(self, failed: Life) -> None:
        failed.apply(activeDeadlineSeconds=9000)
        failed.go_on()
        assert failed.conditions()["Failed"] == "True ScriptFailed"

    def test_one_that_is_to_be_retried_is_not_deleted_by_its_time(self) -> None:
        life = begin(Life(), ttlSecondsAfterFinished=100)
        life.driver_ends(FAILURE, job="Failed:PodFailurePolicy")
        life.go_on()
        suspend(life, ttlSecondsAfterFinished=100)
        life.clock.pass_by(101)
        life.go_on()
        assert SEARCH_JOB.ref(NAMESPACE, NAME) in life.kube.objects


class TestInAHurry:
    """``spec.suspend`` is true for a moment only."""

    @pytest.fixture
    def busy(self) -> Life:
        """A search that has failed, whose pods have not gone when the user suspends it."""
        life = begin(Life(), activeDeadlineSeconds=1000)
        life.clock.pass_by(1001)
        life.pods_may_go = False
        for _ in range(3):
            life.look()
        assert life.conditions()["Failed"] == "True DeadlineExceeded"
        assert any(each.startswith("Pod ") for each in life.there())
        return life

    def test_what_the_operator_has_seen_is_not_forgotten(self, busy: Life) -> None:
        busy.apply(suspend=True, activeDeadlineSeconds=1000)
        busy.look()
        assert busy.conditions()["Suspended"] == "False RetryPending"
        assert ("Normal", "RetryPending") in busy.kube.events
        busy.apply(activeDeadlineSeconds=1000)
        busy.look()
        assert busy.conditions()["Failed"] == "True DeadlineExceeded"
        busy.pods_may_go = True
        busy.go_on()
        assert busy.conditions()["Failed"] == "False Retried"
        assert busy.conditions()["Suspended"] == "False Resumed"
        assert busy.status()["phase"] == "Starting"
        run(busy)
        busy.driver_ends(outcome(0), job="Complete")
        busy.go_on()
        assert busy.status()["phase"] == "Complete"

    def test_nor_by_an_operator_that_was_restarted_or_by_its_time(self, busy: Life) -> None:
        busy.apply(suspend=True, activeDeadlineSeconds=1000, ttlSecondsAfterFinished=10)
        busy.look()
        busy.apply(activeDeadlineSeconds=1000, ttlSecondsAfterFinished=10)
        busy.clock.pass_by(60)
        busy.pods_may_go = True
        busy.go_on()
        assert busy.status()["phase"] == "Starting"

    def test_the_next_look_comes_by_itself(self, busy: Life) -> None:
        """Nothing else happens that somebody would hear of: what is written is the operator's."""
        busy.apply(suspend=True, activeDeadlineSeconds=1000)
        busy.look()
        busy.apply(activeDeadlineSeconds=1000)
        busy.pods_may_go = True
        for _ in range(10):
            busy.others()
            look = busy.look()
            if busy.conditions()["Suspended"] == "True Suspended":
                break
        assert look.again_in == 0
        suspended = begin(Life())
        suspended.apply(suspend=True)
        suspended.go_on()
        assert suspended.look().again_in is None

    def test_what_it_has_not_seen_it_tells(self, failed: Life) -> None:
        failed.apply(suspend=True)
        failed.apply()
        failed.go_on()
        assert failed.conditions()["Failed"] == "True ScriptFailed"
        assert failed.conditions()["Suspended"] == "False NotRetried"
        assert failed.message("Suspended") == (
            "the spec was changed, but a failed search is retried by spec.suspend only: set it to "
            "true, wait for the condition Suspended, and set it to false"
        )
        assert ("Warning", "NotRetried") in failed.kube.events
        before = failed.status()
        failed.go_on(seconds=60)
        assert failed.status() == before
        suspend(failed)
        resume(failed)
        assert failed.status()["phase"] == "Starting"

    def test_nothing_is_told_of_one_that_nobody_has_changed(self, failed: Life) -> None:
        failed.go_on(seconds=60)
        assert "Suspended" not in failed.conditions()


def test_a_complete_search_is_not_retried_and_that_is_told() -> None:
    life = begin(Life())
    life.driver_ends(outcome(0), job="Complete")
    life.go_on()
    before = life.there()
    suspend(life)
    assert life.status()["phase"] == "Complete"
    assert life.conditions()["Suspended"] == "False NotRetried"
    assert life.message("Suspended") == (
        "the search is complete, there is nothing to suspend or to retry; a new SearchJob with "
        f"spec.run {life.status()['run']} can add trials"
    )
    resume(life)
    assert life.there() == before
    assert life.status()["phase"] == "Complete"


class TestTheRunOfAnother:
    def test_it_is_told_by_the_name_that_spec_run_takes(self) -> None:
        life = begin(Life())
        uid = life.kube.objects[SEARCH_JOB.ref(NAMESPACE, NAME)]["metadata"]["uid"]
        assert life.status()["run"] == f"s-{uid[:8]}"

    def test_two_search_jobs_have_one_run_and_each_its_own_objects(self) -> None:
        life = begin(Life())
        old = life.status()["run"]
        life.apply("t", run=old)
        life.go_on(name="t")
        assert life.status("t")["run"] == old
        life.delete()
        for _ in range(3):
            life.others()
        assert {"ConfigMap t-run", "Job t-driver", "DaskCluster t"} <= life.there()
        assert not {each for each in life.there() if each.split()[1].startswith("s-")}

    def test_one_that_is_taken_is_waited_for_without_end(self) -> None:
        life = Life()
        taken = outcome(75, Cause.TAKEN, "run old: it is driven by the process 1 on t-driver")
        life.apply(run="old", startupTimeoutSeconds=60)
        life.go_on()
        for _ in range(2):
            life.start_pods()
            life.driver_says(progress(Stage.SCRIPT, standing=standing(0, 0)))
            life.go_on(seconds=120)
            nothing = type(taken)(75, problem=taken.problem)
            life.driver_ends(nothing, job="Failed:BackoffLimitExceeded")
            life.go_on(seconds=61)
            assert life.conditions()["DriverRunning"] == "False RunTaken"
            life.kube.finalizers["Pod"] = []
            life.go_on(seconds=61)
            life.go_on()
            assert "Failed" not in life.conditions()
        assert Ref.to(life.kube.objects[DRIVER]) == DRIVER
