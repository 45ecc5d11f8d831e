"""``DaskDispatcher``: what Hypernets calls to run the trials of one ``search()``.

It prepares a search (its directory, the stripped hyper model and the data on the storage, the
cluster), lets ``SearchLoop`` run it, and writes its results, however it ends. Experiments
deep-copy hyper models with their dispatchers, so an instance holds nothing but plain values;
everything that lasts is the session's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Iterator
from typing import Any

from hyn_k8s.contract import SEED, SearchPaths
from hyn_k8s.errors import HynError, SearchError, SettingsError
from hyn_k8s.search import hyper_models, shipping
from hyn_k8s.search.dask_execution import DaskExecution
from hyn_k8s.search.execution import Execution, InlineExecution, interrupts_reach
from hyn_k8s.search.experiments import experiment_of, keep_pipeline_of
from hyn_k8s.search.knowledge import Keeper
from hyn_k8s.search.loop import SearchLoop
from hyn_k8s.search.outcome import SUCCEEDED, Failure, failed_reward
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.results import Recorder, Row, SearchFacts
from hyn_k8s.search.session import Session, current_session, start_session
from hyn_k8s.search.settings import read_settings
from hyn_k8s.search.site import write_blob
from hyn_k8s.search.table_settings import changed_settings
from hyn_k8s.search.trial import Materials, SearchTask


class DaskDispatcher:
    """A dispatcher for ``HyperModel(dispatcher=...)``, and the one ``enable()`` puts in place.

    ``executors`` is the number of trials in flight of this hyper model, HYN_SEARCH_EXECUTORS
    when None. Without ``enable()`` the first search begins a session by the environment.
    """

    def __init__(self, executors: int | None = None) -> None:
        if executors is not None and executors < 1:
            raise SettingsError("DaskDispatcher(executors=)", str(executors), "1 or more")
        self._executors = executors

    def dispatch(
        self,
        hyper_model: Any,
        X: Any,
        y: Any,
        X_eval: Any,
        y_eval: Any,
        X_test: Any,
        cv: bool,
        num_folds: int,
        max_trials: int,
        dataset_id: Any,
        trial_store: Any,
        **fit_kwargs: Any,
    ) -> int:
        """Run one search, as Hypernets' dispatchers do; the number after the last trial.

        Raises:
            HynError: settings, storage, cluster or workers do not allow the search to go on.
        """
        session = current_session() or _start_session()
        keep_pipeline_of(hyper_model)
        search = _Search(session, hyper_model, max_trials, cv, self._executors)
        options = _space_options(hyper_model, X, y)
        arguments = (X, y, X_eval, y_eval, X_test, fit_kwargs)
        try:
            with _one_random_state():
                return search.run(arguments, num_folds, dataset_id, trial_store, options)
        except HynError as error:
            if experiment_of(hyper_model) is not None:
                session.errors.append(error)  # the experiment logs it, and returns nothing
            raise


def _start_session() -> Session:
    """The session of a script that only passes a dispatcher; its searcher is there already."""
    settings = read_settings()
    if settings.seed is not None:
        found = f"{settings.seed}, which comes after the searcher drew its first random numbers"
        accepted = "a seed under hyn-k8s run or with hyn_k8s.enable(), or set_random_state()"
        raise SettingsError(SEED.label, found, accepted)
    return start_session(settings)


class _Search:
    """One search of a session."""

    def __init__(
        self, session: Session, hyper_model: Any, max_trials: int, cv: bool, executors: int | None
    ) -> None:
        self._session = session
        self._hyper_model = hyper_model
        self._storage = session.storage
        self._inline = session.standalone
        self._window = 1 if self._inline else executors or session.settings.executors
        self._paths = session.begin_search()
        self._facts = _facts(hyper_model, max_trials, self._window, cv)
        self._recorder = Recorder(self._storage, self._paths, self._facts)
        self._progress = Progress(
            search=f"{self._paths.run}/{self._paths.name}",
            total=max_trials,
            maximize=self._facts.directions[0] == "max",
            reward=self._facts.rewards[0],
            begun=time.time(),
        )

    def run(
        self, arguments: tuple[Any, ...], num_folds: int, dataset_id: Any, trial_store: Any,
        space_options: dict[str, Any],
    ) -> int:  # fmt: skip
        """Run all trials; the number after the last one.

        Results are written however it ends; a search that could not begin leaves nothing.
        """
        try:
            execution = self._prepare(arguments, num_folds)
        except BaseException:
            self._session.forget_search(self._paths)
            raise
        state = "failed"
        try:
            loop = SearchLoop(
                self._hyper_model,
                execution,
                window=self._window,
                ordered=self._session.settings.ordered,
                max_trials=self._facts.max_trials,
                dataset_id=dataset_id,
                trial_store=trial_store,
                space_options=space_options,
                told=self._told,
                running=self._running,
            )
            with interrupts_reach(execution):
                following = loop.run()
            state = "stopped" if loop.stopped else "finished"
            return following
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            self._end(state)

    def _prepare(self, arguments: tuple[Any, ...], num_folds: int) -> Execution:
        """Put on the storage what every trial needs, and get hold of something to run them."""
        shipping.ship_script_modules()
        session, paths = self._session, self._paths
        light = hyper_models.stripped(self._hyper_model)
        hyper_model = shipping.dumps(light, "the hyper model")
        data = None if self._inline else shipping.dumps(arguments, "the data of the search")
        self._storage.make_directory(paths.models)
        task = SearchTask(
            key=session.join_inline() if self._inline else session.cluster().key,
            paths=paths,
            hyper_model=write_blob(self._storage, paths.hyper_model, hyper_model),
            data=None if data is None else write_blob(self._storage, paths.data, data),
            cv=self._facts.cv,
            num_folds=num_folds,
            seed=session.settings.seed,
            table_settings=changed_settings(),
        )
        session.keep_hyper_model(paths, light)
        if not self._inline:
            return self._on_dask(task)
        self._show(dataclasses.replace(self._progress, begun=time.time()))
        return InlineExecution(task, Materials(self._hyper_model, arguments[:-1], arguments[-1]))

    def _on_dask(self, task: SearchTask) -> Execution:
        session = self._session
        cluster = session.cluster()
        if task.seed is not None and cluster.address.startswith("inproc://"):
            found = f"{task.seed} and workers in the script's own process"
            raise SettingsError(SEED.label, found, "workers that are processes of their own")
        self._show(
            dataclasses.replace(self._progress, begun=time.time(), dashboard=cluster.dashboard)
        )
        return DaskExecution(
            cluster,
            task,
            attempts=session.settings.trial_attempts,
            failed_reward=failed_reward(self._hyper_model),
            keeper=Keeper(self._storage, self._paths, self._hyper_model),
            tell=session.reporter.tell,
        )

    def _told(self, row: Row, failure: Failure | None) -> None:
        self._recorder.add(row, failure)
        rewards = row.rewards if row.status == SUCCEEDED else None
        error = f"{row.detail} (trial {row.trial})" if failure else None
        self._show(self._progress.with_trial(row.trial, row.status, rewards, error))
        self._recorder.write_if_due(self._progress)

    def _running(self, running: int) -> None:
        self._show(self._progress.with_running(running))

    def _show(self, progress: Progress) -> None:
        self._progress = progress
        self._session.reporter.show(progress)

    def _end(self, state: str) -> None:
        self._show(self._progress.finished())
        progress = self._progress
        if progress.failed and progress.failed == progress.done:
            last = progress.last_error or "an unknown error"
            self._session.errors.append(SearchError(progress.search, progress.failed, last))
        # Space is freed first: a full storage may be why the search ends.
        for passing in (self._paths.data, self._paths.known):
            self._storage.delete(passing)
        _delete_orphans(self._session, self._paths, self._recorder.committed_models())
        self._recorder.write(progress, state, self._recorder.pareto())


def _space_options(hyper_model: Any, X: Any, y: Any) -> dict[str, Any]:
    """What sampling needs to know of the data: feature importances, for one objective only."""
    from hypernets.tabular import get_tool_box
    from hypernets.utils import const

    searcher = hyper_model.searcher
    if searcher.kind() != const.SEARCHER_MOO:
        return {}
    if "feature_usage" not in [objective.name for objective in searcher.objectives]:
        return {}
    tool_box = get_tool_box(X, y)
    estimator = tool_box.general_estimator(X, y, task=hyper_model.task)
    estimator.fit(tool_box.general_preprocessor(X).fit_transform(X, y), y)
    importances = zip(estimator.feature_name_, estimator.feature_importances_, strict=True)
    return {"importances": list(importances)}


@contextlib.contextmanager
def _one_random_state() -> Iterator[None]:
    """Where the script set no seed, let all samples draw from one random state, seeded by chance.

    Hypernets otherwise makes a new one for each parameter of each sample: 2.5 kB, and a read of
    the system's entropy that costs more than the drawing.
    """
    from hypernets.core import random_state

    if random_state._hypernets_random_state is not None:
        yield
        return
    random_state.set_random_state(secrets.randbits(32))
    try:
        yield
    finally:
        random_state.set_random_state(None)


def _facts(hyper_model: Any, max_trials: int, window: int, cv: bool) -> SearchFacts:
    return SearchFacts(
        hyper_model=type(hyper_model).__qualname__,
        searcher=type(hyper_model.searcher).__qualname__,
        rewards=tuple(hyper_models.reward_names(hyper_model)),
        directions=tuple(hyper_models.directions(hyper_model)),
        max_trials=max_trials,
        executors=window,
        cv=bool(cv),
    )


def _delete_orphans(session: Session, paths: SearchPaths, committed: set[str]) -> None:
    """Remove models of executions that were never accepted: lost workers, stopped trials."""
    for name in session.storage.list(paths.models):
        model, ending, _ = f"{paths.models}/{name}".partition(".pkl")  # it may have files beside it
        if model + ending not in committed:
            session.storage.delete(f"{paths.models}/{name}")
