"""Hypernets' own modules once more, as they are on disk: what a repair is compared with."""

from __future__ import annotations

import importlib.util
import types


def upstream(module: types.ModuleType) -> types.ModuleType:
    """A second copy of ``module``, in the same package, without any repair."""
    package = module.__name__.rpartition(".")[0]
    spec = importlib.util.spec_from_file_location(f"{package}.as_on_disk", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
