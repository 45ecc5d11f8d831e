"""The embedded cluster: its configuration, its keys, and what is said if it cannot start."""

from __future__ import annotations

import pathlib
import stat
import sys
import time
import types
from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest
from distributed import Client

from hyn_k8s.errors import WorkerError
from hyn_k8s.search import embedded
from hyn_k8s.search.embedded import EmbeddedCluster
from tests.searches import ListSearcher, sample, tiny_model
from tests.sessions import rows_of, search, session_on
from tests.waiting import until

pytestmark = pytest.mark.processes


@pytest.fixture
def cluster(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedCluster]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cluster = EmbeddedCluster()
    yield cluster
    cluster.close()


def test_a_client_needs_its_keys(cluster: EmbeddedCluster) -> None:
    address = cluster.address()
    assert address.startswith("tls://127.0.0.1:")
    cluster.start_worker(2)
    with Client(address, security=cluster.security, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        assert client.submit(abs, -1).result(timeout=30) == 1
    with pytest.raises(OSError):
        Client(address.replace("tls:", "tcp:"), timeout=3, set_as_default=False)


def test_its_keys_are_in_no_file_and_on_no_command_line(
    cluster: EmbeddedCluster, tmp_path: pathlib.Path
) -> None:
    cluster.address()
    children = psutil.Process().children(recursive=True)
    assert "PRIVATE" not in " ".join(part for each in children for part in each.cmdline())
    (folder,) = tmp_path.glob("hyn-k8s-dask-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.rglob("*"):
        assert "PRIVATE" not in (file.read_text() if file.is_file() else "")
    cluster.close()
    assert not folder.exists()


def test_the_users_configuration_is_for_the_users_clusters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT", "1s")
    cluster = EmbeddedCluster()
    try:
        address = cluster.address()
        begun = time.monotonic()
        until(lambda: time.monotonic() > begun + 4, "a time in which it would have closed", 10)
        with Client(address, security=cluster.security, set_as_default=False) as client:
            assert client.status == "running"
    finally:
        cluster.close()


def test_modules_beside_the_script_are_none_of_pythons(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.py").write_text("API_KEY = 'abc'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with session_on(None, str(tmp_path / "root"), {"HYN_SEARCH_EXECUTORS": "1"}) as (session, _):
        search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        assert [row["status"] for row in rows_of(session)] == ["succeeded"]


def test_a_library_that_lies_where_the_script_does_is_found(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a checkout that is installed in place, and whose commands are given there."""
    folder = str(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", [folder, *sys.path, folder])
    monkeypatch.setattr("sys.modules", {**sys.modules, "__main__": script_in(tmp_path)})
    assert embedded._library_path() == [*(each for each in sys.path[1:] if each)]


def script_in(folder: pathlib.Path) -> types.ModuleType:
    """``__main__`` as it is while a script of ``folder`` runs."""
    main = types.ModuleType("__main__")
    main.__file__ = str(folder / "search.py")
    return main


def test_a_worker_that_cannot_start_ends_the_search_at_once_with_its_log(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "preload", SimpleNamespace(__name__="no_such_module_anywhere"))
    with (
        session_on(None, str(tmp_path / "root")),
        pytest.raises(
            WorkerError, match=r"embedded cluster: it ended(.|\n)*no_such_module_anywhere"
        ),
    ):
        search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
