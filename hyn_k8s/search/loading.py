"""Loads a run's best model back, in any process, also one that never saw the script.

Models are saved by the user's own estimator, so they are read by the user's own hyper model: the
search left it, with the script's classes by value, beside its models. An estimator that the hyper
model knows nothing of, since the search space names it, comes with the trial's sample.
"""

from __future__ import annotations

import contextlib
import posixpath
from typing import Any

from hyn_k8s.errors import RunError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import binding, compat, results, shipping
from hyn_k8s.search.claims import latest_epoch
from hyn_k8s.search.events import Asked
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.past import read_past
from hyn_k8s.search.session import current_session
from hyn_k8s.search.settings import read_settings
from hyn_k8s.search.storage import Storage

_LACKING = (AttributeError, ImportError)
"""What Python raises when a pickle names what a process does not have."""


def load_best(run: str | None, trial: int | None) -> Any:
    """The estimator of the best trial, or of ``trial``, of the last search of ``run``.

    If that search is an experiment's and no ``trial`` is named: the pipeline it ended in.

    Raises:
        RunError: there is no such run or trial, or it left no model.
        StorageError: the storage cannot be reached.
    """
    session = current_session()
    storage = session.storage if session else open_storage(read_settings().storage)
    run = run or results.latest_run(storage)
    paths = results.last_search(storage, run)
    compat.apply()
    binding.bind(storage.settings)
    if trial is None:
        pipeline = session.pipeline(paths) if session else None
        if pipeline is None:
            with contextlib.suppress(FileNotFoundError):
                pipeline = shipping.loads(storage.read(paths.pipeline), replace=False)
        if pipeline is not None:
            return pipeline
    model = results.best_model(storage, run, trial)
    hyper_model = session.hyper_model(paths) if session else None
    if hyper_model is None:
        hyper_model = shipping.loads(_read_hyper_model(storage, paths), replace=False)
    try:
        return _load(hyper_model, storage, paths, model)
    except _LACKING as error:
        problem = f"its model {model} cannot be loaded in this process: {error}"
        hint = "import that module first, or load the model in the script"
        raise RunError(run, f"{problem}; {hint}") from error


def _load(hyper_model: Any, storage: Storage, paths: SearchPaths, model: str) -> Any:
    """The estimator at ``model``; what the process lacks for it is looked for in its sample."""
    try:
        return hyper_model.load_estimator(storage.rooted(model))
    except _LACKING:
        _define_classes(storage, paths, model)
        return hyper_model.load_estimator(storage.rooted(model))


def _define_classes(storage: Storage, paths: SearchPaths, model: str) -> None:
    """Give this process the script's classes that the sample of the trial of ``model`` names."""
    number = int(posixpath.basename(model).partition("_")[0])
    for event in read_past(storage, paths).events:
        if isinstance(event, Asked) and event.number == number:
            shipping.loads(event.sample, replace=False)


def _read_hyper_model(storage: Storage, paths: SearchPaths) -> bytes:
    """The hyper model that the latest driver left, while another one may be putting its own there.

    Raises:
        RunError: there is none.
    """
    for _ in range(5):
        left = paths.latest_hyper_model(storage.list(paths.directory))
        epochs = range(latest_epoch(storage, paths.run), 0, -1)
        names = [*(paths.hyper_model(epoch) for epoch in epochs), *([left] if left else [])]
        found = storage.read_present(names)
        if found:
            return next(found[name] for name in names if name in found)
    raise RunError(paths.run, f"its {paths.name} has no hyper model to load models by")
