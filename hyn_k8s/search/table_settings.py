"""How a script set Hypernets' work on tables, and the same on workers.

``TabularCfg`` decides how text, dates and places become features, how many cores a model takes and
what is cached. Scripts set it, ``make_experiment(n_jobs=2)`` does, and so do configuration files
beside the script; a worker, which has seen none of these, would train on other features. What is
as it comes stays each worker's own: the number of cores, for one, is not the driver's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hyn_k8s.search.compat.tables import CACHE

_OURS = ("joblib_options",)
"""Set by our own fixes, on every process."""

_set: dict[str, Any] = {}
_own: dict[str, Any] = {}


def changed_settings() -> dict[str, Any]:
    """The settings of this process that are not as Hypernets has them, by name."""
    from hypernets.tabular.cfg import TabularCfg

    defaults = TabularCfg.trait_defaults(config=True)
    values = {name: getattr(TabularCfg, name) for name in defaults if name not in _OURS}
    if str(values["cache_dir"]).startswith(CACHE):
        del values["cache_dir"]
    return {name: value for name, value in values.items() if value != defaults[name]}


def use_settings(settings: Mapping[str, Any]) -> None:
    """Set ``settings`` here; what an earlier call set, and this one does not, goes back."""
    global _set
    if settings == _set:
        return
    from hypernets.tabular.cfg import TabularCfg

    for name in [*_set, *settings]:
        _own.setdefault(name, getattr(TabularCfg, name))
        setattr(TabularCfg, name, settings.get(name, _own[name]))
    _set = dict(settings)
