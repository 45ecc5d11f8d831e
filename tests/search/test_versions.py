"""Which versions a driver and its workers must share."""

from __future__ import annotations

from hyn_k8s.search.versions import COMPARED, mismatch, versions


class TestMismatch:
    def test_the_same_is_fine(self) -> None:
        assert mismatch(versions(), versions()) is None
        assert set(versions()) == {"python", *COMPARED}
        assert "missing" not in versions().values()

    def test_each_difference_is_named_with_both_sides(self) -> None:
        other = {**versions(), "dask": "2020.1", "cloudpickle": "missing"}
        sentence = mismatch(versions(), other)
        assert sentence is not None
        assert "it has dask 2020.1, cloudpickle missing" in sentence
        assert f"the driver has dask {versions()['dask']}" in sentence
