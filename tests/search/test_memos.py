"""A memo whose large values are on the storage is a dict to whoever asks it anything."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hyn_k8s.search.memos import LARGE_VALUE, StoredMemo, write_large_values
from hyn_k8s.search.outcome import SUCCEEDED, Outcome
from hyn_k8s.search.site import Blob, Site
from hyn_k8s.search.storage import Storage

PATH = "heart-1/search-1/values/00001_abcdef012345.pkl"
OOF = np.arange(LARGE_VALUE, dtype=float)


def outcome(**memo: Any) -> Outcome:
    return Outcome(1, SUCCEEDED, [0.5], 1.0, 0.0, 1.0, "node-1", memo=memo)


class Reader:
    """Reads from ``storage`` and counts how often."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.times = 0

    def __call__(self, blob: Blob) -> bytes:
        self.times += 1
        return Site(self._storage).blob(blob)


@pytest.fixture
def reader(storage: Storage) -> Reader:
    return Reader(storage)


@pytest.fixture
def memo(storage: Storage, reader: Reader) -> StoredMemo:
    light = write_large_values(storage, PATH, outcome(oof=OOF, scores=[1, 2]))
    assert light.stored is not None
    return StoredMemo(light.memo, light.stored.blob, light.stored.keys, reader)


class TestWriting:
    def test_what_is_large_does_not_travel(self, storage: Storage) -> None:
        light = write_large_values(storage, PATH, outcome(oof=OOF, scores=[1, 2]))
        assert (light.memo, list(light.memo)) == (
            {"oof": None, "scores": [1, 2]},
            ["oof", "scores"],
        )
        assert light.stored is not None
        assert (light.stored.keys, light.stored.blob.path) == (("oof",), PATH)
        assert len(pickle.dumps(light)) < 2000

    def test_many_small_values_are_no_large_one(self, storage: Storage) -> None:
        many = outcome(**{f"v{n}": bytes(LARGE_VALUE // 2) for n in range(20)})
        assert write_large_values(storage, PATH, many) is many
        assert storage.list("heart-1") == []


class TestAsDict:
    def test_nothing_is_read_until_a_value_is_asked_for(
        self, memo: StoredMemo, reader: Reader
    ) -> None:
        assert (list(memo), len(memo), "oof" in memo, "other" in memo) == (
            ["oof", "scores"],
            2,
            True,
            False,
        )
        assert (list(memo.keys()), memo["scores"], memo.get("other", 7)) == (
            ["oof", "scores"],
            [1, 2],
            7,
        )
        assert isinstance(memo, dict)
        assert "on the storage" in repr(memo)
        assert reader.times == 0

    def test_each_time_it_is_read_anew_and_nothing_keeps_it(
        self, memo: StoredMemo, reader: Reader
    ) -> None:
        first = memo["oof"]
        first[0] = 99.0
        assert memo["oof"][0] == 0.0
        assert reader.times == 2

    @pytest.mark.parametrize(
        "ask",
        [
            lambda memo: memo["oof"],
            lambda memo: memo.get("oof"),
            lambda memo: dict(memo)["oof"],
            lambda memo: {**memo}["oof"],
            lambda memo: dict(memo.items())["oof"],
            lambda memo: next(iter(memo.values())),
            lambda memo: memo.setdefault("oof"),
            lambda memo: memo.pop("oof"),
            lambda memo: (memo.pop("scores"), memo.popitem())[1][1],
            lambda memo: (memo | {})["oof"],
            lambda memo: ({} | memo)["oof"],
            lambda memo: memo.copy()["oof"],
            lambda memo: copy.copy(memo)["oof"],
            lambda memo: copy.deepcopy(memo)["oof"],
            lambda memo: pickle.loads(pickle.dumps(memo))["oof"],
            lambda memo: next(value for key, value in memo.items() if key == "oof"),
        ],
    )
    def test_whoever_asks_gets_the_value(self, memo: StoredMemo, ask: Callable[[Any], Any]) -> None:
        assert np.array_equal(ask(memo), OOF)

    def test_another_dict_takes_it_over(self, memo: StoredMemo) -> None:
        row: dict[str, Any] = {"trial_no": 1}
        row.update(memo)
        assert np.array_equal(row["oof"], OOF)

    def test_a_copy_reads_nothing(self, memo: StoredMemo, reader: Reader) -> None:
        copies = [copy.copy(memo), copy.deepcopy(memo), memo.copy()]
        assert reader.times == 0
        copies[1]["scores"].append(3)
        assert memo["scores"] == [1, 2]

    def test_a_value_that_is_set_is_the_memos_own(self, memo: StoredMemo, reader: Reader) -> None:
        memo["oof"] = "mine"
        memo.update(scores=[])
        assert memo == {"oof": "mine", "scores": []}
        assert memo != {"oof": "mine"}
        del memo["oof"]
        assert "oof" not in memo
        assert reader.times == 0
