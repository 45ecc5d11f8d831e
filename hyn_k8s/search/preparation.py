"""What a search needs before its first trial: on the storage, and to run trials on.

The stripped hyper model and the data are written once for all trials; an ``Execution`` stands
ready on a Dask cluster, or in this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import hyper_models, removal, shipping
from hyn_k8s.search.attempts import Allowance
from hyn_k8s.search.dask_execution import DaskExecution
from hyn_k8s.search.execution import Execution, InlineExecution
from hyn_k8s.search.knowledge import Keeper
from hyn_k8s.search.mapped_data import write_data
from hyn_k8s.search.outcome import failed_reward
from hyn_k8s.search.session import Session
from hyn_k8s.search.site import write_blob
from hyn_k8s.search.table_settings import changed_settings
from hyn_k8s.search.trial import Materials, SearchTask


@dataclass(frozen=True)
class Request:
    """What ``search()`` was called with."""

    data: tuple[Any, ...]
    """``X, y, X_eval, y_eval, X_test``."""
    fit_kwargs: dict[str, Any]
    cv: bool
    num_folds: int
    max_trials: int
    dataset_id: Any
    trial_store: Any
    space_options: dict[str, Any]


def prepare(
    session: Session,
    paths: SearchPaths,
    hyper_model: Any,
    request: Request,
    lost: Callable[[int, bool, bool], None],
) -> Execution:
    """Put on the storage what every trial needs, and get hold of something to run them.

    ``lost`` hears of workers and processes lost under them.

    Raises:
        ScriptError: the hyper model or the data cannot be sent to workers.
        HynError: storage, scheduler or workers cannot be used.
    """
    shipping.ship_script_modules()
    storage, inline = session.storage, session.standalone
    light = hyper_models.stripped(hyper_model)
    pickled = shipping.dumps(light, "the hyper model")
    arguments = (*request.data, request.fit_kwargs)
    epoch = session.hold.drive().epoch
    storage.make_directory(paths.models)
    data = None if inline else write_data(storage, paths, epoch, arguments)
    if epoch > 1:  # an earlier driver may have had them in another order
        kept = data.arrays.path if data is not None and data.arrays is not None else ""
        removal.remove_arrays(storage, paths, kept)
    task = SearchTask(
        key=session.join_inline() if inline else session.cluster().key,
        paths=paths,
        epoch=epoch,
        hyper_model=write_blob(storage, paths.hyper_model(epoch), pickled),
        data=data,
        cv=request.cv,
        num_folds=request.num_folds,
        seed=session.settings.seed,
        table_settings=changed_settings(),
        path=tuple(os.path.abspath(each) for each in sys.path),
    )
    session.keep_hyper_model(paths, light)
    if inline:
        return InlineExecution(task, Materials(hyper_model, request.data, request.fit_kwargs))
    return _on_dask(session, hyper_model, task, lost)


def _on_dask(
    session: Session, hyper_model: Any, task: SearchTask, lost: Callable[[int, bool, bool], None]
) -> Execution:
    cluster, settings = session.cluster(), session.settings
    return DaskExecution(
        cluster,
        task,
        Allowance(settings.trial_attempts, settings.trial_timeout, settings.storage.patience),
        failed_reward=failed_reward(hyper_model),
        keeper=Keeper(session.storage, task.paths, task.epoch, hyper_model),
        renew=session.cluster_again,
        lost=lost,
        tell=session.reporter.tell,
        cluster_patience=settings.cluster_patience,
        url=session.storage.url,
    )
