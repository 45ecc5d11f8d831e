"""A look may fail, or be cut off, anywhere: the looks after it come to the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from hyn_k8s.api.schema import Manifest
from hyn_k8s.documents import Stage
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import DASK_CLUSTER, DEPLOYMENT, JOB, SEARCH_JOB, Ref
from hyn_k8s.operator.observation import Observation
from hyn_k8s.operator.reconcile import Look
from tests.operator.life import Life
from tests.operator.objects import (
    NAME,
    NAMESPACE,
    condition,
    outcome,
    progress,
    search_job,
    standing,
)
from tests.operator.test_plan import begin, run

Act = Callable[[Life], None]


def _ends(life: Life) -> None:
    life.driver_ends(outcome(0), job="Complete")


def _loses_its_results(life: Life) -> None:
    _ends(life)
    life.kube.let_go(Ref.to(life.driver_pod()))


def _resumes(life: Life) -> None:
    life.apply(suspend=True)
    life.go_on()
    life.apply()


def _meets_its_deadline(life: Life) -> None:
    life.apply(activeDeadlineSeconds=1)
    life.clock.pass_by(2)


def _shrinks(life: Life) -> None:
    life.clock.pass_by(60)
    workers = sorted(ref.name for ref in life.kube.objects if "default-worker" in ref.name)
    life.driver_says(progress(wanted=1, idle_workers=tuple(workers[1:3])))


ACTS: dict[str, Act] = {
    "apply": lambda life: life.apply(),
    "suspend": lambda life: life.apply(suspend=True),
    "resume": _resumes,
    "end": _ends,
    "end without the pod": _loses_its_results,
    "deadline": _meets_its_deadline,
    "shrink": _shrinks,
}


def before(act: str) -> Life:
    """A life up to ``act``."""
    life = Life()
    if act != "apply":
        life.apply()
        life.go_on()
        run(life)
    ACTS[act](life)
    return life


def outline(life: Life) -> Any:
    """Where a search stands, without times and made-up names."""
    conditions = life.conditions()
    trials = life.status().get("trials")
    kinds = sorted(each.split()[0] for each in life.there())
    return conditions, trials, kinds, life.status()["phase"]


class Crash(BaseException):
    """The operator's process ends here."""


def count_calls(life: Life) -> int:
    life.kube.calls.clear()
    life.go_on()
    return len(life.kube.calls)


@pytest.mark.parametrize("act", ACTS)
def test_an_operator_that_ends_anywhere_is_followed_by_one_that_goes_on(act: str) -> None:
    whole = before(act)
    calls = count_calls(whole)
    assert calls
    for last in range(calls):
        life = before(act)
        left = iter(range(last))

        def end(_: str, left: Any = left) -> None:
            if next(left, None) is None:
                raise Crash

        life.kube.before_call = end
        with contextlib.suppress(Crash):
            life.go_on()
        life.kube.before_call = lambda _: None
        life.go_on()
        assert outline(life) == outline(whole), f"cut off at call {last + 1}"


ERRORS = (409, 429, 500, None)
"""Conflict, too many requests, trouble, and no answer in time."""


@pytest.mark.parametrize("act", ACTS)
def test_an_error_at_any_call_is_gone_after_another_look(act: str) -> None:
    whole = before(act)
    calls = count_calls(whole)
    for bad in range(calls):
        life = before(act)
        numbers = iter(range(calls * 3))

        def fail(verb: str, numbers: Any = numbers, bad: int = bad) -> None:
            if next(numbers, None) == bad:
                raise ClusterError(verb, "it", ERRORS[bad % len(ERRORS)], "trouble")

        life.kube.before_call = fail
        life.go_on()
        life.kube.before_call = lambda _: None
        life.go_on()
        assert outline(life) == outline(whole), f"failed at call {bad + 1}"


def look_in_vain(life: Life) -> None:
    """A look that the queue has to repeat."""
    with pytest.raises(ClusterError):
        life.look()


NO_KIND = ClusterError("get", "daskcluster team/s", 404, "the API server has no such kind")
NO_RIGHT = ClusterError("list", "deployments in team", 403, "User x cannot list deployments")

UNREADABLE = {
    "a kind": (
        DASK_CLUSTER,
        NO_KIND,
        "KindMissing",
        "get daskcluster team/s: no such kind; dask's",
    ),
    "a right": (DEPLOYMENT, NO_RIGHT, "Refused", "User x cannot list deployments"),
}


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("missing", UNREADABLE)
    def test_it_is_told_once_and_goes_on_when_it_can_be(self, missing: str) -> None:
        kind, error, reason, said = UNREADABLE[missing]
        life = Life()
        life.apply()
        life.kube.refused[kind] = error
        for _ in range(3):
            look_in_vain(life)
            life.clock.pass_by(10)
        assert life.conditions() == {"ClusterReady": f"False {reason}"}
        assert said in life.message("ClusterReady")
        assert life.status()["phase"] == "Pending"
        assert life.kube.events == [("Warning", reason)]
        assert [verb for verb, _ in life.kube.writes].count("replace_status") == 1
        life.kube.refused.clear()
        life.go_on()
        assert life.conditions()["ClusterReady"] == "False Starting"
        assert JOB.ref(NAMESPACE, "s-driver") in life.kube.objects

    def test_a_search_that_runs_loses_nothing_by_it(self) -> None:
        life = before("suspend")
        started = life.status()["startTime"]
        life.kube.refused[DEPLOYMENT] = NO_RIGHT
        look_in_vain(life)
        assert life.status()["trials"]["done"] == 5
        assert life.status()["startTime"] == started
        life.kube.refused.clear()
        life.go_on()
        assert life.conditions()["Suspended"] == "True Suspended"
        assert life.conditions()["ClusterReady"] == "False Suspended"

    @pytest.mark.parametrize("status", [409, 429, 500, None])
    def test_what_may_pass_is_not_told(self, status: int | None) -> None:
        life = Life()
        life.apply()
        life.kube.refused[DASK_CLUSTER] = ClusterError("get", "it", status, "trouble")
        look_in_vain(life)
        assert life.status() == {}

    def test_of_one_that_is_over_it_is_not_told(self) -> None:
        life = before("end")
        life.go_on()
        ended = life.status()
        life.kube.refused[DASK_CLUSTER] = NO_KIND
        look_in_vain(life)
        assert life.status() == ended

    def test_an_event_that_cannot_be_told_either_changes_nothing(self) -> None:
        life = Life()
        life.apply()
        life.kube.refused[DASK_CLUSTER] = NO_KIND
        life.kube.failures["post_event"] += [ClusterError("create", "an event", 403, "no")]
        with pytest.raises(ClusterError) as caught:
            life.look()
        assert caught.value is NO_KIND
        assert life.conditions() == {"ClusterReady": "False KindMissing"}


class TestWhatTheApiServerDoesNotTake:
    def test_it_is_told_and_asked_for_again_without_end(self) -> None:
        life = Life()
        life.apply()
        no = ClusterError("apply", "daskcluster s", 422, "spec.worker: wrong")
        life.kube.failures["apply"] += [None, no, None, no]
        look_in_vain(life)
        assert life.conditions()["ClusterReady"] == "False Refused"
        assert "spec.worker: wrong" in life.message("ClusterReady")
        assert JOB.ref(NAMESPACE, "s-driver") not in life.kube.objects
        life.go_on()
        assert life.conditions()["ClusterReady"] == "False Starting"

    def test_as_long_as_it_is_so_its_time_stays(self) -> None:
        life = Life()
        life.apply()
        no = ClusterError("apply", "daskcluster s", 422, "spec.worker: wrong")
        life.kube.failures["apply"] += [None, no, no, no, no]
        look_in_vain(life)
        first = life.status()
        life.clock.pass_by(10)
        look_in_vain(life)
        assert life.status() == first
        assert life.kube.events.count(("Warning", "Refused")) == 1

    def test_a_quota_for_objects_is_a_quota(self) -> None:
        life = Life()
        life.apply()
        said = 'configmaps "s-run" is forbidden: exceeded quota: small'
        life.kube.failures["apply"] += [ClusterError("apply", "configmap s-run", 403, said)]
        look_in_vain(life)
        assert life.conditions()["ClusterReady"] == "False Quota"

    @pytest.mark.parametrize("status", [500, 422])
    def test_a_search_that_never_gets_its_objects_meets_its_deadline(self, status: int) -> None:
        life = Life()
        life.apply(startupTimeoutSeconds=60)
        away = ClusterError("apply", "configmap s-run", status, "failed calling webhook")
        life.kube.failures["apply"] += [away] * 3
        for _ in range(2):
            look_in_vain(life)
            life.clock.pass_by(31)
        life.go_on()
        assert life.conditions()["Failed"] == "True StartupTimeout"
        assert "failed calling webhook" in life.message("Failed")

    def test_an_event_that_cannot_be_told_keeps_nothing_up(self) -> None:
        life = Life()
        life.apply()
        life.kube.failures["post_event"] += [ClusterError("create", "an event", 403, "no")]
        life.go_on()
        assert DASK_CLUSTER.ref(NAMESPACE, NAME) in life.kube.objects


def put(life: Life, manifest: Manifest, **status: Any) -> None:
    life.kube.put(manifest | ({"status": status} if status else {}))


class TestASearchThatHasSettled:
    @pytest.fixture
    def life(self) -> Life:
        """A search in its middle, of which nothing is heard."""
        return begin(Life())

    @staticmethod
    def verbs(life: Life, settled: Observation | None) -> tuple[list[str], Look]:
        """What another look asks of the cluster, and what it comes to."""
        life.kube.calls.clear()
        life.clock.pass_by(3)
        look = life.look(settled=settled)
        return [verb for verb, _ in life.kube.calls], look

    def test_only_its_driver_is_asked(self, life: Life) -> None:
        first = life.look()
        assert self.verbs(life, first.settled)[0] == ["read_progress"]

    def test_what_the_driver_says_is_written_once(self, life: Life) -> None:
        first = life.look()
        life.driver_says(progress(standing=standing(done=17)))
        verbs, second = self.verbs(life, first.settled)
        assert verbs == ["read_progress", "replace_status"]
        assert life.status()["trials"]["done"] == 17
        assert self.verbs(life, second.settled)[0] == ["read_progress"]

    def test_a_driver_that_does_not_answer_has_it_looked_at_as_a_whole(self, life: Life) -> None:
        first = life.look()
        life.kube.progress.clear()
        verbs, second = self.verbs(life, first.settled)
        assert "list" in verbs
        assert second.settled is None

    def test_after_something_was_done_it_is_looked_at_as_a_whole(self, life: Life) -> None:
        first = life.look()
        life.apply(executors=5)
        life.driver_says(progress(wanted=5))
        assert self.verbs(life, None)[1].settled is None
        assert first.settled is not None

    @pytest.mark.parametrize("stage", [Stage.SCHEDULER, Stage.STORAGE, Stage.ENDED])
    def test_one_that_begins_or_ends_has_not_settled(self, life: Life, stage: Stage) -> None:
        life.driver_says(progress(stage))
        assert life.look().settled is None


class TestObjectsOfANewerOperator:
    def test_a_spec_that_cannot_be_read_is_told_once(self) -> None:
        life = Life()
        put(life, search_job(executors="as many as there are"))
        for _ in range(3):
            assert life.look() == Look()
        assert life.conditions() == {"ClusterReady": "False Refused"}
        assert "spec.executors" in life.message("ClusterReady")
        assert life.kube.events == [("Warning", "Refused")]

    def test_fields_and_words_it_does_not_know_are_passed_over(self) -> None:
        life = Life()
        manifest = search_job(worker={"telepathy": True}, mood="good")
        known = condition("StorageReady", "True", "Proved")
        unknown = condition("Enlightened", "True", "Suddenly")
        put(life, manifest, phase="Dreaming", conditions=[unknown, known], aura={"of": 1})
        life.go_on()
        assert life.conditions()["Enlightened"] == "True Suddenly"
        assert life.conditions()["StorageReady"] == "True Proved"
        assert life.status()["phase"] == "Starting"

    def test_the_conditions_that_can_be_read_are_kept(self) -> None:
        life = Life()
        over = condition("Complete", "True", "Succeeded")
        odd = condition("ClusterReady", "Perhaps", "Ready")
        put(life, search_job(), conditions=[odd, over], trials={"done": "many"})
        life.go_on()
        assert life.there() == set()
        assert life.status()["phase"] == "Complete"


def test_a_status_is_not_written_to_the_next_search_of_the_name() -> None:
    life = before("end")
    replaced = False

    def replace(verb: str) -> None:
        nonlocal replaced
        if verb == "replace_status" and not replaced:
            replaced = True
            life.kube.let_go(SEARCH_JOB.ref(NAMESPACE, NAME))
            life.kube.put(search_job())

    life.kube.before_call = replace
    life.look()
    assert life.status() == {}
