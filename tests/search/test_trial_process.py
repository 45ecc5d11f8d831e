"""A trial process: what it stores for another driver, and what a trial leaves behind in it."""

from __future__ import annotations

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search.fencing import FencedStorage
from hyn_k8s.search.outcome import FAILED, PRUNED, SUCCEEDED, Outcome
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage
from hyn_k8s.search.trial_process import STORED_AFTER_SECONDS, read_outcome_at, store_outcome

PATH = "heart-1/search-1/outcomes/00007_abcdef012345.pkl"


@pytest.fixture
def here(storage: Storage) -> Site:
    return Site(storage)


def away() -> None:
    """Says that the storage is away, before each write."""
    raise StorageError("/shared", "it is away")


def outcome(status: str, took: float) -> Outcome:
    return Outcome(7, status, [0.5], took, 100.0, 100.0 + took, "node-1")


class TestStoring:
    @pytest.mark.parametrize("status", [SUCCEEDED, PRUNED])
    def test_one_that_took_its_time_is_found(self, here: Site, status: str) -> None:
        store_outcome(here, PATH, outcome(status, STORED_AFTER_SECONDS), b"it")
        assert read_outcome_at(here, PATH) == b"it"

    @pytest.mark.parametrize(
        "left", [outcome(SUCCEEDED, STORED_AFTER_SECONDS / 2), outcome(FAILED, 3600.0)]
    )
    def test_a_short_one_or_a_failed_one_is_run_again(self, here: Site, left: Outcome) -> None:
        store_outcome(here, PATH, left, b"it")
        assert read_outcome_at(here, PATH) is None

    def test_a_storage_that_is_away_does_not_fail_the_trial(self, storage: Storage) -> None:
        store_outcome(Site(FencedStorage(storage, away)), PATH, outcome(SUCCEEDED, 3600.0), b"it")
