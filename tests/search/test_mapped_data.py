"""Data are on the storage once, and each trial has them for itself, in memory that others share."""

from __future__ import annotations

import itertools
import mmap
import pathlib
import tempfile
import threading
import time
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse  # type: ignore[import-untyped]

from hyn_k8s.errors import ScriptError, StorageError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import site
from hyn_k8s.search.mapped_data import load_data, write_data
from hyn_k8s.search.site import Site
from hyn_k8s.search.storage import Storage
from tests.storages import Opener, on_directory

PATHS = SearchPaths("heart-1", 1)

ROWS = 100_000


@pytest.fixture(autouse=True)
def own_copies(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of what is in a bucket lie where this test may look."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def storage(open: Opener) -> Storage:
    return open()


def loaded(storage: Storage, *arguments: Any) -> Any:
    """What a trial elsewhere has of ``arguments``."""
    return load_data(Site(storage), write_data(storage, PATHS, 1, arguments))


def arrays_of(storage: Storage) -> list[str]:
    return [name for name in storage.list(PATHS.directory) if name.startswith("data-")]


def frame() -> pd.DataFrame:
    numbers = np.arange(ROWS)
    return pd.DataFrame(
        {
            "age": numbers % 90,
            "height": numbers / 7.0,
            "name": [f"patient {number}" for number in numbers],
            "kind": pd.Categorical(np.where(numbers % 3, "a", "b")),
            "seen": pd.date_range("2020-01-01", periods=ROWS, freq="min"),
            "rare": pd.array([None, 1] * (ROWS // 2), dtype="Int64"),
        },
        index=pd.Index(numbers[::-1], name="id"),
    )


class TestWhatTrialsHave:
    def test_tables_are_as_they_were(self, storage: Storage) -> None:
        X, y = frame(), pd.Series(np.arange(ROWS) % 2, name="ill")
        found_X, found_y, options = loaded(storage, X, y, {"epochs": 3})
        pd.testing.assert_frame_equal(found_X, X)
        pd.testing.assert_series_equal(found_y, y)
        assert options == {"epochs": 3}
        assert len(arrays_of(storage)) == 1

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(ROWS * 3.0).reshape(ROWS, 3),
            np.asfortranarray(np.arange(ROWS * 3).reshape(ROWS, 3)),
            np.arange(ROWS * 6)[::2],
            np.arange(ROWS * 6.0).reshape(ROWS, 6)[:, 1:4].T,
            np.array([f"name {number}" for number in range(ROWS)], object).reshape(-1, 4),
            np.array([f"name {number}" for number in range(ROWS)], object).reshape(-1, 4).T,
            np.array([{"n": number} for number in range(ROWS)], object),
            np.array([[number] for number in range(ROWS)] + [[1, 2]], object)[:-1],
            np.zeros(ROWS, [("x", "f8"), ("label", "U7")]),
            np.arange(ROWS * 2).astype("M8[s]"),
            np.asfortranarray(np.arange(ROWS * 2).astype("m8[ns]").reshape(-1, 4)),
            np.zeros((0, 7)),
        ],
        ids=lambda array: f"{array.dtype}-{array.shape}"[:24],
    )
    def test_so_are_arrays_of_every_kind(self, storage: Storage, array: Any) -> None:
        (found,) = loaded(storage, array)
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert (found == array).all()
        assert found.flags.writeable

    def test_so_are_sparse_ones(self, storage: Storage) -> None:
        matrix = scipy.sparse.random(ROWS, 200, 0.01, "csr", random_state=1)
        (found,) = loaded(storage, matrix)
        assert abs(found - matrix).nnz == 0

    def test_what_two_arguments_share_stays_shared(self, storage: Storage) -> None:
        X = np.arange(ROWS * 3.0)
        one, other, options = loaded(storage, X, X, {"eval_set": [X]})
        assert one is other is options["eval_set"][0]

    def test_an_array_that_holds_itself(self, storage: Storage) -> None:
        array = np.empty(10_000, object)
        array[0] = array
        (found,) = loaded(storage, array)
        assert found[0] is found

    def test_subclasses_keep_their_class(self, storage: Storage) -> None:
        masked = np.ma.masked_greater(np.arange(ROWS * 3.0), 7)
        (found,) = loaded(storage, masked)
        assert isinstance(found, np.ma.MaskedArray)
        assert found.count() == masked.count() == 8

    def test_what_cannot_be_pickled_is_named(self, storage: Storage) -> None:
        with pytest.raises(ScriptError, match="the data of the search cannot be sent to workers"):
            write_data(storage, PATHS, 1, (np.zeros(ROWS), threading.Lock()))
        assert storage.list_files("") == []


class TestSharing:
    def test_what_a_trial_changes_no_other_one_sees(self, storage: Storage) -> None:
        here, data = Site(storage), write_data(storage, PATHS, 1, (np.zeros(ROWS * 3),))
        (first,) = load_data(here, data)
        first[:] = 1
        (second,) = load_data(here, data)
        assert not second.any()
        assert first.all()

    def test_it_takes_no_memory_of_its_own(self, tmp_path: pathlib.Path) -> None:
        storage = on_directory(tmp_path)()
        here, size = Site(storage), 64 * 1024 * 1024
        data = write_data(storage, PATHS, 1, (np.ones(size // 8),))
        before = anonymous_memory()
        found = [load_data(here, data)[0] for _ in range(4)]
        assert sum(each.sum() for each in found) == 4 * size // 8
        assert anonymous_memory() - before < size // 4

    def test_libraries_that_map_files_themselves_take_it(self, storage: Storage) -> None:
        (X,) = loaded(storage, np.arange(ROWS * 20.0))
        work = joblib.Parallel(n_jobs=2, backend="threading", max_nbytes=1000)
        assert work(joblib.delayed(np.sum)(X) for _ in range(3)) == [X.sum()] * 3
        assert joblib.hash(X) == joblib.hash(np.arange(ROWS * 20.0))

    def test_arrays_of_a_file_and_times_are_no_part_of_the_pickle(
        self, storage: Storage, tmp_path: pathlib.Path
    ) -> None:
        np.save(tmp_path / "X.npy", np.arange(ROWS * 3.0))
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
        times = pd.DataFrame({"seen": pd.date_range("2020-01-01", periods=ROWS * 2, freq="s")})
        data = write_data(storage, PATHS, 1, (X, times))
        assert data.pickled.size < 10_000
        found, found_times = load_data(Site(storage), data)
        assert (found == X).all()
        pd.testing.assert_frame_equal(found_times, times)

    def test_small_ones_need_no_file(self, storage: Storage) -> None:
        (found,) = loaded(storage, np.arange(20_000))
        assert found.sum() == np.arange(20_000).sum()
        assert arrays_of(storage) == []

    def test_a_file_system_that_cannot_map_is_read(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = mmap.mmap

        def mapping(number: int, *arguments: Any) -> mmap.mmap:
            if number != -1:
                raise OSError("no such device")
            return real(number, *arguments)

        monkeypatch.setattr(mmap, "mmap", mapping)
        (found,) = loaded(storage, np.arange(ROWS * 3))
        assert (found == np.arange(ROWS * 3)).all()
        assert found.flags.writeable


class TestWriting:
    def test_the_next_driver_does_not_write_it_again(self, storage: Storage) -> None:
        first = write_data(storage, PATHS, 1, (frame(), "one"))
        written = storage.list_files("")
        storage.write_pieces = None  # type: ignore[assignment, method-assign]
        second = write_data(storage, PATHS, 2, (frame(), "another"))
        assert first.arrays == second.arrays
        assert set(storage.list_files("")) - set(written) == {PATHS.data(2)}
        assert load_data(Site(storage), second)[1] == "another"

    def test_half_a_file_is_written_again(self, storage: Storage) -> None:
        data = write_data(storage, PATHS, 1, (np.arange(ROWS * 3),))
        assert data.arrays is not None
        storage.write(data.arrays.path, b"half of it")
        (found,) = loaded(storage, np.arange(ROWS * 3))
        assert found[-1] == ROWS * 3 - 1

    def test_one_that_does_not_come_is_named(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(site, "VISIBLE_WITHIN_SECONDS", 0.2)
        data = write_data(storage, PATHS, 1, (np.arange(ROWS * 3),))
        assert data.arrays is not None
        storage.delete(data.arrays.path)
        with pytest.raises(StorageError, match=r"data-\w+\.bin"):
            load_data(Site(storage), data)

    def test_other_threads_run_while_strings_are_pickled(self, tmp_path: pathlib.Path) -> None:
        strings = np.array([f"row {number}" for number in range(2_000_000)], object)
        ticks, ended = [time.monotonic()], threading.Event()

        def tick() -> None:
            while not ended.wait(0.01):
                ticks.append(time.monotonic())

        ticking = threading.Thread(target=tick)
        ticking.start()
        begun = time.monotonic()
        write_data(on_directory(tmp_path)(), PATHS, 1, (pd.DataFrame({"name": strings}),))
        took = time.monotonic() - begun
        ended.set()
        ticking.join()
        longest = max(after - before for before, after in itertools.pairwise(ticks))
        assert longest < took / 2


def anonymous_memory() -> int:
    """What this process has of its own, in bytes."""
    fields = pathlib.Path("/proc/self/status").read_text().split()
    return int(fields[fields.index("RssAnon:") + 1]) * 1024
