"""Python runs this when a process starts that a trial, or a script with trials in it, has started.

Such a process, one of joblib's for example, may import Hypernets. Then our fixes come with it, as
in the process that started it. This directory comes first in ``PYTHONPATH`` (``descendants``), so
a ``sitecustomize`` that is there anyway runs as well.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from types import ModuleType

HERE = os.path.dirname(os.path.abspath(__file__))


class _MendingLoader(Loader):
    """Loads Hypernets' package, then applies the fixes."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        try:
            from hyn_k8s.search import compat
        except ImportError:
            return  # another environment's Python
        compat.apply()


class MendingFinder:
    """Finds Hypernets' package as Python does, to be loaded with the fixes."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "hypernets":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _MendingLoader(spec.loader)
        return spec


def _run_following() -> None:
    """Run the ``sitecustomize`` that Python would have found without this one."""
    path = [each for each in sys.path if os.path.abspath(each) != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.meta_path.insert(0, MendingFinder())
_run_following()
