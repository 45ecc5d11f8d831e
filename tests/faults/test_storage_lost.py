"""A storage that is slow, busy, full or away for a while delays a search and does no other harm.

What is away for good ends the driver with a sentence that names it, and with the exit code that
says: continue later. Then the next driver goes on after what was reported.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest

from tests.faults.drivers import CONTINUE_LATER, Scene
from tests.faults.mounts import Mount, small_mount
from tests.faulty_s3 import FaultyS3
from tests.processes import DaskCluster
from tests.waiting import last_for, until

pytestmark = pytest.mark.processes

SCRIPT = "--trials 12 --seconds 0.3"

PATIENCE = {"HYN_STORAGE_PATIENCE": "10"}
"""For a storage that stays away; without it the driver waits for two minutes."""

NO_ANSWER: dict[str, Callable[[FaultyS3], None]] = {
    "busy": FaultyS3.be_busy,
    "losing-answers": FaultyS3.lose_answers,
    "hanging-up": FaultyS3.hang_up,
    "away": FaultyS3.go_away,
    "silent": FaultyS3.fall_silent,
}
"""Ways in which an S3 server answers no request."""


class TestS3:
    @pytest.mark.faults
    def test_every_second_request_is_refused(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        driver = behind_proxy.drive(SCRIPT, cluster.address)
        behind_proxy.await_told(1)
        proxy.be_busy(every=2)
        assert driver.ended() == 0, driver.said
        assert proxy.failed > 20
        behind_proxy.check(monkeypatch, trials=12)

    @pytest.mark.faults
    def test_every_second_request_is_refused_from_the_beginning(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        proxy.be_busy(every=2)
        driver = behind_proxy.drive(SCRIPT, cluster.address)
        assert driver.ended(180) == 0, driver.said
        behind_proxy.check(monkeypatch, trials=12)

    def test_no_request_is_answered_for_a_moment(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        driver = behind_proxy.drive(SCRIPT, cluster.address)
        behind_proxy.await_told(4)
        proxy.hang_up()
        until(lambda: proxy.failed >= 3, "three requests to fail")
        proxy.be_well()
        assert driver.ended() == 0, driver.said
        behind_proxy.check(monkeypatch, trials=12)

    @pytest.mark.faults
    @pytest.mark.parametrize("seconds", [0.05, 0.5])
    def test_every_request_is_slow(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
        seconds: float,
    ) -> None:
        proxy.be_slow(seconds)
        driver = behind_proxy.drive(SCRIPT, cluster.address)
        assert driver.ended(240) == 0, driver.said
        behind_proxy.check(monkeypatch, trials=12)

    @pytest.mark.faults
    @pytest.mark.parametrize("every", [2, 3])
    def test_answers_are_lost_of_requests_that_had_their_effect(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
        every: int,
    ) -> None:
        proxy.lose_answers(every)
        driver = behind_proxy.drive(SCRIPT, cluster.address)
        assert driver.ended(240) == 0, driver.said
        behind_proxy.check(monkeypatch, trials=12)

    @pytest.mark.faults
    @pytest.mark.parametrize("fault", NO_ANSWER)
    @pytest.mark.parametrize("seconds", [5, 45])
    def test_no_request_is_answered_for_a_while(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
        fault: str,
        seconds: float,
    ) -> None:
        driver = behind_proxy.drive(SCRIPT, cluster.address)
        behind_proxy.await_told(4)
        NO_ANSWER[fault](proxy)
        last_for(seconds)
        assert driver.lives, driver.said
        proxy.be_well()
        assert driver.ended(180) == 0, driver.said
        behind_proxy.check(monkeypatch, trials=12)
        assert behind_proxy.run.summary()["workers_lost"] == 0

    @pytest.mark.faults
    @pytest.mark.parametrize("fault", NO_ANSWER)
    def test_no_request_is_answered_any_more(
        self,
        behind_proxy: Scene,
        proxy: FaultyS3,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
        fault: str,
    ) -> None:
        driver = behind_proxy.drive(SCRIPT, cluster.address, env=PATIENCE)
        behind_proxy.await_told(4)
        NO_ANSWER[fault](proxy)
        assert driver.ended(240) == CONTINUE_LATER, driver.said
        assert "Error: storage s3://runs-" in driver.said
        assert "Traceback" not in driver.said
        proxy.be_well()
        following = behind_proxy.drive(SCRIPT, cluster.address)
        assert following.ended() == 0, following.said
        behind_proxy.check(monkeypatch, trials=12)


FAILING: dict[str, tuple[Callable[[Mount], None], Callable[[Mount], None]]] = {
    "full": (Mount.fill, Mount.free),
    "read-only": (Mount.make_read_only, Mount.make_writable),
    "unmounted": (Mount.unmount, Mount.mount),
}
"""Ways in which a mounted directory fails, each with the way back."""


@pytest.mark.faults
class TestMount:
    """The storage is a mount, which driver and workers see in one namespace."""

    @pytest.fixture
    def mount(self, tmp_path: pathlib.Path) -> Iterator[Mount]:
        with small_mount(tmp_path / "mount") as mount:
            yield mount

    @pytest.fixture
    def mounted(self, mount: Mount, tmp_path: pathlib.Path) -> Iterator[Scene]:
        """A run on the mount."""
        with Scene(tmp_path / "scene", mount.place) as scene:
            scene.prefix = mount.entering(scene.folder)
            yield scene

    @pytest.mark.parametrize("failure", FAILING)
    @pytest.mark.parametrize("seconds", [5, 45])
    def test_it_fails_for_a_while(
        self,
        mounted: Scene,
        mount: Mount,
        monkeypatch: pytest.MonkeyPatch,
        failure: str,
        seconds: float,
    ) -> None:
        fail, heal = FAILING[failure]
        driver = mounted.drive(SCRIPT)
        mounted.await_told(4)
        fail(mount)
        last_for(seconds)
        assert driver.lives, driver.said
        heal(mount)
        assert driver.ended() == 0, driver.said
        mounted.check(monkeypatch, trials=12)
        assert mounted.run.summary()["workers_lost"] == 0
        assert mount.beneath() == []

    @pytest.mark.parametrize("failure", FAILING)
    def test_it_fails_for_good(
        self, mounted: Scene, mount: Mount, monkeypatch: pytest.MonkeyPatch, failure: str
    ) -> None:
        fail, heal = FAILING[failure]
        driver = mounted.drive(SCRIPT, env=PATIENCE)
        mounted.await_told(4)
        fail(mount)
        assert driver.ended(120) == CONTINUE_LATER, driver.said
        assert f"Error: storage {mount.place.root}: " in driver.said
        assert "Traceback" not in driver.said
        heal(mount)
        assert mount.beneath() == []
        following = mounted.drive(SCRIPT)
        assert following.ended() == 0, following.said
        mounted.check(monkeypatch, trials=12)

    def test_models_that_fill_it_end_the_search_and_room_lets_it_go_on(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = "--trials 30 --seconds 0.1 --model-bytes 300000"
        with small_mount(tmp_path / "mount", megabytes=12) as mount:
            mount.fill(leaving=2_500_000)
            with Scene(tmp_path / "scene", mount.place) as scene:
                scene.prefix = mount.entering(scene.folder)
                driver = scene.drive(script, env=PATIENCE)
                assert driver.ended(120) == CONTINUE_LATER, driver.said
                assert "No space left on device" in driver.said
                assert 1 <= len(scene.trials_told()) < 30
                mount.free()
                following = scene.drive(script)
                assert following.ended() == 0, following.said
                scene.check(monkeypatch, trials=30)
