"""A trial store as a meta-learner is to see it: with the trials of earlier searches only.

A meta-learner reads the store once for each signature of samples, at that signature's first
result, when the store has none of this search's. A search that is resumed would find its own
earlier trials there, learn each of them twice, and draw other samples than before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


class EarlierTrials:
    """``store`` without the trials whose models are below ``models``."""

    def __init__(self, store: Any, models: str) -> None:
        self._store = store
        self._models = models

    def get_all(self, dataset_id: Any, space_signature: str) -> list[Any]:
        """The trials of earlier searches with such samples."""
        found = self._store.get_all(dataset_id, space_signature)
        return [trial for trial in found if not str(trial.model_file).startswith(self._models)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@contextlib.contextmanager
def earlier_trials_only(searcher: Any, store: Any, models: str) -> Iterator[Any]:
    """Within, the meta-learner of ``searcher``, if any, sees no trials of this search in ``store``.

    Gives the store as it sees it, which is what a searcher's state may refer to.
    """
    learner = getattr(searcher, "meta_learner", None)
    if store is None or learner is None:
        yield store
        return
    learner.trial_store = EarlierTrials(store, models)
    try:
        yield learner.trial_store
    finally:
        learner = getattr(searcher, "meta_learner", None)  # a resumed searcher has another one
        if learner is not None:
            learner.trial_store = store
