"""What a search leaves on the storage for people, and the way back to it."""

from __future__ import annotations

import json
import types
from typing import Any

import numpy as np
import pytest

from hyn_k8s.errors import RunError, StorageError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import results
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.manifests import encode, manifest_of
from hyn_k8s.search.outcome import Failure
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.results import (
    Recorder,
    SearchFacts,
    best_model,
    last_search,
    latest_searches,
    read_summaries,
    read_trials,
)
from hyn_k8s.search.rows import Row, timestamp
from tests.rows import NEW_YEAR, csv_bytes, row

FACTS = SearchFacts("TinyModel", "RandomSearcher", ("auc",), ("max",), 10, 3, False)


def progress(rows: list[Row]) -> Progress:
    """The progress of a search after ``rows``."""
    made = Progress("heart-1/search-1", 10, directions=("max",), reward="auc", begun=NEW_YEAR)
    for each in rows:
        error = f"{each.detail} (trial {each.trial})" if each.detail else None
        rewards = each.rewards if each.status == "succeeded" else None
        made = made.with_trial(each.trial, each.status, rewards, error)
    return made


def begin_run(storage: FileStorage, run: str, started: str = "2026-01-01T00:00:00.000000") -> None:
    """Claim ``run`` as a session does."""
    manifest = {**manifest_of(run, "heart", "a script"), "started": f"{started}+00:00"}
    storage.create(RunPaths(run).manifest, encode(manifest))


def record(storage: FileStorage, paths: SearchPaths, rows: list[Row]) -> None:
    """Write a finished search with ``rows``."""
    recorder = Recorder(storage, paths, FACTS)
    for each in rows:
        recorder.add(each)
    recorder.write(progress(rows), "finished", [])


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
            "processes_lost": 0,
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

    def test_a_traceback_that_is_not_unicode_is_escaped(self, storage: FileStorage) -> None:
        recorder = Recorder(storage, self.paths, FACTS)
        recorder.add(row(1), Failure("ValueError", "ValueError: no file caf\udce9.csv\n"))
        recorder.write(progress([row(1)]), "finished", [])
        assert storage.read(self.paths.failures).endswith(b"no file caf\\udce9.csv\n")

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
        storage.write(RunPaths("heart-1").token(1), b"token")
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

    def test_a_damaged_summary_is_named(self, storage: FileStorage) -> None:
        begin_run(storage, "heart-1")
        record(storage, RunPaths("heart-1").search(1), [row(1, 0.5)])
        storage.write("heart-1/search-1/summary.json", b"")
        with pytest.raises(RunError, match=r"its heart-1/search-1/summary.json is damaged"):
            read_summaries(storage, "heart-1")

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
