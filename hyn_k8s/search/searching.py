"""One ``search()`` from its beginning, or from where an earlier driver left it, to its results.

It finds out what is there already. Of a finished search it restores history and searcher and
leaves the storage as it is. Otherwise this process becomes the run's driver, what was journaled is
replayed, everything that trials need is put on the storage, the loop runs, and the results are
written, however it ends. Only a driver that was overtaken writes nothing.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

from hyn_k8s.errors import HynError, RunTakenError, StorageError
from hyn_k8s.search import checkpoint, hyper_models, identity, removal
from hyn_k8s.search.account import FINISHED_STATES, Account
from hyn_k8s.search.execution import Execution
from hyn_k8s.search.journal import Journal
from hyn_k8s.search.loop import Order, SearchLoop
from hyn_k8s.search.outcome import failed_reward
from hyn_k8s.search.past import Past, read_past
from hyn_k8s.search.preparation import Request, prepare
from hyn_k8s.search.replay import Replay, is_over
from hyn_k8s.search.results import SearchFacts
from hyn_k8s.search.resumption import inform_of_past, until
from hyn_k8s.search.runs import Begun
from hyn_k8s.search.session import Session
from hyn_k8s.search.signals import Terminated, signals_reach, terminated_again_after
from hyn_k8s.search.site import Site
from hyn_k8s.search.state import SearchState
from hyn_k8s.search.trial_stores import earlier_trials_only


class Search:
    """One search of a session, of which ``window`` trials may be in flight."""

    def __init__(self, session: Session, hyper_model: Any, request: Request, window: int) -> None:
        self._session = session
        self._hyper_model = hyper_model
        self._request = request
        self._window = 1 if session.standalone else window
        self._storage = session.storage
        self._identity = identity.identity_of(
            hyper_model, request.cv, request.num_folds, request.dataset_id, request.data[2:]
        )
        self._facts = _facts(hyper_model, request, self._window)
        self._enter(session.begin_search(self._identity))
        storage = self._storage
        self._state = SearchState(hyper_model, lambda blob: Site(storage).blob(blob))
        self._anchors: checkpoint.Anchors = {}
        self._loop: SearchLoop | None = None

    def _enter(self, begun: Begun) -> None:
        """Take the search to be the one at ``begun``."""
        self._begun, self._paths = begun, begun.paths
        self._account = Account(self._session, begun.paths, self._facts)

    def run(self) -> int:
        """Run all trials that are left; the number after the last one.

        Raises:
            HynError: the cluster or the storage failed, or the run is another driver's now.
            Terminated: after SIGTERM.
        """
        with self._forgotten_if_it_fails():
            if self._session.is_terminated:
                raise Terminated  # again: the script has swallowed the first one
            past = self._find_past()
        models = self._storage.rooted(self._paths.models)
        store = self._request.trial_store
        with earlier_trials_only(self._hyper_model.searcher, store, models) as seen_by_learner:
            self._anchors = checkpoint.anchors_of(self._hyper_model, seen_by_learner)
            return self._go_on(past)

    def _find_past(self) -> Past:
        """What there is of the search, which nobody else adds to any more if anything is left."""
        past = self._read_past()
        hold = self._session.hold
        if self._is_finished(past) or hold.is_driving:
            return past
        hold.drive()
        # The driver that was waited for, if there was one, may have begun it, or done it all.
        self._enter(self._session.look_again(self._begun, self._identity))
        return self._read_past()

    def _go_on(self, past: Past) -> int:
        with self._forgotten_if_it_fails():
            if self._is_finished(past):
                return self._restore_finished(past)
            lease = self._session.hold.drive()
            written = identity.encode(self._identity)
            self._storage.write(self._paths.identity(lease.epoch), written)
            replay = self._replay(past)
            self._say_where_it_goes_on(replay)
            execution = prepare(
                self._session, self._paths, self._hyper_model, self._request, self._note_loss
            )
            removal.remove_earlier(self._storage, self._paths, lease.epoch)
        journal = Journal(self._storage, self._paths, lease, past, execution.wake)
        hold, thread = self._session.hold, threading.get_native_id()
        with (
            hold.telling_of_loss(journal.fail),
            hold.telling_of_loss(lambda error: self._session.end_if_stuck(thread, error)),
        ):
            return self._conduct(execution, journal, past, replay)

    def _conduct(self, execution: Execution, journal: Journal, past: Past, replay: Replay) -> int:
        state, error = "failed", None
        loop = self._loop = SearchLoop(
            self._hyper_model,
            self._state,
            self._order(),
            execution,
            journal,
            anchors=self._anchors,
            samples=replay.samples,
            report=self._account.take,
            running=self._account.note_running,
        )
        try:
            if past.state is None and not past.events:
                loop.keep_state()
            stopped_at = self._take_past(replay, past)
            self._account.show(self._account.progress)
            with self._signals(execution, loop):
                following = loop.run(stopped_at)
            ended = not self._state.in_flight or self._state.stopped
            state = "interrupted"
            if ended and not self._state.is_asking(self._request.max_trials):
                state = "stopped" if self._state.stopped else "finished"
        except BaseException as raised:
            error = raised
            state = "interrupted" if isinstance(raised, KeyboardInterrupt) else "failed"
            raise
        finally:
            self._end(state, error, journal)
        if loop.is_terminated:
            self._session.note_terminated()
            self._session.script_failed = True  # whatever comes after this search is left to do
            self._session.reporter.tell("Terminated; the same call goes on from here.")
            raise Terminated
        return following

    @contextlib.contextmanager
    def _forgotten_if_it_fails(self) -> Iterator[None]:
        """An error within leaves nothing of a new search behind."""
        try:
            yield
        except BaseException as error:
            away = isinstance(error, StorageError)
            patience = self._session.impatience() if away else contextlib.nullcontext()
            with patience, contextlib.suppress(HynError):  # the next call continues what stays
                self._session.forget_search(self._begun)
            raise

    def _read_past(self) -> Past:
        if self._begun.new:
            return Past()
        hold = self._session.hold
        least = hold.durable.get(self._paths.name) if hold.is_driving else None
        return read_past(self._storage, self._paths, least)

    def _is_finished(self, past: Past) -> bool:
        """Whether the search has all it can have, and its results are written."""
        if not past.events or not is_over(past, self._request.max_trials):
            return False
        try:
            summary = json.loads(self._storage.read(self._paths.summary))
        except FileNotFoundError:
            return False
        return summary["state"] in FINISHED_STATES

    def _restore_finished(self, past: Past) -> int:
        replay = self._replay(past)
        self._say_where_it_goes_on(replay)
        self._take_past(replay, past)
        self._account.end()
        self._session.keep_hyper_model(self._paths, hyper_models.stripped(self._hyper_model))
        self._account.finish()
        return self._state.following

    def _replay(self, past: Past) -> Replay:
        """Bring searcher and history to where the journal ends."""

        def draw() -> Any:
            return self._state.searcher.sample(space_options=self._request.space_options)

        replay = Replay(
            self._paths.run,
            self._state,
            past,
            self._storage,
            self._anchors,
            draw,
            failed_reward(self._hyper_model),
        )
        replay.run()
        return replay

    def _take_past(self, replay: Replay, past: Past) -> int | None:
        """Count what an earlier driver did, and let callbacks know.

        If one of these ends the search there: after how many events.
        """
        stopped_at = inform_of_past(self._hyper_model, replay.reports, past.elapsed)
        reports = until(replay.reports, stopped_at)
        void = [report for _, report in replay.reports[len(reports) :]]
        self._state.take_back(sum(report.trial is not None for report in void))
        self._account.take_past(reports, replay.workers_lost, replay.processes_lost)
        return stopped_at

    def _say_where_it_goes_on(self, replay: Replay) -> None:
        if not self._begun.new:
            progress = self._account.progress
            name = progress.search.removesuffix("/search-1")
            done = f"{len(replay.reports)} of {progress.total} done"
            self._session.reporter.tell(f"continuing {name}: {done}; --restart begins anew")

    def _order(self) -> Order:
        request = self._request
        return Order(
            window=self._window,
            ordered=self._session.settings.ordered,
            max_trials=request.max_trials,
            dataset_id=request.dataset_id,
            trial_store=request.trial_store,
            space_options=request.space_options,
            keep_random_numbers=self._session.standalone
            and self._session.settings.seed is not None,
        )

    @contextlib.contextmanager
    def _signals(self, execution: Execution, loop: SearchLoop) -> Iterator[None]:
        grace = self._session.settings.grace
        with terminated_again_after(grace) as end_the_trial:

            def terminate() -> None:
                loop.terminate(grace)
                if self._session.standalone:
                    end_the_trial()

            with signals_reach(execution.interrupt, terminate):
                yield

    def _note_loss(self, number: int, begun: bool, process: bool) -> None:
        assert self._loop is not None
        self._loop.note_loss(number, begun, process)
        self._account.note_loss(process)

    def _end(self, state: str, error: BaseException | None, journal: Journal) -> None:
        """Write the results; a storage that is away, or a run that is another driver's, gets none.

        Raises:
            RunTakenError: it is another driver's.
        """
        self._account.end()
        journal.close()
        failed = error if isinstance(error, HynError) else journal.error
        try:
            if isinstance(failed, RunTakenError):
                raise failed
            away = isinstance(failed, StorageError)
            with self._session.impatience() if away else contextlib.nullcontext():
                self._account.write(state)
        except (RunTakenError, StorageError) as raised:
            taken = isinstance(raised, RunTakenError)
            # What went wrong otherwise, then, may be the other driver's doing.
            if error is None or (taken and isinstance(error, HynError)):
                raise raised.with_traceback(None) from None


def _facts(hyper_model: Any, request: Request, window: int) -> SearchFacts:
    return SearchFacts(
        hyper_model=type(hyper_model).__qualname__,
        searcher=type(hyper_model.searcher).__qualname__,
        rewards=tuple(hyper_models.reward_names(hyper_model)),
        directions=tuple(hyper_models.directions(hyper_model)),
        max_trials=request.max_trials,
        executors=window,
        cv=bool(request.cv),
    )
