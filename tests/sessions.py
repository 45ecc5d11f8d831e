"""Sessions for tests, with the tests' own classes shipped to workers, and searches in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle

from hyn_k8s.search.activation import activate
from hyn_k8s.search.results import read_trials
from hyn_k8s.search.session import Session
from hyn_k8s.search.settings import Settings
from tests import deeds, prints, searches
from tests.searches import sample


class Notes:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.latest: Any = None

    def show(self, progress: Any) -> None:
        self.latest = progress

    def tell(self, sentence: str) -> None:
        self.told.append(sentence)

    def close(self) -> None:
        pass


@contextlib.contextmanager
def session_on(
    address: str | None, root: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[Session, Notes]]:
    """A session on the scheduler at ``address``; the test's classes travel by value."""
    for module in (searches, deeds, prints):
        cloudpickle.register_pickle_by_value(module)
    environ = {"HYN_STORAGE_ROOT": root, **(env or {})}
    if address:
        environ["DASK_SCHEDULER_ADDRESS"] = address
    notes = Notes()
    session = activate(Settings.from_env(environ, "/"), "test", notes)
    try:
        yield session, notes
    finally:
        session.close()
        for module in (searches, deeds, prints):
            cloudpickle.unregister_pickle_by_value(module)


def search(model: Any, data: Any = None, **kwargs: Any) -> Any:
    X = searches.X if data is None else data
    model.search(X, searches.Y, X, searches.Y, dataset_id="tiny", **kwargs)
    return model


def slow_samples(count: int) -> list[Any]:
    return [sample(n / 100, kind="slow") for n in range(1, count + 1)]


def rows_of(session: Session, search: str = "search-1") -> list[dict[str, str]]:
    assert session.run is not None
    return read_trials(session.storage, session.run, search)
