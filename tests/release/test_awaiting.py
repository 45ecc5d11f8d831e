"""The search of ``helm test`` is waited for until its conditions say that it is over."""

from __future__ import annotations

from typing import Any

import pytest

from hyn_k8s.documents import Cause
from hyn_k8s.errors import ClusterError, ReleaseError
from hyn_k8s.kube import SEARCH_JOB
from hyn_k8s.release.awaiting import await_search, standing
from tests.operator.life import Life
from tests.operator.objects import NAME, NAMESPACE, condition, outcome, search_job
from tests.operator.test_plan import begin

S = SEARCH_JOB.ref(NAMESPACE, NAME)


@pytest.fixture
def life() -> Life:
    """A search in its middle."""
    return begin(Life())


def waited(life: Life, seconds: float = 0.01) -> list[str]:
    """What is told while the search is waited for."""
    told: list[str] = []
    await_search(life.kube, NAMESPACE, NAME, told.append, seconds=seconds, pause=0)
    return told


def test_one_that_ends_well_ends_the_wait_and_each_step_is_told_once(life: Life) -> None:
    looks = iter(range(4))

    def look(verb: str) -> None:
        life.kube.before_call = lambda _: None
        if next(looks, None) == 2:
            life.driver_ends(outcome(), job="Complete")
        life.go_on()
        life.kube.before_call = look

    life.kube.before_call = look
    assert waited(life, seconds=5) == [
        "Running; 5 of 20 trials done",
        "Complete; 20 of 20 trials done",
    ]


def test_one_that_failed_is_an_error_with_its_reason(life: Life) -> None:
    failed = outcome(code=65, cause=Cause.SCRIPT, message="NameError: name 'x' is not defined")
    life.driver_ends(failed, job="Failed:PodFailurePolicy")
    life.go_on()
    with pytest.raises(ReleaseError) as caught:
        waited(life)
    assert str(caught.value) == (
        "searchjob team/s: Failed; 20 of 20 trials done; NameError: name 'x' is not defined"
    )


def test_one_that_does_not_end_in_time_is_an_error_with_where_it_stands() -> None:
    life = Life()
    life.apply()
    with pytest.raises(ReleaseError) as caught:
        waited(life)
    assert str(caught.value) == (
        "searchjob team/s: not ended within 0 s; nobody has looked at it yet"
    )


def test_one_that_is_gone_is_waited_for_no_longer(life: Life) -> None:
    life.delete()
    with pytest.raises(ReleaseError, match=r"^searchjob team/s: it does not exist"):
        waited(life, seconds=60)


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(life: Life) -> None:
    life.driver_ends(outcome(), job="Complete")
    life.go_on()
    life.kube.failures["get"].append(ClusterError("get", str(S), None, "ReadTimeoutError"))
    assert waited(life, seconds=5) == ["Complete; 20 of 20 trials done"]


def test_one_that_refuses_is_not(life: Life) -> None:
    life.kube.failures["get"].append(ClusterError("get", str(S), 403, "forbidden"))
    with pytest.raises(ClusterError):
        waited(life, seconds=60)


def test_the_phase_decides_nothing(life: Life) -> None:
    """A phase is for people; that the search is over is a condition."""
    life.kube.change(S, {"status": {"phase": "Complete"}})
    with pytest.raises(ReleaseError, match="not ended"):
        waited(life)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (None, "nobody has looked at it yet"),
        ({"phase": "Pending"}, "Pending"),
        (
            {
                "phase": "Starting",
                "conditions": [
                    condition("ClusterReady", "False", "Starting", message="1 of 2 workers"),
                    condition("StorageReady", "Unknown", "NotProved", message="not so far"),
                ],
            },
            "Starting; not so far",
        ),
        (
            {
                "phase": "Starting",
                "conditions": [
                    condition("StorageReady", "True", "Proved", message="read and written"),
                    condition("ClusterReady", "False", "Starting", message="1 of 2 workers"),
                ],
            },
            "Starting; 1 of 2 workers",
        ),
        (
            {
                "phase": "Running",
                "trials": {"done": 3},
                "conditions": [condition("ClusterReady", "False", "Starting", message="gone")],
            },
            "Running; 3 of ? trials done",
        ),
        (
            {
                "phase": "Failed",
                "conditions": [
                    condition("StorageReady", "False", "NoStorage", message="no storage"),
                    condition("Failed", "True", "NoStorage", message="name a bucket"),
                ],
            },
            "Failed; name a bucket",
        ),
    ],
)
def test_where_it_stands_is_a_line(status: dict[str, Any] | None, line: str) -> None:
    assert standing(search_job() | ({} if status is None else {"status": status})) == line
