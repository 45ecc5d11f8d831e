"""What trials print, on real workers: while they run, afterwards, and when they are killed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping

import psutil
import pytest
from distributed import Client

from hyn_k8s.errors import RunError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import log_keeper
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.log_keeper import _Saver
from hyn_k8s.search.log_reading import read_log
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.settings import Settings, StorageSettings
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trial_logs import MOST_BYTES, Begun, Log
from tests.prints import KEY_NAME, MEETING, PrintingModel
from tests.processes import PRELOAD, DaskCluster, S3Server, dask_cluster
from tests.searches import ListSearcher, sample
from tests.sessions import rows_of, search, session_on
from tests.waiting import until

pytestmark = pytest.mark.processes

SECRET = "a-key/of+the-environment"


@pytest.fixture(scope="module")
def printers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A worker with two threads, which has a key in its environment."""
    meeting = tmp_path_factory.mktemp("meeting")
    with dask_cluster(tmp_path_factory.mktemp("dask"), workers=0) as cluster:
        env = {"AWS_SECRET_ACCESS_KEY": SECRET, KEY_NAME: SECRET, MEETING: str(meeting)}
        cluster.add_worker("worker", env=env, options=("--nthreads", "2", *PRELOAD))
        with Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        yield cluster


@pytest.fixture(params=["file", "s3"])
def env(request: pytest.FixtureRequest, tmp_path: object) -> dict[str, str]:
    """The variables that name a place on each kind of storage."""
    if request.param == "file":
        return {"HYN_STORAGE_ROOT": f"{tmp_path}/root"}
    server: S3Server = request.getfixturevalue("s3")
    return {**server.env, "HYN_STORAGE_ROOT": f"/b-{uuid.uuid4().hex}/prefix"}


Rows = list[dict[str, str]]


def run(cluster: DaskCluster, env: Mapping[str, str], *kinds: str, **more: str) -> Rows:
    """The rows of a search whose trials print these, one after the other unless ``more`` says."""
    once = {"HYN_SEARCH_EXECUTORS": "1", "HYN_SEARCH_TRIAL_ATTEMPTS": "1"}
    samples = [sample(number / 100, kind=kind) for number, kind in enumerate(kinds, 1)]
    environ = {**env, **once, **more}
    with session_on(cluster.address, env["HYN_STORAGE_ROOT"], environ) as (session, _):
        model = PrintingModel(ListSearcher(samples), task="binary", reward_metric="auc")
        with contextlib.suppress(Exception):  # no trial may succeed
            search(model, max_trials=len(samples))
        return rows_of(session)


def opened(env: Mapping[str, str]) -> Storage:
    return open_storage(Settings.from_env(env, "/").storage)


def log(env: Mapping[str, str], trial: int = 1) -> str:
    """What the command shows of the trial."""
    return read_log(opened(env), "test-1", None, trial).decode()


def lines(env: Mapping[str, str], trial: int = 1) -> list[str]:
    return log(env, trial).splitlines()


def kept(env: Mapping[str, str], trial: int, last: str) -> list[str]:
    """The lines of a log, once one ends in ``last``: it is written right after the trial."""

    def found() -> list[str]:
        with contextlib.suppress(RunError):
            seen = lines(env, trial)
            return seen if any(line.endswith(last) for line in seen) else []
        return []

    return until(found, f"the log of trial {trial}")


def test_all_that_is_printed_is_kept_by_trial(printers: DaskCluster, env: dict[str, str]) -> None:
    kinds = ("print_everywhere", "good", "print_in_processes", "print_in_joblibs")
    run(printers, env, *kinds, "print_in_joblibs")
    first = kept(env, 1, "by a library in C")
    assert first[0].startswith("--- trial 1 on worker-")
    wanted = {"by print", "by print to stderr", "by logging", "by a library in C"}
    assert {line for line in first if line in wanted} == wanted
    assert {"in a fork", "in a program"} <= {*kept(env, 3, "in a program")}
    for trial in (4, 5):
        assert kept(env, trial, "by joblib").count("by joblib") == 2
    with pytest.raises(RunError, match="trial 2 of its search-1 printed nothing"):
        log(env, 2)
    paths = RunPaths("test-1").search(1)
    assert opened(env).list(paths.logs) == [f"{n:05d}.txt" for n in (1, 3, 4, 5)]


def test_whatever_a_trial_does_to_its_streams_the_next_one_has_them(
    printers: DaskCluster, env: dict[str, str]
) -> None:
    kinds = ("print_in_c", "close_stdout", "print_everywhere", "replace_stdout", "print_everywhere")
    rows = run(printers, env, *kinds)
    assert [row["detail"] for row in rows] == [""] * 5
    assert kept(env, 1, "by printf")[1:] == ["by printf"]
    assert kept(env, 2, "before it is closed")[1:] == ["before it is closed"]
    for trial in (3, 5):
        assert "by print" in kept(env, trial, "by a library in C")


def test_one_that_ended_well_after_all_does_not_end_with_what_ended_it_before(
    printers: DaskCluster, env: dict[str, str]
) -> None:
    (row,) = run(printers, env, "exit_once", HYN_SEARCH_TRIAL_ATTEMPTS="2")
    assert row["status"] == "succeeded"
    *_, cause, header, last = kept(env, 1, "has printed nothing ---")
    assert "did not end by itself" in cause
    assert header.startswith("--- trial 1 again on ")
    assert last == "--- this attempt has printed nothing ---"


@pytest.mark.parametrize(
    ("kind", "printed", "cause"),
    [
        ("print_and_die", "before the end", "its process was ended by SIGKILL"),
        ("print_and_exit", "before the exit", "its process ended with exit code 3"),
        ("print_and_hold", "while it runs", "it was stopped, since it had not ended after 2 s"),
        ("print_and_take_memory", "before it takes all", "it took more than 0.8 GB of memory"),
    ],
)
def test_the_last_line_says_why_a_trial_did_not_end(
    printers: DaskCluster, env: dict[str, str], kind: str, printed: str, cause: str
) -> None:
    limits = {"HYN_SEARCH_MEMORY": "800MB"}
    if kind == "print_and_hold":
        limits["HYN_SEARCH_TRIAL_TIMEOUT"] = "2"
    run(printers, env, kind, **limits)
    *found, last = lines(env)
    assert any(line.startswith(printed) for line in found)
    assert last.startswith(f"--- trial 1 did not end by itself: {cause}")


def test_each_attempt_is_below_the_one_before(printers: DaskCluster, env: dict[str, str]) -> None:
    run(printers, env, "print_and_exit", HYN_SEARCH_TRIAL_ATTEMPTS="3")
    found = lines(env)
    headers = [line.partition(" on ")[0] for line in found if " on worker" in line]
    assert headers == ["--- trial 1", "--- trial 1 again", "--- trial 1 again"]
    assert found.count("before the exit") == 3
    assert sum("exit code 3" in line for line in found) == 3


def test_a_trial_that_lets_nothing_else_run_is_seen_while_it_runs(
    printers: DaskCluster, env: dict[str, str]
) -> None:
    search = threading.Thread(target=run, args=(printers, env, "print_and_hold"), daemon=True)
    search.start()

    def holding() -> int | None:
        with contextlib.suppress(RunError):
            printed = [line for line in lines(env) if line.startswith("while it runs: ")]
            return int(printed[0].rpartition(" ")[2]) if printed else None
        return None

    process = until(holding, "what it printed")
    os.kill(process or 0, signal.SIGKILL)
    search.join(60)
    assert "SIGKILL" in lines(env)[-1]
    assert "it may have run out of memory" in lines(env)[-1]


def test_of_much_output_the_ends_are_kept(printers: DaskCluster, env: dict[str, str]) -> None:
    run(printers, env, "print_much")
    found = kept(env, 1, "the last line")
    assert found[1] == "the first line"
    assert sum("bytes are left out here" in line for line in found) == 1
    assert MOST_BYTES * 0.99 < len(log(env)) <= MOST_BYTES
    worker = printers.log("worker")
    assert worker.count("what this trial prints from here on is in its own log only") >= 1


def test_no_key_is_kept_nor_in_the_workers_log(printers: DaskCluster, env: dict[str, str]) -> None:
    run(printers, env, "print_a_key")
    found = kept(env, 1, "in two: [redacted].")
    assert "at once: [redacted]" in found
    assert SECRET not in printers.log("worker")


def test_two_trials_at_once_do_not_mix(printers: DaskCluster, env: dict[str, str]) -> None:
    kinds = ("print_beside_another", "print_beside_another")
    rows = run(printers, env, *kinds, HYN_SEARCH_EXECUTORS="2")
    assert {row["status"] for row in rows} == {"succeeded"}
    logs = []
    for trial in (1, 2):
        logs.append([line for line in kept(env, trial, "line 99") if line.startswith("process ")])
    processes = [{line.split()[1] for line in each} for each in logs]
    assert [len(each) for each in logs] == [100, 100]
    assert [len(each) for each in processes] == [1, 1]
    assert processes[0] != processes[1]


def test_rows_say_what_trials_took(printers: DaskCluster, env: dict[str, str]) -> None:
    much, little = run(printers, env, "take_a_little", "good")
    assert float(much["memory_mb"]) > float(little["memory_mb"]) + 150 > 200
    assert 0.2 < float(much["cpu_seconds"]) < 30
    assert float(little["cpu_seconds"]) < float(much["cpu_seconds"])


def test_nothing_is_left_when_the_run_has_ended(printers: DaskCluster, env: dict[str, str]) -> None:
    run(printers, env, "print_everywhere")
    (worker,) = [printers.workers["worker"].pid]

    def hosts_children() -> list[psutil.Process]:
        hosts = psutil.Process(worker).children()
        return [child for host in hosts for child in host.children()]

    until(lambda: not hosts_children(), "the end of trial processes and log keepers")


def test_without_a_log_keeper_trials_go_on(printers: DaskCluster, env: dict[str, str]) -> None:
    rows = run(printers, env, "kill_its_log_keeper", "print_everywhere")
    assert [row["detail"] for row in rows] == ["", ""]


def test_many_short_trials_keep_their_logs_where_the_storage_is_slow(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FileStorage):
        def write(self, path: str, data: bytes) -> None:
            threading.Event().wait(0.02)
            super().write(path, data)

    settings = StorageSettings("file", str(tmp_path))
    monkeypatch.setattr(log_keeper, "open_storage", Slow)
    saver = _Saver(settings)
    for number in range(100):
        ended = Log(Begun(f"logs/{number:05d}.txt", number, "worker", False, 0.0))
        saver.add(ended, b"ValueError: no column age\n")
        saver.hurry(ended)
    saver.close()
    assert len(list((tmp_path / "logs").iterdir())) == 100
