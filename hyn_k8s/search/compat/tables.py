"""How Hypernets works on tables: in processes of its own, and with a cache on the storage."""

from __future__ import annotations

from importlib.metadata import version

from hyn_k8s.search.compat import libraries
from hyn_k8s.search.compat.fix import Fix

CACHE = "hypernets-cache"
"""The directory, below the storage root, of what Hypernets keeps of transformed tables."""


def _children_begin_bare() -> bool:
    import sklearn.utils
    from hypernets.tabular.cfg import TabularCfg

    needs_fixes = sklearn.utils.tosequence.__module__ == libraries.__name__
    return needs_fixes and TabularCfg.joblib_options.get("initializer") is not _begin_child


def _let_children_begin_with_fixes() -> None:
    from hypernets.tabular.cfg import TabularCfg

    TabularCfg.joblib_options = {**TabularCfg.joblib_options, "initializer": _begin_child}


def _begin_child() -> None:
    """Called in each process that joblib starts for Hypernets, before its first task."""
    from hyn_k8s.search import compat

    compat.apply()


def _cache_outlives_libraries() -> bool:
    from hypernets.tabular.cfg import TabularCfg

    return bool(TabularCfg.cache_dir == TabularCfg.trait_defaults("cache_dir"))


def _cache_by_versions() -> None:
    """Everybody who shares a storage shares the cache, and it holds fitted pickles."""
    from hypernets.tabular.cfg import TabularCfg

    names = ("scikit-learn", "pandas", "numpy")
    TabularCfg.cache_dir = "/".join([CACHE, "-".join(version(name) for name in names)])


FIXES = (
    Fix(
        "scikit-learn 1.7",
        "drift detection and scores in joblib's processes: they import Hypernets without fixes",
        _children_begin_bare,
        _let_children_begin_with_fixes,
    ),
    Fix(
        "Hypernets 0.3.2",
        "cached tables, where another version of scikit-learn, pandas or numpy wrote them",
        _cache_outlives_libraries,
        _cache_by_versions,
    ),
)
