"""Searches are suspended until none has pods; the operator that frees them is the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from hyn_k8s.errors import ClusterError, ReleaseError
from hyn_k8s.kube import DASK_CLUSTER, POD, SEARCH_JOB
from hyn_k8s.release.suspending import is_active, suspend_searches
from tests.operator.life import Life
from tests.operator.objects import NAME, NAMESPACE, outcome
from tests.operator.test_plan import begin, foreign

S = SEARCH_JOB.ref(NAMESPACE, NAME)


@pytest.fixture
def life() -> Life:
    """A search in its middle, looked after whenever somebody lists objects."""
    life = begin(Life())
    life.kube.before_call = attention(life)
    return life


def attention(life: Life, first: Callable[[], object] = lambda: None) -> Callable[[str], None]:
    """The operator's turn before each list, after what ``first`` does."""

    def look(verb: str) -> None:
        if verb != "list":
            return
        around, life.kube.before_call = life.kube.before_call, lambda _: None
        first()
        for each in [*life.kube.of_kind(SEARCH_JOB)]:
            metadata = each["metadata"]
            life.go_on(name=metadata["name"], namespace=metadata["namespace"])
        life.others()
        life.kube.before_call = around

    return look


def suspended(life: Life, namespaces: Sequence[str] = (), seconds: float = 5) -> list[str]:
    """What is told while all searches are suspended."""
    told: list[str] = []
    suspend_searches(life.kube, namespaces, told.append, seconds=seconds, pause=0)
    return told


def test_where_there_is_no_search_nothing_is_done() -> None:
    life = Life()
    assert suspended(life, seconds=0.01) == []
    assert life.kube.writes == []


def test_where_the_kinds_are_not_known_there_is_no_search() -> None:
    life = Life()
    for kind in (SEARCH_JOB, DASK_CLUSTER):
        life.kube.refused[kind] = ClusterError("list", kind.name, 404, "no such kind")
    assert suspended(life, seconds=0.01) == []


def test_a_search_that_runs_frees_its_pods_and_stays(life: Life) -> None:
    assert life.kube.of_kind(POD) != []
    assert suspended(life) == ["Suspending searchjob team/s"]
    assert life.kube.of_kind(POD) == []
    assert life.kube.of_kind(DASK_CLUSTER) == []
    assert life.status()["phase"] == "Suspended"
    assert life.status()["trials"]["done"] == 5, "what it has come to is kept"


def test_one_that_has_not_begun_does_not_begin() -> None:
    life = Life()
    life.apply()
    life.kube.before_call = attention(life)
    suspended(life)
    assert life.kube.of_kind(POD) == []


def test_one_that_is_suspended_is_left_alone(life: Life) -> None:
    suspended(life)
    life.kube.calls.clear()
    assert suspended(life) == []
    assert life.kube.writes == []


def test_one_that_is_over_is_left_alone(life: Life) -> None:
    life.driver_ends(outcome(), job="Complete")
    life.go_on()
    assert suspended(life) == []
    assert "suspend" not in life.kube.objects[S]["spec"]
    assert life.status()["phase"] == "Complete"


def test_one_that_is_applied_meanwhile_is_suspended_too(life: Life) -> None:
    names = iter(["t"])

    def apply_late(told: str) -> None:
        for name in names:
            life.apply(name)

    suspend_searches(life.kube, (), apply_late, seconds=5, pause=0)
    assert life.status("t")["phase"] == "Suspended"
    assert life.kube.of_kind(POD) == []


def test_one_that_is_resumed_meanwhile_is_suspended_again(life: Life) -> None:
    times = iter([1])

    def resume_once() -> None:
        if life.kube.objects[S]["spec"].get("suspend"):
            for _ in times:
                life.kube.change(S, {"spec": {"suspend": False}})

    life.kube.before_call = attention(life, first=resume_once)
    assert suspended(life) == 2 * ["Suspending searchjob team/s"]
    assert life.status()["phase"] == "Suspended"


def test_one_that_is_deleted_meanwhile_is_waited_for_no_longer(life: Life) -> None:
    suspend_searches(life.kube, (), lambda _: life.delete(), seconds=5, pause=0)
    assert S not in life.kube.objects
    assert life.kube.of_kind(POD) == []


def test_the_cluster_of_one_that_was_deleted_before_is_waited_for() -> None:
    life = begin(Life())
    life.delete()
    with pytest.raises(ReleaseError, match=r"^daskcluster team/s: pods are left after 0 s"):
        suspended(life, seconds=0.01)
    life.others()
    assert suspended(life, seconds=0.01) == []


def test_clusters_of_others_are_none_of_its_business() -> None:
    life = Life()
    foreign(life)
    assert suspended(life, seconds=0.01) == []


def test_only_the_searches_of_its_namespaces_are_suspended(life: Life) -> None:
    life.apply("t", "other")
    assert suspended(life, [NAMESPACE, "third"]) == ["Suspending searchjob team/s"]
    assert "suspend" not in life.kube.objects[SEARCH_JOB.ref("other", "t")]["spec"]


def test_without_an_operator_it_gives_up_and_says_how_to_go_on() -> None:
    life = begin(Life())
    with pytest.raises(ReleaseError) as caught:
        suspended(life, seconds=0.01)
    assert str(caught.value) == (
        "searchjob team/s: pods are left after 0 s; are the controllers running? "
        "`helm uninstall --no-hooks` goes on without waiting"
    )


def test_of_many_it_names_a_few() -> None:
    life = Life()
    for number in range(8):
        life.apply(f"s{number}")
    with pytest.raises(
        ReleaseError, match=r"^searchjob team/s0, .*, searchjob team/s4 and 3 more:"
    ):
        suspended(life, seconds=0.01)


@pytest.mark.parametrize("verb", ["list", "patch"])
def test_an_api_server_that_is_away_for_a_moment_is_waited_for(life: Life, verb: str) -> None:
    errors = iter([ClusterError(verb, str(S), 503, "etcd has a new leader")])
    turn = attention(life)

    def look(called: str) -> None:
        if called == verb:
            for error in errors:
                raise error
        turn(called)

    life.kube.before_call = look
    suspended(life)
    assert next(errors, None) is None
    assert life.kube.of_kind(POD) == []


def test_one_that_refuses_is_not(life: Life) -> None:
    life.kube.failures["patch"].append(ClusterError("patch", str(S), 403, "forbidden"))
    with pytest.raises(ClusterError):
        suspended(life)


def test_suspended_is_what_the_operator_says_of_the_latest_spec(life: Life) -> None:
    suspended(life)
    assert not is_active(life.kube.objects[S])
    life.kube.change(S, {"spec": {"suspend": False}})
    assert is_active(life.kube.objects[S])
    life.kube.change(S, {"spec": {"suspend": True}})
    assert is_active(life.kube.objects[S]), "the operator may be making pods at this moment"
    life.go_on()
    assert not is_active(life.kube.objects[S])


def test_a_failed_one_is_active_where_it_begins_anew_without_anybody_doing_more(life: Life) -> None:
    life.apply(activeDeadlineSeconds=1000)
    life.go_on()
    life.clock.pass_by(1001)
    life.pods_may_go = False
    for _ in range(3):
        life.look()
    assert life.conditions()["Failed"] == "True DeadlineExceeded"
    assert not is_active(life.kube.objects[S])
    life.apply(activeDeadlineSeconds=1000, suspend=True)
    life.look()
    assert not is_active(life.kube.objects[S])
    life.apply(activeDeadlineSeconds=1000)
    life.look()
    assert is_active(life.kube.objects[S])
