"""``report``: the Outcome of a run whose driver is long gone, without Hypernets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hyn_k8s.documents import Cause, Outcome, Standing, TrialCounts
from tests.driver.pods import FAILED, Pods

pytestmark = pytest.mark.processes

LEFT = Outcome(65, Standing(trials=TrialCounts(7, succeeded=7)))


def leave(pods: Pods, text: str) -> None:
    path = pods.folder.parent / "root" / "it" / "outcome.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_what_was_left_is_left_again(pods: Pods) -> None:
    leave(pods, LEFT.to_json())
    pod = pods.execute("report")
    assert pod.ended(20) == 0, pod.said
    assert pod.outcome() == LEFT


def test_there_is_none(pods: Pods) -> None:
    pod = pods.execute("report")
    assert pod.ended(20) == FAILED, pod.said
    problem = pod.outcome().problem
    assert problem is not None
    assert problem.cause is Cause.RUN
    assert "run it has left no outcome" in problem.message


def test_it_cannot_be_read(pods: Pods) -> None:
    leave(pods, "{}")
    pod = pods.execute("report")
    assert pod.ended(20) == FAILED, pod.said
    problem = pod.outcome().problem
    assert problem is not None
    assert "it is no document of hyn-k8s" in problem.message


def test_no_run_is_named(pods: Pods) -> None:
    pod = pods.execute("report", env={"HYN_RUN_ID": ""})
    assert pod.ended(20) == FAILED, pod.said
    problem = pod.outcome().problem
    assert problem is not None
    assert problem.cause is Cause.SETTINGS


def test_neither_hypernets_nor_dask_is_imported_before_they_are_needed() -> None:
    program = (
        "import sys, hyn_k8s.driver.__main__, hyn_k8s.driver.report, hyn_k8s.driver.running\n"
        "assert not {'hypernets', 'distributed', 'pandas', 'sklearn'} & set(sys.modules)\n"
        "import hyn_k8s.search.runner, hyn_k8s.search.cluster\n"
        "assert not {'hypernets', 'pandas', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
