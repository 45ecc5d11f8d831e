"""What numpy, pandas and scikit-learn took away that Hypernets' modules look for by name.

Each is put back on the library itself, under its old name, before Hypernets is imported.
"""

from __future__ import annotations

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


FIXES = (
    Fix(
        "scikit-learn 1.6",
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
)
