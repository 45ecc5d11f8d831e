"""A driver that is killed at any moment costs no reported trial: the next one goes on after it.

A trial is reported when callbacks have heard of it. No reported trial runs again; what was asked
and not reported does. An ordered search with a seed comes to the same trials as if nothing had
happened.
"""

from __future__ import annotations

import pathlib
import random
import re
from collections.abc import Callable

import pytest

from tests.faults.drivers import Scene
from tests.faults.evidence import Directory
from tests.processes import DaskCluster
from tests.waiting import until

pytestmark = pytest.mark.processes


def test_the_next_driver_goes_on_after_the_reported_trials(
    scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "--trials 12 --seconds 0.5"
    killed = scene.drive(script, cluster.address)
    scene.await_told(4)
    killed.kill()
    told, models = scene.trials_told(), scene.run.models()
    following = scene.drive(script, cluster.address)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=12)
    assert set(told) <= {note.trial for note in scene.told() if note.resumes}
    kept = {f"/{trial:05d}_" for trial in told}
    assert scene.run.models().items() >= {
        (path, sum_) for path, sum_ in models.items() if any(each in path for each in kept)
    }
    assert "history 12 best" in following.said


class TestFinished:
    """A run that is over: its script runs again, and finds everything as it was."""

    def test_it_runs_no_trial_and_changes_no_file(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = scene.drive("--trials 4", cluster.address)
        assert first.ended() == 0, first.said
        files, executed = scene.run.files(), scene.executed()
        again = scene.drive("--trials 4", cluster.address)
        assert again.ended() == 0, again.said
        assert scene.run.files() == files
        assert scene.executed() == executed
        assert history(again.said) == history(first.said)
        scene.check(monkeypatch, trials=4)

    @pytest.mark.faults
    def test_with_more_trials_it_goes_on_to_the_new_number(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for trials in (4, 9):
            driver = scene.drive(f"--trials {trials}", cluster.address)
            assert driver.ended() == 0, driver.said
            scene.check(monkeypatch, trials=trials)
        assert "history 9 best" in driver.said

    @pytest.mark.faults
    def test_with_fewer_trials_it_keeps_all(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for trials in (9, 4):
            driver = scene.drive(f"--trials {trials}", cluster.address)
            assert driver.ended() == 0, driver.said
        scene.check(monkeypatch, trials=9)


def history(said: str) -> str:
    """What the script printed of its history and its best trial."""
    (line,) = [line for line in said.splitlines() if line.startswith("history ")]
    return line


@pytest.mark.faults
class TestWithoutAName:
    """Which run a driver continues when it is not told."""

    @pytest.fixture
    def unnamed(self, scene: Scene, cluster: DaskCluster) -> Scene:
        """An unfinished run whose name its driver has chosen."""
        unnamed = Scene(scene.folder, scene.place, run="faulty-1")
        scene.drivers = unnamed.drivers
        killed = unnamed.drive("--trials 8 --seconds 0.5", cluster.address, flags="")
        unnamed.await_told(3)
        killed.kill()
        return unnamed

    def test_the_unfinished_run_of_the_same_script_is_continued(
        self, unnamed: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        following = unnamed.drive("--trials 8 --seconds 0.5", cluster.address, flags="")
        assert following.ended() == 0, following.said
        unnamed.check(monkeypatch, trials=8)
        sentence = r"continuing faulty-1: (\d) of 8 done; --restart begins anew"
        told = re.search(sentence, following.said, re.IGNORECASE)
        assert told, following.said
        assert int(told[1]) == len([note for note in unnamed.told() if note.resumes])

    def test_restart_begins_anew_and_leaves_the_other_as_it_is(
        self, unnamed: Scene, cluster: DaskCluster
    ) -> None:
        records = unnamed.run.records()
        script = "--trials 8 --seconds 0.5"
        following = unnamed.drive(script, cluster.address, flags="--restart")
        assert following.ended() == 0, following.said
        assert unnamed.run.records() == records
        again = Scene(unnamed.folder, unnamed.place, run="faulty-2").run
        assert len(again.rows()) == 8

    def test_other_arguments_make_another_run(self, unnamed: Scene, cluster: DaskCluster) -> None:
        records = unnamed.run.records()
        following = unnamed.drive("--trials 8 --seconds 0.4", cluster.address, flags="")
        assert following.ended() == 0, following.said
        assert unnamed.run.records() == records
        assert len(Scene(unnamed.folder, unnamed.place, run="faulty-2").run.rows()) == 8

    def test_another_script_text_makes_another_run(
        self, unnamed: Scene, cluster: DaskCluster
    ) -> None:
        records = unnamed.run.records()
        script = unnamed.folder / "faulty.py"
        script.write_text(script.read_text().replace("Int(1, 10_000)", "Int(1, 50)"))
        following = unnamed.drive("--trials 8 --seconds 0.5", cluster.address, flags="")
        assert following.ended() == 0, following.said
        assert unnamed.run.records() == records
        assert len(Scene(unnamed.folder, unnamed.place, run="faulty-2").run.rows()) == 8


@pytest.mark.faults
class TestAnyMoment:
    def test_killed_again_and_again(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = "--trials 30 --seconds 0.4"
        for told in range(3, 28, 4):
            driver = scene.drive(script, cluster.address)
            scene.await_told(told)
            driver.kill()
        driver = scene.drive(script, cluster.address)
        assert driver.ended() == 0, driver.said
        scene.check(monkeypatch, trials=30)

    @pytest.mark.parametrize(
        "written",
        ["run.json", "drivers/", "hyper-model", "data", "journal/", "models/", "trials.csv"],
    )
    def test_killed_as_soon_as_a_file_is_there(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch, written: str
    ) -> None:
        driver = scene.drive("--trials 6 --seconds 0.1", cluster.address)
        until(
            lambda: any(written in path for path in scene.place.files()) or not driver.lives,
            f"a file {written}",
        )
        driver.kill()
        following = scene.drive("--trials 6 --seconds 0.1", cluster.address)
        assert following.ended() == 0, following.said
        scene.check(monkeypatch, trials=6)

    @pytest.mark.parametrize("seed", range(3))
    def test_killed_at_moments_drawn_by_chance_while_trials_take_no_time(
        self, scene: Scene, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch, seed: int
    ) -> None:
        chance = random.Random(seed)
        script = "--trials 120 --seconds 0"
        told = 0
        while told < 100:
            driver = scene.drive(script, cluster.address)
            told = min(len(set(scene.trials_told())) + chance.randrange(1, 60), 119)
            scene.await_told(told)
            driver.kill()
        driver = scene.drive(script, cluster.address)
        assert driver.ended() == 0, driver.said
        scene.check(monkeypatch, trials=120)


@pytest.mark.faults
class TestOrdered:
    """With a seed and told in order, a search that was interrupted is the one that was not."""

    @pytest.fixture
    def whole(self, tmp_path: pathlib.Path, cluster: DaskCluster) -> Callable[[str], Scene]:
        """Runs the script to its end without a fault."""

        def run(script: str) -> Scene:
            with Scene(tmp_path / "whole", Directory(tmp_path / "whole-root")) as whole:
                driver = whole.drive(script, cluster.address, flags=ORDERED)
                assert driver.ended() == 0, driver.said
            return whole

        return run

    @pytest.mark.parametrize("searcher", ["random", "evolution", "mcts", "nsga2"])
    def test_the_trials_are_those_of_an_uninterrupted_search(
        self,
        scene: Scene,
        cluster: DaskCluster,
        monkeypatch: pytest.MonkeyPatch,
        whole: Callable[[str], Scene],
        searcher: str,
    ) -> None:
        script = f"--searcher {searcher} --trials 24 --seconds 0.3 --fail 7"
        for told in (5, 13):
            driver = scene.drive(script, cluster.address, flags=ORDERED)
            scene.await_told(told)
            driver.kill()
        driver = scene.drive(script, cluster.address, flags=ORDERED)
        assert driver.ended() == 0, driver.said
        scene.check(monkeypatch, trials=24, failed=[7])
        undisturbed = whole(script)
        assert scene.run.trials() == undisturbed.run.trials()
        assert history(driver.said) == history(undisturbed.drivers[-1].said)

    def test_early_stopping_counts_on_from_where_it_was(
        self, scene: Scene, cluster: DaskCluster, whole: Callable[[str], Scene]
    ) -> None:
        script = "--trials 40 --seconds 0.3 --patience 6"
        undisturbed = whole(script)
        trials = len(undisturbed.run.rows())
        assert 7 <= trials < 40
        for told in (trials // 2, trials - 3):
            driver = scene.drive(script, cluster.address, flags=ORDERED)
            scene.await_told(told)
            driver.kill()
        driver = scene.drive(script, cluster.address, flags=ORDERED)
        assert driver.ended() == 0, driver.said
        assert scene.run.trials() == undisturbed.run.trials()
        assert scene.run.summary()["state"] == "stopped"


ORDERED = "--run it --ordered --seed 7"


@pytest.mark.faults
def test_on_the_embedded_cluster_nothing_is_left_of_it_and_a_new_one_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = scene.drive("--trials 12 --seconds 0.5")
    scene.await_told(4)
    killed.kill()
    scene.no_process_left()
    following = scene.drive("--trials 12 --seconds 0.5")
    assert following.ended() == 0, following.said
    scene.no_process_left()
    scene.check(monkeypatch, trials=12)


@pytest.mark.faults
def test_in_the_scripts_own_process(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = "--run it --backend standalone"
    killed = scene.drive("--trials 8 --seconds 0.5", flags=flags)
    scene.await_told(3)
    killed.kill()
    following = scene.drive("--trials 8 --seconds 0.5", flags=flags)
    assert following.ended() == 0, following.said
    scene.check(monkeypatch, trials=8)
