"""What is mended in the libraries themselves, before Hypernets is imported.

What numpy, pandas and scikit-learn took away and Hypernets' modules look for by name is put back
under that name. LightGBM is told how many cores a worker has. And Dask, which estimates in its own
thread how large its messages are, keeps off the random numbers of trials and scripts.
"""

from __future__ import annotations

import os
import random
import warnings
from typing import Any

from hyn_k8s.search.compat.fix import Fix


def _lacks_tosequence() -> bool:
    import sklearn.utils

    return not hasattr(sklearn.utils, "tosequence")


def _give_tosequence() -> None:
    import numpy as np
    import sklearn.utils

    def tosequence(x: Any) -> Any:
        return x if isinstance(x, (list, tuple, np.ndarray)) else list(x)

    sklearn.utils.tosequence = tosequence


def _lacks_unicode() -> bool:
    import numpy as np

    return not hasattr(np, "unicode_")


def _give_unicode() -> None:
    import numpy as np

    np.unicode_ = np.str_  # type: ignore[attr-defined]


def _lacks_applymap() -> bool:
    import pandas as pd

    return not hasattr(pd.DataFrame, "applymap")


def _give_applymap() -> None:
    import pandas as pd

    pd.DataFrame.applymap = pd.DataFrame.map  # type: ignore[attr-defined]


def _infers_str() -> bool:
    import pandas as pd

    return bool(pd.Series(["text"]).dtype != object)


def _infer_object() -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 4 will take the option away, users cannot help it
        pd.set_option("future.infer_string", False)


def _takes_all_cores() -> bool:
    import lightgbm.sklearn

    count = getattr(lightgbm.sklearn, "_LGBMCpuCount", None)
    return count is not None and count.__module__ != __name__


def _heed_omp_num_threads() -> None:
    """A model that asks for no number of threads takes as many as OpenMP is told to use.

    Dask tells its workers: as many as they run trials at a time. LightGBM takes all cores of the
    machine, in each worker at once, and its threads spin while they wait for each other.
    """
    import lightgbm.sklearn

    count = lightgbm.sklearn._LGBMCpuCount

    def told(only_physical_cores: bool = True) -> int:
        threads = os.environ.get("OMP_NUM_THREADS", "")
        return int(threads) if threads.isdecimal() else int(count(only_physical_cores))

    lightgbm.sklearn._LGBMCpuCount = told


def _measures_by_the_scripts_numbers() -> bool:
    import dask.sizeof

    return dask.sizeof.random is random


def _measure_by_own_numbers() -> None:
    """A list of more than ten is as large as ten of it, drawn by chance, let it seem.

    Where that is a message of a worker's, such as its heartbeat, a trial that has begun with its
    seed goes on elsewhere in Python's random numbers.
    """
    import dask.sizeof

    dask.sizeof.random = random.Random()  # noqa: S311 - nothing to keep secret


FIXES = (
    Fix(
        "scikit-learn 1.7",
        "import of hypernets.tabular: sklearn.utils.tosequence",
        _lacks_tosequence,
        _give_tosequence,
    ),
    Fix("numpy 2.0", "encoding of text columns: np.unicode_", _lacks_unicode, _give_unicode),
    Fix(
        "pandas 3.0",
        "reports and text columns: DataFrame.applymap",
        _lacks_applymap,
        _give_applymap,
    ),
    Fix(
        "pandas 3.0",
        "column types: text is inferred as str, upstream looks for object",
        _infers_str,
        _infer_object,
    ),
    Fix(
        "lightgbm 4.0",
        "time: LightGBM takes all cores of the machine, whatever OMP_NUM_THREADS says",
        _takes_all_cores,
        _heed_omp_num_threads,
    ),
    Fix(
        "dask 2026.8",
        "seeds: Dask's own thread draws from Python's random numbers while a trial runs",
        _measures_by_the_scripts_numbers,
        _measure_by_own_numbers,
    ),
)
