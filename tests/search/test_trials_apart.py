"""Two runs on one worker with two threads: what a trial does to its process concerns itself only.

A trial of the neighbour's run never ends, and is looked at after each trial of the other run: its
process is the same, and has begun its trial once.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import psutil
import pytest
from distributed import Client

from tests.deeds import DEEDS, LEFT, DoingModel
from tests.faults.clusters import lives
from tests.faults.drivers import Scene
from tests.faults.evidence import Directory
from tests.processes import DaskCluster, dask_cluster
from tests.searches import ListSearcher, sample
from tests.sessions import rows_of, search, session_on

pytestmark = pytest.mark.processes

ENDED = {
    "exit_at_once": "its process ended with exit code 3",
    "crash": "its process was ended by SIGSEGV",
    "kill_itself": "its process was ended by SIGKILL",
    "kill_its_group": "its process was ended by SIGTERM",
}
"""What is said of the trials that end their processes."""

ENDLESS = ("hold_the_interpreter", "start_a_session_and_never_end")

FAILING = "raise_keyboard_interrupt"

HUNGRY = ("take_memory", "let_a_process_take_memory")

HARMLESS = sorted({*DEEDS} - {*ENDED, *HUNGRY, *ENDLESS, FAILING})
"""What trials may do as if they were alone."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A worker with two threads."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), workers=0) as cluster:
        cluster.add_worker("worker", options=("--nthreads", "2"))
        with Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        yield cluster


@pytest.fixture(scope="module")
def neighbour(cluster: DaskCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A run whose only trial runs on the worker for as long as there are tests."""
    folder = tmp_path_factory.mktemp("neighbour")
    with Scene(folder / "scene", Directory(folder / "root")) as scene:
        flags = "--run neighbour --executors 1"
        scene.drive("--trials 1 --endless 1", cluster.address, flags=flags)
        scene.await_begun(1)
        yield scene


@pytest.fixture(autouse=True)
def _neighbour_notices_nothing(neighbour: Scene) -> Iterator[None]:
    yield
    (begun,) = neighbour.executed()
    assert (begun.what, begun.trial) == ("begin", 1)
    assert lives(begun.pid)
    assert neighbour.drivers[0].lives


def rows(cluster: DaskCluster, root: pathlib.Path, *kinds: str, **env: str) -> list[dict[str, str]]:
    """What a search comes to whose trials do these, one after the other."""
    samples = [sample(number / 100, kind=kind) for number, kind in enumerate(kinds, 1)]
    environ = {"HYN_SEARCH_EXECUTORS": "1", "HYN_SEARCH_TRIAL_ATTEMPTS": "1", **env}
    with session_on(cluster.address, str(root), environ) as (session, _):
        model = DoingModel(ListSearcher(samples), task="binary", reward_metric="auc")
        search(model, max_trials=len(samples))
        return rows_of(session)


def test_what_any_estimator_may_do(cluster: DaskCluster, tmp_path: pathlib.Path) -> None:
    found = rows(cluster, tmp_path / "root", *HARMLESS, "good")
    details = {kind: row["detail"] for kind, row in zip(HARMLESS, found, strict=False)}
    assert {kind: detail for kind, detail in details.items() if detail} == {}
    assert {row["status"] for row in found} == {"succeeded"}


@pytest.mark.parametrize("kind", ENDED)
def test_one_that_ends_its_process_fails_and_says_how(
    cluster: DaskCluster, tmp_path: pathlib.Path, kind: str
) -> None:
    ended, following = rows(cluster, tmp_path / "root", kind, "good")
    assert (ended["status"], following["status"]) == ("failed", "succeeded")
    assert ENDED[kind] in ended["detail"]


def test_one_is_run_again_as_often_as_the_settings_say(
    cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    (row,) = rows(cluster, tmp_path / "root", "exit_at_once", HYN_SEARCH_TRIAL_ATTEMPTS="3")
    assert "exit code 3" in row["detail"]
    failures = (tmp_path / "root/test-1/search-1/failures.txt").read_text()
    assert "This happened 3 times." in failures


def test_an_interrupt_that_a_trial_raises_is_its_failure(
    cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    failed, following = rows(cluster, tmp_path / "root", FAILING, "good")
    assert (failed["status"], following["status"]) == ("failed", "succeeded")
    assert failed["detail"].startswith("KeyboardInterrupt")


@pytest.mark.parametrize("kind", ENDLESS)
def test_one_that_never_ends_is_stopped_in_time_with_all_that_it_has_started(
    cluster: DaskCluster, tmp_path: pathlib.Path, kind: str
) -> None:
    timeout = {"HYN_SEARCH_TRIAL_TIMEOUT": "2"}
    stopped, following = rows(cluster, tmp_path / "root", kind, "good", **timeout)
    assert (stopped["status"], following["status"]) == ("failed", "succeeded")
    assert "timed out" in stopped["detail"]
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if LEFT in (each.info["cmdline"] or ())
    ]


@pytest.mark.parametrize("kind", HUNGRY)
def test_one_that_takes_more_memory_than_it_may_is_stopped_and_says_how_to_raise_that(
    cluster: DaskCluster, tmp_path: pathlib.Path, kind: str
) -> None:
    limit = {"HYN_SEARCH_MEMORY": "800MB"}
    stopped, following = rows(cluster, tmp_path / "root", kind, "good", **limit)
    assert (stopped["status"], following["status"]) == ("failed", "succeeded")
    assert "took more than 0.8 GB of memory" in stopped["detail"]
    assert "HYN_SEARCH_MEMORY" in stopped["detail"]
