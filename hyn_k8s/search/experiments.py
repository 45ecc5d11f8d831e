"""What a Hypernets experiment ends in, kept on the storage: the whole pipeline, not one model.

An experiment is a chain of steps, searches among them, and its result is made by the last one, long
after the dispatcher returned. Every experiment puts itself into its hyper model's context; so when
a search of one begins, its class is taught to hand over the pipeline it will make.
"""

from __future__ import annotations

import functools
from typing import Any

from hyn_k8s.search import private_names
from hyn_k8s.search.session import current_session


def experiment_of(hyper_model: Any) -> Any:
    """The experiment that searches with ``hyper_model``, None if the script does so itself."""
    return private_names.contents_of(hyper_model.context).get("exp")


def keep_pipeline_of(hyper_model: Any) -> None:
    """If ``hyper_model`` is an experiment's, let the session have the pipeline it ends in."""
    kind: Any = type(experiment_of(hyper_model))
    make = getattr(kind, "to_estimator", None)
    if make is None or hasattr(make, "_is_kept"):
        return

    @functools.wraps(make)
    def to_estimator(self: Any, *args: Any, **kwargs: Any) -> Any:
        pipeline = make(self, *args, **kwargs)
        session = current_session()
        if session is not None:
            session.keep_pipeline(pipeline)
        return pipeline

    to_estimator._is_kept = True  # type: ignore[attr-defined]
    kind.to_estimator = to_estimator
