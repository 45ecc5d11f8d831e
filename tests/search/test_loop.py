"""The loop against Hypernets' own in-process dispatcher, and what is ours: failures, twins, stops.

Trials run inline, by the very function that goes to workers.
"""

from __future__ import annotations

import contextlib
import csv
import json
import pathlib
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypernets.core.callbacks import EarlyStoppingError
from hypernets.core.trial import DiskTrialStore

import hyn_k8s
from hyn_k8s.paths import RunPaths
from hyn_k8s.search import session as sessions
from hyn_k8s.search.activation import activate
from hyn_k8s.search.events import Asked
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.journal import Journal
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.loop import Order, SearchLoop
from hyn_k8s.search.outcome import SUCCEEDED, Ended, Outcome
from hyn_k8s.search.past import Past, read_past
from hyn_k8s.search.reporting import LineReporter
from hyn_k8s.search.session import Session
from hyn_k8s.search.settings import Settings, StorageSettings
from hyn_k8s.search.state import InFlight, Report, SearchState
from tests import searches
from tests.searches import Diary, ListSearcher, nothing_stored, sample, tiny_model


@contextlib.contextmanager
def standalone_session(root: pathlib.Path) -> Iterator[Session]:
    """A session whose trials run in this process."""
    environ = {"HYN_STORAGE_ROOT": str(root), "HYN_SEARCH_BACKEND": "standalone"}
    settings = Settings.from_env(environ, "/")
    session = activate(settings, "test", LineReporter(lambda line: None))
    try:
        yield session
    finally:
        session.close()
        assert sessions.current_session() is None


@pytest.fixture
def session(tmp_path: pathlib.Path) -> Iterator[Session]:
    with standalone_session(tmp_path / "root") as session:
        yield session


def search(model: Any, **kwargs: Any) -> Any:
    model.search(searches.X, searches.Y, searches.X, searches.Y, dataset_id="tiny", **kwargs)
    return model


def rows(session: Session) -> list[dict[str, str]]:
    assert session.run is not None
    path = pathlib.Path(session.storage.rooted(session.run)) / "search-1/trials.csv"
    with path.open() as file:
        return list(csv.DictReader(file))


def summary(session: Session) -> dict[str, Any]:
    assert session.run is not None
    path = pathlib.Path(session.storage.rooted(session.run)) / "search-1/summary.json"
    read: dict[str, Any] = json.loads(path.read_text())
    return read


class TestFailures:
    @pytest.mark.parametrize(
        ("kind", "detail"),
        [
            ("fit", "ValueError: this sample cannot be trained"),
            ("save", "RuntimeError: cannot be saved"),
            ("evaluate", "RuntimeError: cannot be evaluated"),
            ("exit", "SystemExit: training gave up"),
        ],
    )
    def test_a_failing_trial_is_recorded_and_the_search_goes_on(
        self, session: Session, kind: str, detail: str
    ) -> None:
        diary = Diary()
        searcher = ListSearcher([sample(0.1, kind=kind), sample(0.2)])
        model = search(tiny_model(searcher, callbacks=[diary]), max_trials=2)
        assert [trial.succeeded for trial in model.history.trials] == [False, True]
        assert diary.events[2][:2] == ("error", 1)
        assert [row["status"] for row in rows(session)] == ["failed", "succeeded"]
        assert rows(session)[0]["detail"] == detail
        failures = session.storage.read("test-1/search-1/failures.txt").decode()
        assert failures.startswith("trial 1\nTraceback")
        assert "tests/searches.py" in failures
        assert summary(session)["trials"]["failed"] == 1

    def test_a_failed_sample_counts_as_the_worst_for_the_searcher(self, session: Session) -> None:
        searcher = ListSearcher([sample(0.3), sample(0.2), sample(0.9, kind="fit")])
        search(tiny_model(searcher), max_trials=3)
        assert [told for _, told in searcher.told] == [[0.3], [0.2], [0.2]]

    def test_a_pruned_trial_is_no_failure(self, session: Session) -> None:
        search(tiny_model(ListSearcher([sample(0.1, kind="pruned"), sample(0.2)])), max_trials=2)
        counts = summary(session)["trials"]
        assert (counts["pruned"], counts["failed"], counts["succeeded"]) == (1, 0, 1)

    def test_a_searcher_without_a_sample_spends_a_number(self, session: Session) -> None:
        searcher = ListSearcher([RuntimeError("no idea"), sample(0.2)])
        model = search(tiny_model(searcher), max_trials=2)
        assert [trial.trial_no for trial in model.history.trials] == [2]
        assert rows(session)[0]["detail"] == "RuntimeError: no idea"

    def test_a_callback_that_raises_does_no_harm(self, session: Session) -> None:
        class Clumsy(Diary):
            def on_trial_end(self, *args: Any, **kwargs: Any) -> None:
                raise KeyError("clumsy")

        diary = Diary()
        model = tiny_model(ListSearcher([sample(0.1)]), callbacks=[Clumsy(), diary])
        assert len(search(model, max_trials=1).history.trials) == 1
        assert diary.events[-2][0] == "end"

    def test_a_trial_store_that_raises_does_no_harm(
        self, session: Session, tmp_path: pathlib.Path
    ) -> None:
        class Full(DiskTrialStore):
            def _put(self, dataset_id: Any, trial: Any) -> None:
                raise OSError("disk full")

            def _get(self, dataset_id: Any, space_sample: Any) -> Any:
                raise OSError("cannot be read")

        searcher = ListSearcher([sample(0.1), sample(0.2)])
        store = Full(str(tmp_path / "store"))
        model = search(tiny_model(searcher), max_trials=2, trial_store=store)
        assert [trial.succeeded for trial in model.history.trials] == [True, True]

    def test_a_searcher_may_stop_when_it_is_told_a_result(self, session: Session) -> None:
        class Content(ListSearcher):
            def update_result(self, space: Any, result: Any) -> None:
                super().update_result(space, result)
                if len(self.told) == 2:
                    raise EarlyStoppingError("good enough")

        searcher = Content([sample(n / 10) for n in range(1, 6)])
        search(tiny_model(searcher), max_trials=5)
        assert len(searcher.told) == 2
        assert summary(session)["state"] == "stopped"

    def test_a_callback_of_no_base_class_is_called_for_what_it_has(self, session: Session) -> None:
        class Duck:
            heard: list[int] = []  # noqa: RUF012

            def on_trial_end(self, hyper_model: Any, space: Any, trial_no: int, *_: Any) -> None:
                self.heard.append(trial_no)

        search(tiny_model(ListSearcher([sample(0.1)]), callbacks=[Duck()]), max_trials=1)
        assert Duck.heard == [1]

    def test_a_search_without_a_success_is_remembered(self, session: Session) -> None:
        search(tiny_model(ListSearcher([sample(0.1, kind="fit")] * 1)), max_trials=1)
        (error,) = session.errors
        assert str(error) == (
            "test-1/search-1: none of its 1 trials succeeded; the last error: "
            "ValueError: this sample cannot be trained (trial 1)"
        )

    @pytest.mark.parametrize(
        ("kinds", "last"),
        [
            (["fit", "fit", "good"], None),
            (["fit", "pruned"], "ValueError: this sample cannot be trained (trial 1)"),
            (["pruned", "pruned"], "none failed, all were pruned"),
        ],
    )
    def test_what_counts_is_whether_one_succeeded(
        self, session: Session, kinds: list[str], last: str | None
    ) -> None:
        samples = [sample(n / 10, kind=kind) for n, kind in enumerate(kinds, 1)]
        search(tiny_model(ListSearcher(samples)), max_trials=len(samples))
        assert [error.args[1:] for error in session.errors] == ([(2, last)] if last else [])

    def test_a_sample_that_failed_before_is_no_result(self, session: Session) -> None:
        """Its twins are skipped, and have no reward either."""
        search(tiny_model(ListSearcher([sample(0.1, kind="fit")] * 3)), max_trials=3)
        assert [error.args[1] for error in session.errors] == [1]
        assert [(row["status"], row["reward"]) for row in rows(session)] == [
            ("failed", ""),
            ("skipped", ""),
            ("skipped", ""),
        ]

    def test_what_is_known_from_an_earlier_search_is_a_result(self, session: Session) -> None:
        model = search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        model.searcher = ListSearcher([sample(0.1), sample(0.2, kind="fit")])
        search(model, max_trials=2)
        assert session.errors == []

    def test_an_interrupt_leaves_the_results_so_far(self, session: Session) -> None:
        class Impatient(Diary):
            def on_trial_end(self, hyper_model: Any, space: Any, trial_no: int, *_: Any) -> None:
                if trial_no == 2:
                    raise KeyboardInterrupt

        searcher = ListSearcher([sample(n / 10) for n in range(1, 9)])
        with pytest.raises(KeyboardInterrupt):
            search(tiny_model(searcher, callbacks=[Impatient()]), max_trials=8)
        assert summary(session)["state"] == "interrupted"
        assert [row["trial"] for row in rows(session)] == ["1", "2"]


class TestInThisProcess:
    def test_it_is_the_scripts_own_hyper_model_that_runs_trials(self, session: Session) -> None:
        class Counting(searches.TinyModel):
            built = 0

            def _get_estimator(self, space_sample: Any) -> Any:
                self.built += 1
                assert self.searcher.space_fn is searches.space
                return super()._get_estimator(space_sample)

        searcher = ListSearcher([sample(0.1), sample(0.2)])
        model = search(Counting(searcher, task="binary", reward_metric="auc"), max_trials=2)
        assert model.built == 2
        assert [reward for _, reward in searcher.told] == [[0.1], [0.2]]

    def test_what_cannot_be_pickled_may_be_trained_with(self, session: Session) -> None:
        import threading

        model = search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1, lock=threading.Lock())
        assert [trial.succeeded for trial in model.history.trials] == [True]

    def test_the_scripts_own_functions_stay_what_they_are(self, session: Session) -> None:
        import cloudpickle

        before = dict(vars(searches.TinyEstimator))
        cloudpickle.register_pickle_by_value(searches)  # as a script's module is
        try:
            model = search(tiny_model(ListSearcher([sample(0.1), sample(0.4)])), max_trials=2)
            assert hyn_k8s.load_best().x == 0.4
        finally:
            cloudpickle.unregister_pickle_by_value(searches)
        assert dict(vars(searches.TinyEstimator)) == before
        assert type(model.load_estimator(model.history.trials[0].model_file)) is (
            searches.TinyEstimator
        )


class TestResults:
    def test_the_front_is_that_of_one_search(self, session: Session) -> None:
        searcher = ListSearcher([sample(0.9, depth=1), sample(0.2, depth=7), sample(0.3, depth=8)])
        searcher.objectives = [
            searches.OfEstimator("x", "max"),
            searches.OfEstimator("depth", "min"),
        ]
        searcher.kind = lambda: "moo"
        model = tiny_model(searcher)
        for trials in (1, 2):
            search(model, max_trials=trials)
        assert summary(session)["pareto"] == [1]
        assert session.run is not None
        second = json.loads(session.storage.read(f"{session.run}/search-2/summary.json"))
        assert second["pareto"] == [1, 2]
        assert [trial.trial_no for trial in model.history.get_best()] == [1]

    def test_rows_hold_what_a_trial_was_and_where(self, session: Session) -> None:
        search(tiny_model(ListSearcher([sample(0.25, depth=7)])), max_trials=1)
        (row,) = rows(session)
        assert row["reward"] == "0.25"
        assert row["tiny.depth"] == "7"
        assert row["tiny.x"] == "0.25"
        assert row["worker"] == "driver"
        assert float(row["elapsed_seconds"]) >= 0
        assert row["started"].endswith("Z")
        assert row["started"] <= row["ended"]
        assert row["model"].startswith("test-1/search-1/models/00001_")
        assert session.storage.read(row["model"])

    def test_an_estimator_that_saves_nothing_is_legal(self, session: Session) -> None:
        search(tiny_model(ListSearcher([sample(0.1, kind="unsaved")])), max_trials=1)
        assert (rows(session)[0]["status"], rows(session)[0]["model"]) == ("succeeded", "")

    def test_memo_and_iteration_scores_come_back(self, session: Session) -> None:
        model = search(tiny_model(ListSearcher([sample(0.25)])), max_trials=1, cv=True)
        (trial,) = model.history.trials
        assert trial.memo["scores"] == {"auc": 0.25}
        assert list(trial.memo["oof"]) == [0.25] * len(searches.X)
        assert trial.iteration_scores == {"fold": [0.1, 0.25]}

    def test_only_models_of_accepted_trials_stay_and_the_data_goes(self, session: Session) -> None:
        samples = [sample(0.1), sample(0.2, kind="evaluate")]  # this one fails after it saved
        search(tiny_model(ListSearcher(samples)), max_trials=2)
        assert len(session.storage.list("test-1/search-1/models")) == 1
        assert session.storage.list("test-1/search-1") == [
            "failures.txt",
            "hyper-model-000001.pkl",
            "journal",
            "models",
            "search-000001.json",
            "summary.json",
            "trials.csv",
        ]

    def test_each_search_has_a_directory_and_each_session_a_run(
        self, tmp_path: pathlib.Path
    ) -> None:
        for _ in range(2):
            with standalone_session(tmp_path / "root") as session:
                for _ in range(2):
                    search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        assert session.storage.list("") == ["test-1", "test-2"]
        assert session.storage.list("test-2") == ["drivers", "run.json", "search-1", "search-2"]
        manifest = json.loads(session.storage.read("test-2/run.json"))
        assert manifest["run"] == "test-2"
        assert manifest["started"] < manifest["ended"]


class Scripted:
    """An execution whose trials end in the order a test wants, all successfully."""

    def __init__(self, order: list[int], quiet: bool = False) -> None:
        self.order = order
        self.quiet = quiet
        self.submitted: list[int] = []
        self.in_flight: set[int] = set()
        self.most = 0
        self.cancelled: set[int] = set()

    def submit(self, number: int, asked: InFlight) -> None:
        self.submitted.append(number)
        self.in_flight.add(number)
        self.most = max(self.most, len(self.in_flight))

    def send(self) -> bool:
        return self.quiet

    def next(self, timeout: float | None = None) -> Ended:
        number = next(n for n in self.order if n in self.in_flight)
        self.in_flight.remove(number)
        outcome = Outcome(number, SUCCEEDED, [number / 10], 1.0, 0.0, 1.0, "w")
        return Ended(outcome, pickle.dumps(outcome))

    def wake(self) -> None:
        """It never waits."""

    def cancel(self, stop: bool) -> None:
        self.cancelled = set(self.in_flight)

    def interrupt(self) -> None:
        raise KeyboardInterrupt


class Logging(ListSearcher):
    """What it is asked and told, and, with its ``diary`` among the callbacks, what has begun."""

    def __init__(self, samples: list[Any]) -> None:
        super().__init__(samples)
        self.log: list[tuple[str, int]] = []
        self.diary = _Begins(self.log)

    def sample(self, space_options: Any = None) -> Any:
        self.log.append(("ask", 1 + sum(what == "ask" for what, _ in self.log)))
        return super().sample(space_options)

    def update_result(self, space: Any, result: Any) -> None:
        self.log.append(("tell", round(result[0] * 10)))


class _Begins(Diary):
    def __init__(self, log: list[tuple[str, int]]) -> None:
        super().__init__()
        self.log = log

    def on_trial_begin(self, hyper_model: Any, space: Any, trial_no: int) -> None:
        self.log.append(("begin", trial_no))


class TestManyInFlight:
    @pytest.fixture(autouse=True)
    def _storage(self, tmp_path: pathlib.Path) -> Iterator[None]:
        self.storage = FileStorage(StorageSettings("file", str(tmp_path)))
        self.lease = Lease(self.storage, "test-1", 1, lambda error: None)
        yield
        self.lease.release()

    def loop(
        self,
        samples: list[Any] | ListSearcher,
        order: list[int],
        window: int,
        callbacks: Any = (),
        ordered: bool = False,
        quiet: bool = False,
        asked: int = 0,
    ) -> tuple[Any, Scripted, ListSearcher, Any]:
        """Run it; an earlier driver has ``asked`` so many samples and was told nothing."""
        execution = Scripted(order, quiet)
        searcher = samples if isinstance(samples, ListSearcher) else ListSearcher(samples)
        diary = Diary()
        model = tiny_model(searcher, callbacks=[diary, *callbacks])
        paths = RunPaths("test-1").search(1)
        journal = Journal(self.storage, paths, self.lease, Past(), execution.wake)
        reports: list[Report] = []
        state = SearchState(model, nothing_stored)
        for number in range(1, asked + 1):
            drawn = searcher.sample()
            state.ask(state.spend(), drawn, tuple(drawn.vectors), b"", known=number - 1)
        self.running = loop = SearchLoop(
            model,
            state,
            Order(
                window=window,
                ordered=ordered,
                max_trials=asked + len(searcher),
                dataset_id="tiny",
                trial_store=None,
                space_options={},
                keep_random_numbers=False,
            ),
            execution,
            journal,
            anchors={},
            samples={},
            report=reports.append,
            running=lambda count: None,
        )
        loop.run()
        journal.close()
        told = [event[1] for event in diary.events if event[0] in ("end", "error", "skip")]
        assert [report.row.trial for report in reports] == told
        return model, execution, searcher, diary.events

    def test_the_window_is_kept_full_and_never_overrun(self) -> None:
        samples = [sample(n / 10) for n in range(1, 10)]
        _, execution, _, _ = self.loop(samples, list(range(9, 0, -1)), window=3)
        assert execution.most == 3
        assert execution.submitted == list(range(1, 10))

    def test_tells_come_in_the_order_in_which_trials_end(self) -> None:
        samples = [sample(n / 10) for n in range(1, 5)]
        model, _, searcher, _ = self.loop(samples, [2, 4, 3, 1], window=3)
        assert [trial.trial_no for trial in model.history.trials] == [2, 4, 3, 1]
        assert [told for _, told in searcher.told] == [[0.2], [0.4], [0.3], [0.1]]

    def test_one_sample_is_asked_ahead_and_begins_before_the_tell_that_makes_room(self) -> None:
        searcher = Logging([sample(n / 10) for n in range(1, 6)])
        _, execution, _, _ = self.loop(searcher, [2, 1, 3, 4, 5], 2, [searcher.diary], quiet=True)
        assert searcher.log == [
            *[("ask", 1), ("begin", 1), ("ask", 2), ("begin", 2), ("ask", 3)],
            *[("begin", 3), ("tell", 2), ("ask", 4)],
            *[("begin", 4), ("tell", 1), ("ask", 5)],
            *[("begin", 5), ("tell", 3), ("tell", 4), ("tell", 5)],
        ]
        assert execution.most == 2

    def test_nothing_is_asked_ahead_while_trials_end(self) -> None:
        searcher = Logging([sample(n / 10) for n in range(1, 5)])
        self.loop(searcher, [1, 2, 3, 4], 2, [searcher.diary])
        assert [step for step in searcher.log if step[0] != "begin"] == [
            *[("ask", 1), ("ask", 2), ("tell", 1), ("ask", 3), ("tell", 2), ("ask", 4)],
            *[("tell", 3), ("tell", 4)],
        ]

    def test_one_at_a_time_each_sample_is_asked_when_the_one_before_was_told(self) -> None:
        searcher = Logging([sample(n / 10) for n in range(1, 4)])
        self.loop(searcher, [1, 2, 3], 1, quiet=True)
        assert searcher.log == [(what, n) for n in (1, 2, 3) for what in ("ask", "tell")]

    def test_no_slot_idles_for_a_twin(self) -> None:
        samples = [sample(0.1), sample(0.1), sample(0.2), sample(0.3)]
        model, execution, _, events = self.loop(samples, [3, 1, 4], window=2)
        assert execution.submitted == [1, 3, 4]
        assert [trial.trial_no for trial in model.history.trials] == [3, 1, 4]
        assert [event[1] for event in events if event[0] == "skip"] == [2]

    def test_a_searcher_that_insists_on_a_sample_does_not_spend_all_numbers(self) -> None:
        searcher = Logging([sample(0.1) for _ in range(20)])
        self.loop(searcher, [1], 3, quiet=True)
        assert searcher.log.index(("tell", 1)) == 5  # a slot for each, one twin, one asked ahead

    def test_a_search_that_is_terminated_does_not_begin_what_was_asked_ahead(self) -> None:
        class Terminating(ListSearcher):
            def sample(searcher, space_options: Any = None) -> Any:  # noqa: N805
                if len(searcher) == 2:
                    self.running.terminate(grace=60.0)
                return super().sample(space_options)

        searcher = Terminating([sample(n / 10) for n in range(1, 5)])
        model, execution, _, _ = self.loop(searcher, [1, 2, 3, 4], 2, quiet=True)
        assert execution.submitted == [1, 2]
        assert [trial.trial_no for trial in model.history.trials] == [1, 2]
        asked = read_past(self.storage, RunPaths("test-1").search(1)).events
        assert [event.number for event in asked if isinstance(event, Asked)] == [1, 2, 3]

    def test_of_many_samples_of_an_earlier_driver_as_many_begin_as_have_slots(self) -> None:
        samples = [sample(n / 10) for n in range(1, 6)]
        model, execution, _, _ = self.loop(samples, [3, 2, 1, 4, 5], 2, asked=4)
        assert execution.most == 2
        assert [trial.trial_no for trial in model.history.trials] == [2, 3, 1, 4, 5]

    def test_an_ordered_search_tells_in_the_order_of_the_trials(self) -> None:
        samples = [sample(n / 10) for n in range(1, 7)]
        model, execution, searcher, _ = self.loop(samples, [6, 2, 4, 3, 5, 1], 3, ordered=True)
        assert [trial.trial_no for trial in model.history.trials] == [1, 2, 3, 4, 5, 6]
        assert [told for _, told in searcher.told] == [[n / 10] for n in range(1, 7)]
        assert execution.most == 3

    def test_an_ordered_search_asks_the_next_one_after_each_tell(self) -> None:
        searcher = Logging([sample(n / 10) for n in range(1, 6)])
        self.loop(searcher, [3, 2, 1, 5, 4], 3, ordered=True, quiet=True)
        assert searcher.log == [
            *[("ask", n) for n in (1, 2, 3)],
            *[("tell", 1), ("ask", 4), ("tell", 2), ("ask", 5)],
            *[("tell", n) for n in (3, 4, 5)],
        ]

    def test_a_sample_in_flight_is_not_trained_twice_and_keeps_its_slot(self) -> None:
        samples = [sample(0.1), sample(0.1), sample(0.1), sample(0.2), sample(0.3)]
        model, execution, _, events = self.loop(samples, [1, 2, 3, 4, 5], window=2)
        assert execution.submitted == [1, 4, 5]
        assert [e[:3] for e in events if e[0] == "skip"] == [
            ("skip", 2, "trial_existed"),
            ("skip", 3, "trial_existed"),
        ]
        assert [trial.trial_no for trial in model.history.trials] == [1, 4, 5]

    def test_an_exhausted_space_still_waits_for_what_is_in_flight(self) -> None:
        samples: list[Any] = [sample(0.1), sample(0.2), EarlyStoppingError("no more"), sample(0.3)]
        model, execution, _, _ = self.loop(samples, [2, 1], window=3)
        assert [trial.trial_no for trial in model.history.trials] == [2, 1]
        assert execution.cancelled == set()

    def test_an_early_stop_makes_void_what_was_told_after_it(self) -> None:
        class Stop(Diary):
            def on_trial_end(self, *args: Any, **kwargs: Any) -> None:
                raise EarlyStoppingError("enough")

        samples = [sample(n / 10) for n in range(1, 9)]
        order = [2, 1, 3, 4, 5, 6, 7, 8]
        model, _, _, _ = self.loop(samples, order, window=3, callbacks=[Stop()])
        assert [trial.trial_no for trial in model.history.trials] == [2]
