"""``DaskDispatcher``: what Hypernets calls to run the trials of one ``search()``.

Experiments deep-copy hyper models with their dispatchers, so an instance holds nothing but plain
values; everything that lasts is the session's, and the search itself is ``searching``'s.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

from hyn_k8s.contract import SEED
from hyn_k8s.errors import HynError, SettingsError
from hyn_k8s.search import private_names
from hyn_k8s.search.experiments import experiment_of, keep_pipeline_of
from hyn_k8s.search.preparation import Request
from hyn_k8s.search.searching import Search
from hyn_k8s.search.session import Session, current_session, start_session
from hyn_k8s.search.settings import read_settings


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
        try:
            with _one_random_state():
                request = Request(
                    data=(X, y, X_eval, y_eval, X_test),
                    fit_kwargs=fit_kwargs,
                    cv=bool(cv),
                    num_folds=num_folds,
                    max_trials=max_trials,
                    dataset_id=dataset_id,
                    trial_store=trial_store,
                    space_options=_space_options(hyper_model, X, y),
                )
                executors = self._executors or session.settings.executors
                following = Search(session, hyper_model, request, executors).run()
        except HynError as error:
            session.failure = error
            if experiment_of(hyper_model) is not None:
                session.errors.append(error)  # the experiment logs it, and returns nothing
            raise
        session.failure = None
        return following


def _start_session() -> Session:
    """The session of a script that only passes a dispatcher; its searcher is there already."""
    settings = read_settings()
    if settings.seed is not None:
        found = f"{settings.seed}, which comes after the searcher drew its first random numbers"
        accepted = "a seed under hyn-k8s run or with hyn_k8s.enable(), or set_random_state()"
        raise SettingsError(SEED.label, found, accepted)
    return start_session(settings)


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

    if private_names.scripts_random_state() is not None:
        yield
        return
    random_state.set_random_state(secrets.randbits(32))
    try:
        yield
    finally:
        random_state.set_random_state(None)
