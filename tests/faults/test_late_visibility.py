"""A shared directory on which others see a write seconds later, as with attribute caches of NFS."""

from __future__ import annotations

import os
import pathlib
import shutil
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.drivers import Scene
from tests.faults.evidence import Directory
from tests.mounts import MOUNT_NAMESPACE
from tests.processes import DaskCluster, dask_cluster
from tests.waiting import until

pytestmark = pytest.mark.processes

LATE_SECONDS = 3.0
LOOK_SECONDS = 0.2


class LateMirror:
    """Two directories; what happens in one happens in the other ``LATE_SECONDS`` later."""

    def __init__(self, *sides: pathlib.Path) -> None:
        self._sides = sides
        self._since: dict[tuple[int, str, int], float] = {}
        self._in_both: set[str] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            found = [self._files(side) for side in self._sides]
            for mine, other in ((0, 1), (1, 0)):
                self._pass_on(mine, other, found)
            self._in_both = set(found[0]) & set(found[1])

    def _pass_on(self, mine: int, other: int, found: list[dict[str, int]]) -> None:
        """Copy what is newer on ``mine``, and delete there what ``other`` has deleted."""
        for path, changed in found[mine].items():
            if path in self._in_both and path not in found[other]:
                (self._sides[mine] / path).unlink(missing_ok=True)
            elif changed > found[other].get(path, 0):
                since = self._since.setdefault((mine, path, changed), time.monotonic())
                if time.monotonic() - since >= LATE_SECONDS:
                    self._copy(self._sides[mine] / path, self._sides[other] / path)

    def _copy(self, source: pathlib.Path, target: pathlib.Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.mirrored")
        try:
            shutil.copy2(source, aside)
            os.replace(aside, target)
        except FileNotFoundError:
            return  # it has been replaced or deleted meanwhile

    def _files(self, side: pathlib.Path) -> dict[str, int]:
        """When each file below ``side`` was changed."""
        found = {}
        for path in side.rglob("*"):
            try:
                if path.is_file() and not path.name.startswith("."):
                    found[str(path.relative_to(side))] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
        return found


@pytest.fixture
def shared(tmp_path: pathlib.Path) -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """The directory as the driver has it, and as workers have it."""
    here, there = tmp_path / "root", tmp_path / "on-other-nodes"
    here.mkdir()
    there.mkdir()
    mirror = LateMirror(here, there)
    yield here, there
    mirror.close()


@pytest.fixture
def cluster(
    shared: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> Iterator[DaskCluster]:
    """Three workers that have the other directory at the driver's path."""
    here, there = shared
    folder = tmp_path / "dask"
    folder.mkdir()
    mount = f'mount --bind {there} {here} && exec "$@"'
    with dask_cluster(folder, workers=0) as cluster:
        for number in (1, 2, 3):
            cluster.add_worker(f"node-{number}", prefix=(*MOUNT_NAMESPACE, "sh", "-c", mount, "sh"))
        yield cluster


@pytest.mark.faults
@pytest.mark.parametrize("flags", ["", "--ordered --seed 7"])
def test_a_search_waits_for_what_it_cannot_see_yet(
    shared: tuple[pathlib.Path, pathlib.Path],
    cluster: DaskCluster,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: str,
) -> None:
    with Scene(tmp_path / "scene", Directory(shared[0])) as scene:
        driver = scene.drive(
            "--trials 12 --seconds 0.3", cluster.address, flags=f"--run it {flags}"
        )
        assert driver.ended(180) == 0, driver.said
        rows = scene.run.rows()
        until(lambda: set(scene.run.models()) == {row["model"] for row in rows}, "all models", 30)
        scene.check(monkeypatch, trials=12)


@pytest.mark.faults
def test_a_killed_driver_is_followed_by_one_that_sees_late(
    shared: tuple[pathlib.Path, pathlib.Path],
    cluster: DaskCluster,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Scene(tmp_path / "scene", Directory(shared[0])) as scene:
        killed = scene.drive("--trials 24 --seconds 1", cluster.address)
        scene.await_told(6)
        killed.kill()
        following = scene.drive("--trials 24 --seconds 1", cluster.address)
        assert following.ended(180) == 0, following.said
        rows = scene.run.rows()
        until(lambda: set(scene.run.models()) == {row["model"] for row in rows}, "all models", 30)
        scene.check(monkeypatch, trials=24)
