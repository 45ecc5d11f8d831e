"""Three hundred small searches of every kind, one after the other: all end, and leave nothing.

Each wait of the dispatcher has a deadline, so a search that hangs fails here by name. Afterwards
the process has the threads and open files it had before, the cluster knows no task of ours, and
no process and no file is left but what a search is meant to leave.
"""

from __future__ import annotations

import gc
import json
import pathlib
import random
import threading

import psutil
import pytest
from distributed import Client

from hyn_k8s.search.session import Session
from tests import searches
from tests.processes import dask_cluster
from tests.search.test_parity import SEARCHERS
from tests.searches import Diary, TinyModel
from tests.sessions import rows_of, search, session_on
from tests.waiting import until

pytestmark = pytest.mark.soak

SEARCHES = 300
SEARCHES_IN_A_SESSION = 10
KINDS = ["good", "good", "good", "fit", "save", "pruned"]

WARM_UP_SESSIONS = 3
"""Libraries keep a thread or a file of their own from their first use on."""


@pytest.mark.timeout(1800)
def test_hundreds_of_searches_all_end_and_leave_nothing(tmp_path: pathlib.Path) -> None:
    choices = random.Random(7)
    (tmp_path / "cluster").mkdir()
    with (
        dask_cluster(tmp_path / "cluster", 2, nannies=True) as cluster,
        Client(cluster.address) as watcher,
    ):
        before: dict[str, int] = {}
        for number in range(SEARCHES // SEARCHES_IN_A_SESSION):
            environ = {
                "HYN_SEARCH_EXECUTORS": choices.choice("1235"),
                "HYN_SEARCH_ORDERED": choices.choice("01"),
                "HYN_SEARCH_TRIAL_TIMEOUT": choices.choice(["", "60"]),
                "HYN_SEARCH_BACKEND": "standalone" if number % 5 == 4 else "dask",
            }
            root = tmp_path / f"root-{number}"
            address = None if number % 5 == 4 else cluster.address
            with session_on(address, str(root), environ) as (session, _):
                for _ in range(SEARCHES_IN_A_SESSION):
                    search_once(session, choices)
            assert_only_results_are_left(root)
            until(lambda: not tasks_of(watcher), "the scheduler to forget all tasks")
            if number == WARM_UP_SESSIONS:
                before = held()
        until(lambda: grown(before, held()) == {}, "the process to hold no more than before")


def search_once(session: Session, choices: random.Random) -> None:
    """One search by a searcher of any kind, with as many trials in its results as it was told."""
    name, trials = choices.choice(sorted(SEARCHERS)), choices.randint(1, 12)
    make, kinds = SEARCHERS[name], choices.sample(KINDS, 3)
    diary = Diary()
    searcher = make(lambda: searches.space(kinds))
    options = {} if hasattr(searcher, "objectives") else {"reward_metric": "auc"}
    model = TinyModel(searcher, task="binary", callbacks=[diary], **options)
    search(model, max_trials=trials)
    told = sorted(event[1] for event in diary.events if event[0] in ("end", "error", "skip"))
    paths = session.latest_search
    assert paths is not None
    rows = rows_of(session, paths.name)
    assert [int(row["trial"]) for row in rows if "no sample" not in row["detail"]] == told
    if name not in ("grid", "playback"):  # these may have fewer samples
        assert [int(row["trial"]) for row in rows] == list(range(1, trials + 1)), name
    summary = json.loads(session.storage.read(paths.summary))
    assert summary["state"] == "finished"
    assert summary["trials"]["done"] == len(rows)
    assert summary["workers_lost"] == 0


def assert_only_results_are_left(root: pathlib.Path) -> None:
    (run,) = (path for path in root.glob("[!.]*") if not path.name.startswith("hypernets-cache"))
    kept = {"drivers", "run.json", *(f"search-{n + 1}" for n in range(SEARCHES_IN_A_SESSION))}
    assert {path.name for path in run.iterdir()} == kept
    for directory in run.glob("search-*"):
        names = {path.name for path in directory.iterdir()}
        assert names <= {
            "failures.txt",
            "hyper-model-000001.pkl",
            "journal",
            "models",
            "search-000001.json",
            "summary.json",
            "trials.csv",
        }
        states = [path for path in (directory / "journal").iterdir() if path.suffix == ".state"]
        assert len(states) == 1
        assert not [path for path in (directory / "journal").iterdir() if path.suffix == ".seg"]


def tasks_of(watcher: Client) -> list[str]:
    """The tasks that the scheduler still knows."""
    found: list[str] = watcher.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
    return found


def held() -> dict[str, int]:
    """What this process holds that it might leak."""
    gc.collect()
    process = psutil.Process()
    return {
        "threads": threading.active_count(),
        "open files": process.num_fds(),
        "child processes": len(process.children(recursive=True)),
    }


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What there is more of than before, by a few at most: pools of libraries breathe."""
    return {
        name: (before[name], count)
        for name, count in after.items()
        if count > before[name] + (0 if name == "child processes" else 3)
    }
