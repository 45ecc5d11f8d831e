"""A driver of another SearchJob resumes a run, and takes no other one and none that is driven."""

from __future__ import annotations

import pytest

from hyn_k8s.documents import Cause, Problem, Stage
from tests.driver.pods import FAILED, LATER, Pods
from tests.faults.scripts import SCRIPT, broken
from tests.processes import DaskCluster, free_port
from tests.waiting import until

pytestmark = pytest.mark.processes


BROKEN = broken(SCRIPT)


def test_a_failed_search_is_resumed_by_another_script_of_the_same_search(
    pods: Pods, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script is repaired in a new SearchJob."""
    pods.write_script(BROKEN)
    pod = pods.begin("--trials 9 --seconds 0.3", cluster.address)
    assert pod.ended() == FAILED, pod.said
    outcome = pod.outcome()
    assert outcome.problem is not None
    assert outcome.problem.cause is Cause.SCRIPT, pod.said
    assert "no column age" in outcome.problem.message
    assert 1 <= outcome.standing.trials.done < 9
    pods.write_script(SCRIPT)
    pod = pods.begin("--trials 9 --seconds 0.3", cluster.address, must_exist=True)
    assert pod.ended() == 0, pod.said
    assert "continuing it: " in pod.said
    pods.check(monkeypatch, trials=9)


def test_a_run_that_is_not_there_is_told_before_anything_is_waited_for(pods: Pods) -> None:
    pod = pods.begin("", f"tcp://127.0.0.1:{free_port()}", must_exist=True)
    assert pod.ended(30) == FAILED, pod.said
    root = pods.folder.parent / "root"
    said = (
        f"run it: it is not on {root}; spec.run takes the status.run of a SearchJob whose search "
        "has begun on this storage"
    )
    assert pod.outcome().problem == Problem(Cause.RUN, said)
    assert pods.place.files() == {}
    assert "Traceback" not in pod.said


def test_another_search_is_refused_and_the_run_stays_as_it_was(
    pods: Pods, cluster: DaskCluster
) -> None:
    assert pods.begin("--trials 3 --seconds 0.1", cluster.address).ended() == 0
    before = pods.place.files()
    pods.write_script(SCRIPT.replace("x=Real(0, 1)", "x=Real(0, 2)"))
    pod = pods.begin("--trials 5 --seconds 0.1", cluster.address, must_exist=True)
    assert pod.ended() == FAILED, pod.said
    said = (
        "run it: search-1 was begun otherwise: its space's m.x was Real(low=0.0, high=1.0, "
        "step=0.01), is Real(low=0.0, high=2.0, step=0.01); a new SearchJob without spec.run "
        "begins a new run"
    )
    assert pod.outcome().problem == Problem(Cause.RUN, said)
    assert pods.place.files() == before


def test_a_run_that_is_driven_is_waited_for_and_that_is_told(
    pods: Pods, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = "--trials 8 --seconds 0.3 --held 8"
    first = pods.begin(arguments, cluster.address)
    pods.await_told(1)
    second = pods.begin(arguments, cluster.address, must_exist=True)
    waiting = second.await_progress(lambda p: p.stage is Stage.SCRIPT and p.problem, "waiting")
    assert waiting.problem is not None
    assert waiting.problem.cause is Cause.TAKEN
    assert "drives it; waiting until it lets go" in waiting.problem.message
    (pods.folder / "go").touch()
    assert first.ended() == 0, first.said
    assert second.ended() == 0, second.said
    until(lambda: second.outcome().standing.trials.done == 8, "its outcome", 5)
    pods.check(monkeypatch, trials=8)
    assert LATER not in (first.ended(), second.ended())
