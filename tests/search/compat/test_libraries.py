"""What libraries took away is there again, and Hypernets works with it."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import dask.sizeof
import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn.utils
from hypernets.tabular import get_tool_box, sklearn_ex
from hypernets.tabular.column_selector import TextColumnSelector, column_number, column_object
from hypernets.tabular.dataframe_mapper import TransformerPipeline
from sklearn.preprocessing import StandardScaler


class TestLibraries:
    def test_tosequence(self) -> None:
        steps = [("scale", StandardScaler())]
        assert TransformerPipeline(steps).steps is steps
        assert sklearn.utils.tosequence(iter(steps)) == steps
        scaled = TransformerPipeline(steps).fit_transform(np.array([[1.0], [3.0]]))
        assert scaled.tolist() == [[-1.0], [1.0]]

    def test_unicode(self) -> None:
        encoder = sklearn_ex.MultiVarLenFeatureEncoder([("tags", "|")])
        encoded = encoder.fit_transform(pd.DataFrame({"tags": ["a|b", "b", "c|a"]}))
        assert encoded["tags"].tolist() == [[1, 2], [2, 0], [3, 1]]

    def test_applymap(self) -> None:
        frame: Any = pd.DataFrame({"text": ["one two three four", "five"], "word": ["a", "b"]})
        assert frame.applymap(len).to_numpy().tolist() == [[18, 1], [4, 1]]
        assert TextColumnSelector(word_count_threshold=3)(frame) == ["text"]

    @pytest.mark.parametrize(
        "read",
        [
            lambda: pd.DataFrame({"city": ["Rome", None, "Bonn"], "age": [1, 2, 3]}),
            lambda: pd.read_csv(io.StringIO("city,age\nRome,1\n,2\nBonn,3\n")),
            lambda: pd.DataFrame([["Rome", 1], ["Bonn", 2]], columns=["city", "age"]),
        ],
        ids=["dict", "csv", "rows"],
    )
    def test_text_columns(self, read: Callable[[], pd.DataFrame]) -> None:
        frame = read()
        assert str(frame.dtypes["city"]) == "object"
        assert column_object(frame) == ["city"]
        assert column_number(frame) == ["age"]
        prepared = get_tool_box(frame).general_preprocessor(frame).fit_transform(frame)
        assert set(prepared.columns) == {"city", "age"}
        assert prepared["city"].dtype.kind in "if"


class TestRandomNumbers:
    def test_dask_leaves_python_random_numbers_where_they_are(self) -> None:
        random.seed(7)
        assert dask.sizeof.sizeof(list(range(1000))) > 8000
        assert dask.sizeof.sizeof({str(number): number for number in range(1000)}) > 8000
        drawn = random.random()
        random.seed(7)
        assert drawn == random.random()


@pytest.mark.processes  # LightGBM asks lscpu for the number of cores
class TestThreads:
    @pytest.mark.parametrize(("told", "threads"), [("3", 3), ("", None), ("all", None)])
    def test_lightgbm_heeds_what_openmp_is_told(
        self, monkeypatch: pytest.MonkeyPatch, told: str, threads: int | None
    ) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        own = lightgbm.LGBMClassifier()._process_n_jobs(None)
        assert own == threads or (threads is None and own >= 1)
        assert lightgbm.LGBMClassifier()._process_n_jobs(2) == 2
