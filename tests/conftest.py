"""Fixtures that several test modules share; whatever is slow to start is started once.

Also what makes many test processes fast side by side: numerical libraries take one thread each
instead of one for each core, and garbage collections pass over what the imports have left.
"""

from __future__ import annotations

import gc
import os
import pathlib
import platform
import sys
from collections.abc import Iterator

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Read by the libraries when they are loaded, here and in the processes that tests start."""

os.environ.update(dict.fromkeys(ONE_THREAD, "1"))

import pytest  # noqa: E402  # whatever it loads finds the variables

from tests import processes  # noqa: E402

SHARED = frozenset({"cluster", "s3"})
"""Fixtures with processes that tests share."""

SHARED_BY_PARAMETER = frozenset({"dask", "s3"})
"""Values of parameters with which a test, or a fixture of it, asks for one of these."""

KINDS = frozenset({"benchmarks", "docs", "e2e", "faults", "helm", "nfs", "soak", "upstream"})
"""Marks of tests that ``make check`` leaves out anyway."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``make check`` gives this one."""
    leave_out = "leave out the tests that start processes"
    parser.addoption("--no-processes", action="store_true", help=leave_out)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that shares processes is marked as one that starts them, and left out if told so."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        callspec = getattr(item, "callspec", None)
        values = [v for v in callspec.params.values() if isinstance(v, str)] if callspec else []
        if SHARED.intersection(fixtures) or SHARED_BY_PARAMETER.intersection(values):
            item.add_marker(pytest.mark.processes)
    if config.getoption("--no-processes"):
        starting = [item for item in items if item.get_closest_marker("processes")]
        config.hook.pytest_deselected(items=starting)
        items[:] = [item for item in items if not item.get_closest_marker("processes")]


def pytest_collection_finish() -> None:
    """Hypernets collects garbage after each trial, for 0.1 s while all modules are looked at."""
    gc.collect()
    gc.freeze()


_only_this_process: str | None = None
"""The running test, if it is not marked as one that starts processes."""


_STARTS = frozenset({"subprocess.Popen", "os.posix_spawn"})


def _refuse_to_start(event: str, _: object) -> None:
    if _only_this_process is not None and event in _STARTS:
        pytest.fail(f"{_only_this_process} starts a process: mark it with pytest.mark.processes")


def pytest_configure(config: pytest.Config) -> None:
    """From now on each start of a process is looked at, which no audit hook can undo."""
    platform.processor()  # Python asks uname for it, once; whoever comes later finds it
    sys.addaudithook(_refuse_to_start)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """``make check`` runs what is not marked: such a test starts no process."""
    global _only_this_process
    marks = {mark.name for mark in item.iter_markers()}
    _only_this_process = None if marks & {"processes", *KINDS} else item.nodeid
    try:
        return (yield)
    finally:
        _only_this_process = None


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.DaskCluster]:
    """A Dask scheduler with three one-thread workers, for every test that needs just that.

    None is killed, so none has a nanny.
    """
    folder = tmp_path_factory.mktemp("dask")
    with processes.dask_cluster(folder, workers=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.S3Server]:
    """An S3 server that checks credentials."""
    with processes.s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """No variable of the developer's shell steers a test, and no test writes beside the code."""
    for name in list(os.environ):
        if name.startswith(("HYN_", "DASK_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
