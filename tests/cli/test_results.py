"""``hyn-k8s results``: tables for people, CSV and JSON for programs, one sentence for mistakes."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from hyn_k8s.cli import main
from hyn_k8s.cli.results import parameters_text
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.manifests import encode, manifest_of
from hyn_k8s.search.progress import Progress
from hyn_k8s.search.results import Recorder, SearchFacts
from hyn_k8s.search.rows import Row
from hyn_k8s.search.settings import StorageSettings
from tests.processes import run_cli

NEW_YEAR = 1767225600.0


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing makes rich take the test's pipe for a terminal."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """The storage root that holds when nothing is set: ``./workdir``."""
    return tmp_path / "workdir"


def begin_run(root: pathlib.Path, run: str, day: int = 1) -> None:
    """Claim ``run`` on the ``day``-th of a month, as a session does."""
    storage = FileStorage(StorageSettings("file", str(root)))
    started = f"2026-01-{day:02}T00:00:00.000000+00:00"
    manifest = {**manifest_of(run, "heart", "a script"), "started": started}
    storage.create(RunPaths(run).manifest, encode(manifest))


def record(
    root: pathlib.Path,
    run: str,
    ordinal: int,
    rewards: Sequence[float | None],
    direction: str = "max",
    names: tuple[str, ...] = ("auc",),
    skipped: tuple[int, ...] = (),
    pareto: tuple[int, ...] = (),
    failed_as: str = "ValueError: no rows",
) -> None:
    """Write a search whose n-th trial has the n-th reward; None stands for a failed one.

    The trials ``skipped`` only repeat the reward of another one.
    """
    paths = RunPaths(run).search(ordinal)
    directions = (direction,) * len(names)
    facts = SearchFacts("TinyModel", "RandomSearcher", names, directions, 10, 3, cv=False)
    recorder = Recorder(FileStorage(StorageSettings("file", str(root))), paths, facts)
    progress = Progress(f"{run}/{paths.name}", 10, directions, names[0], NEW_YEAR)
    for number, reward in enumerate(rewards, 1):
        status = "failed" if reward is None else "succeeded"
        row = Row(
            trial=number,
            status="skipped" if number in skipped else status,
            rewards=() if reward is None else (reward,) * len(names),
            elapsed=1.26,
            worker="node-1",
            started=NEW_YEAR,
            ended=NEW_YEAR + 1.26,
            model=None if reward is None else paths.model(number, "a"),
            detail=failed_as if reward is None else "",
            hyperparameters={"Tree.max_depth": number, "Tree.criterion": "gini"},
        )
        recorder.add(row)
        rewarded = row.rewards if row.status == "succeeded" else None
        progress = progress.with_trial(number, row.status, rewarded)
    recorder.write(progress.finished(), "finished", pareto)


@pytest.fixture
def heart(root: pathlib.Path) -> str:
    """A run of two searches; a trial of the second has failed."""
    begin_run(root, "heart-1")
    record(root, "heart-1", 1, [0.5])
    record(root, "heart-1", 2, [0.25, None, 0.9, 0.75])
    return "heart-1"


def results(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["results", *arguments])


def succeeded(*arguments: str) -> str:
    """What the command prints when all is well."""
    result = results(*arguments)
    assert result.exception is None, result.stderr
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def as_csv(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(succeeded(*arguments, "--format", "csv"))))


def as_json(*arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(succeeded(*arguments, "--format", "json"))
    return document


def cells(table: str) -> list[list[str]]:
    """The body of a printed table, cell by cell."""
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


class TestTable:
    def test_every_search_has_a_table_and_a_line_of_counts(self, heart: str) -> None:
        shown = succeeded(heart)
        assert cells(shown) == [
            ["1", "succeeded", "0.5", "1.3", "node-1", "Tree(max_depth=1, criterion=gini)"],
            ["1", "succeeded", "0.25", "1.3", "node-1", "Tree(max_depth=1, criterion=gini)"],
            ["2", "failed", "", "1.3", "node-1", "ValueError: no rows"],
            ["3", "succeeded", "0.9", "1.3", "node-1", "Tree(max_depth=3, criterion=gini)"],
            ["4", "succeeded", "0.75", "1.3", "node-1", "Tree(max_depth=4, criterion=gini)"],
        ]
        lines = [line.strip() for line in shown.splitlines()]
        first = lines.index("heart-1/search-1: finished, 1 of 10 trials done")
        second = lines.index("heart-1/search-2: finished, 4 of 10 trials done (1 failed)")
        assert lines.index("heart-1/search-1") < first < lines.index("heart-1/search-2") < second

    def test_the_columns_are_named(self, heart: str) -> None:
        header = next(line for line in succeeded(heart).splitlines() if line.startswith("┃"))
        names = [name.strip() for name in header.strip("┃").split("┃")]
        assert names == ["trial", "status", "reward", "seconds", "worker", "hyper-parameters"]

    def test_several_rewards_have_a_column_each(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [0.5, None], names=("auc", "size"))
        shown = succeeded()
        assert "┃ reward_auc ┃ reward_size ┃" in shown
        assert [row[2:4] for row in cells(shown)] == [["0.5", "0.5"], ["", ""]]

    def test_the_pareto_front_is_named_and_stands_out(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [0.5, 0.9, 0.7], names=("auc", "size"), pareto=(1, 3))
        assert succeeded().endswith("\nPareto front: trials 1, 3\n")
        monkeypatch.setenv("FORCE_COLOR", "1")
        lines = [line for line in succeeded().splitlines() if "succeeded" in line]
        assert ["\x1b[1;32m" in line for line in lines] == [True, False, True]

    def test_a_search_with_one_reward_has_no_front(self, heart: str) -> None:
        assert "Pareto" not in succeeded(heart)

    def test_top_is_of_each_search(self, heart: str) -> None:
        rows = cells(succeeded(heart, "--top", "2"))
        assert [row[0] for row in rows] == ["1", "3", "4"]

    def test_a_search_without_trials_has_its_line_of_counts(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [])
        assert succeeded() == "heart-1/search-1: finished, 0 of 10 trials done\n"

    def test_a_module_named_like_a_reward_is_no_reward(self, root: pathlib.Path) -> None:
        begin_run(root, "r")
        paths = RunPaths("r").search(1)
        facts = SearchFacts("M", "S", ("auc",), ("max",), 1, 1, cv=False)
        recorder = Recorder(FileStorage(StorageSettings("file", str(root))), paths, facts)
        named = {"reward_net.activation": "relu"}
        recorder.add(Row(1, "succeeded", (0.5,), 1.0, "w", 1.0, 2.0, None, "", named))
        progress = Progress("r/search-1", 1, ("max",), "auc", NEW_YEAR)
        recorder.write(progress.with_trial(1, "succeeded", (0.5,)).finished(), "finished", [])
        assert "reward_net(activation=relu)" in succeeded()

    def test_long_values_are_shown_whole_in_a_pipe(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [0.123456789])
        assert cells(succeeded())[0][2] == "0.12346"


class TestWhichRun:
    def test_without_a_name_it_is_the_run_begun_last(self, root: pathlib.Path) -> None:
        for run, day in (("a-1", 2), ("b-1", 3), ("c-1", 1)):
            begin_run(root, run, day)
            record(root, run, 1, [0.5])
        assert as_json()["run"] == "b-1"
        assert as_json("c-1")["run"] == "c-1"

    def test_the_storage_root_is_an_option(self, tmp_path: pathlib.Path) -> None:
        begin_run(tmp_path / "share", "heart-7")
        record(tmp_path / "share", "heart-7", 1, [0.5])
        assert as_json("--storage-root", str(tmp_path / "share"))["run"] == "heart-7"

    def test_the_option_wins_over_the_variable(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place, run in (("one", "first-1"), ("two", "second-1")):
            begin_run(tmp_path / place, run)
            record(tmp_path / place, run, 1, [0.5])
        monkeypatch.setenv("HYN_STORAGE_ROOT", str(tmp_path / "one"))
        assert as_json()["run"] == "first-1"
        assert as_json("--storage-root", str(tmp_path / "two"))["run"] == "second-1"


class TestFormats:
    def test_csv_is_the_last_searchs_table_as_it_is_on_the_storage(
        self, heart: str, root: pathlib.Path
    ) -> None:
        written = (root / "heart-1/search-2/trials.csv").read_text()
        assert succeeded(heart, "--format", "csv") == written
        assert [row["status"] for row in as_csv(heart)].count("failed") == 1

    def test_json_is_the_whole_run(self, heart: str) -> None:
        document = as_json(heart)
        assert document["run"] == "heart-1"
        first, second = document["searches"]
        assert (first["search"], second["search"]) == ("search-1", "search-2")
        assert first["best"]["trial"] == 1
        assert second["best"] == {
            "trial": 3,
            "rewards": [0.9],
            "model": "heart-1/search-2/models/00003_a.pkl",
            "hyperparameters": {"Tree.max_depth": 3, "Tree.criterion": "gini"},
        }
        assert [row["trial"] for row in second["rows"]] == [1, 2, 3, 4]
        assert [row["reward"] for row in second["rows"]] == [0.25, None, 0.9, 0.75]
        assert second["rows"][0]["elapsed_seconds"] == 1.26
        assert second["rows"][1]["detail"] == "ValueError: no rows"

    def test_json_has_no_infinite_numbers(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [0.5, float("inf"), float("nan")])

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        for text in (
            succeeded("heart-1", "--format", "json"),
            (root / "heart-1/search-1/summary.json").read_text(),
        ):
            json.loads(text, parse_constant=refuse)
        (search,) = as_json("heart-1")["searches"]
        assert [row["reward"] for row in search["rows"]] == [0.5, None, None]
        assert (search["best"]["trial"], search["best"]["rewards"]) == (2, [None])
        assert [row["reward"] for row in as_csv("heart-1")] == ["0.5", "inf", "nan"]

    def test_json_without_a_success_has_no_best(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [None])
        assert as_json()["searches"][0]["best"] is None


class TestTop:
    REWARDS = (0.25, None, 0.9, -0.5, 0.75)

    @pytest.mark.parametrize(
        ("direction", "top", "trials"),
        [
            ("max", 1, ["3"]),
            ("max", 3, ["3", "5", "1"]),
            ("max", 9, ["3", "5", "1", "4", "2"]),
            ("min", 1, ["4"]),
            ("min", 3, ["4", "1", "5"]),
            ("min", 9, ["4", "1", "5", "3", "2"]),
        ],
    )
    def test_the_best_come_first_and_the_failed_last(
        self, root: pathlib.Path, direction: str, top: int, trials: list[str]
    ) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, self.REWARDS, direction)
        assert [row["trial"] for row in as_csv("--top", str(top))] == trials
        (search,) = as_json("--top", str(top))["searches"]
        assert [str(row["trial"]) for row in search["rows"]] == trials
        assert str(search["best"]["trial"]) == trials[0]

    def test_a_skipped_trial_is_not_among_the_best(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [0.5, 0.9, 0.9, 0.7], skipped=(2,))
        assert [row["trial"] for row in as_csv("--top", "3")] == ["3", "4", "1"]

    def test_a_reward_that_is_no_number_comes_last(self, root: pathlib.Path) -> None:
        begin_run(root, "r")
        record(root, "r", 1, [float("nan"), 0.5, 0.9])
        assert [row["trial"] for row in as_csv("--top", "3")] == ["3", "2", "1"]

    def test_of_equals_the_best_is_the_one_that_was_told_first(self, root: pathlib.Path) -> None:
        begin_run(root, "r")
        record(root, "r", 1, [0.1, 0.9, 0.9])
        path = root / "r/search-1/summary.json"
        summary = json.loads(path.read_text())
        summary["best"]["trial"] = 3  # its number is the higher one, and it ended first
        path.write_text(json.dumps(summary))
        assert [row["trial"] for row in as_csv("--top", "3")] == ["3", "2", "1"]

    def test_of_several_rewards_the_first_decides(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        record(root, "heart-1", 1, [0.1, 0.3, 0.2], names=("auc", "size"))
        assert [row["trial"] for row in as_csv("--top", "2")] == ["2", "3"]


class TestMistakes:
    def refused(self, code: int, *arguments: str) -> str:
        """The one line that a refused command writes, without its newline."""
        result = results(*arguments)
        assert isinstance(result.exception, SystemExit)
        assert (result.exit_code, result.stdout) == (code, "")
        assert "Traceback" not in result.stderr
        assert result.stderr.count("\n") == 1
        return result.stderr.rstrip("\n")

    def test_an_unknown_run(self, heart: str, root: pathlib.Path) -> None:
        assert self.refused(1, "lung-1") == (
            f"Error: run lung-1: it is not on {root}; the latest there: heart-1"
        )

    def test_no_run_at_all(self, root: pathlib.Path) -> None:
        assert self.refused(1) == f"Error: run of any name: there is none on {root}"

    def test_a_damaged_run_is_named_and_the_others_are_shown(
        self, heart: str, root: pathlib.Path
    ) -> None:
        (root / "lung-1").mkdir()
        (root / "lung-1/run.json").write_text("")
        shown = results()
        assert shown.exit_code == 0
        assert "heart-1" in shown.stdout
        (warning,) = shown.stderr.splitlines()
        assert warning.startswith("Warning: run lung-1: its run.json is damaged, or another")
        assert "is damaged" in self.refused(1, "lung-1")

    def test_a_run_that_has_written_nothing_yet(self, root: pathlib.Path) -> None:
        begin_run(root, "heart-1")
        assert self.refused(1, "heart-1") == (
            f"Error: run heart-1: no search of it on {root} has results yet"
        )

    def test_a_storage_that_is_a_file(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "file").write_text("no directory")
        sentence = self.refused(1, "--storage-root", str(tmp_path / "file"))
        assert sentence.startswith(f"Error: storage {tmp_path / 'file'}: Not a directory")

    def test_a_wrong_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HYN_STORAGE_TYPE", "ftp")
        assert self.refused(2) == (
            "Error: HYN_STORAGE_TYPE (--storage-type): found 'ftp'; accepted: file or s3"
        )

    @pytest.mark.parametrize("option", [("--top", "0"), ("--format", "xml")])
    def test_a_wrong_option(self, heart: str, option: tuple[str, str]) -> None:
        result = results(heart, *option)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"Invalid value for '{option[0]}'" in result.stderr


class TestCompletion:
    def test_it_looks_where_the_options_say(self, tmp_path: pathlib.Path) -> None:
        begin_run(tmp_path / "other", "elsewhere-1")
        given = ["results", "--storage-root", str(tmp_path / "other")]
        completion = ShellComplete(main, {}, "hyn-k8s", "_HYN_K8S_COMPLETE")
        offered = [item.value for item in completion.get_completions(given, "")]
        assert offered == ["elsewhere-1"]

    def test_a_wrong_setting_offers_nothing_and_prints_nothing(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("HYN_STORAGE_TYPE", "ftp")
        assert self.complete("") == []
        assert capfd.readouterr() == ("", "")

    def complete(self, incomplete: str) -> list[str]:
        completion = ShellComplete(main, {}, "hyn-k8s", "_HYN_K8S_COMPLETE")
        return [str(item.value) for item in completion.get_completions(["results"], incomplete)]

    @pytest.fixture(autouse=True)
    def _runs(self, root: pathlib.Path) -> None:
        for run, day in (("heart-2", 1), ("heart-10", 2), ("lung-1", 3)):
            begin_run(root, run, day)

    def test_runs_that_begin_so(self) -> None:
        assert self.complete("h") == ["heart-2", "heart-10"]
        assert self.complete("") == ["heart-2", "heart-10", "lung-1"]
        assert self.complete("x") == []

    def test_a_storage_without_runs(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HYN_STORAGE_ROOT", str(tmp_path / "empty"))
        assert self.complete("") == []

    @pytest.mark.processes
    def test_as_bash_asks_for_it(self, tmp_path: pathlib.Path) -> None:
        words = {"COMP_WORDS": "hyn-k8s results h", "COMP_CWORD": "2"}
        env = {"_HYN_K8S_COMPLETE": "bash_complete", **words}
        process = run_cli(cwd=tmp_path, env=env)
        assert (process.stdout, process.stderr) == ("plain,heart-2\nplain,heart-10\n", "")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({}, ""),
        ({"Tree.depth": "3", "Tree.criterion": "gini"}, "Tree(depth=3, criterion=gini)"),
        ({"Tree.depth": "3", "Net.rate": "0.1"}, "Tree(depth=3) Net(rate=0.1)"),
        (
            {"Tree.depth": "3", "Net.rate": "0.1", "Tree.criterion": "gini"},
            "Tree(depth=3, criterion=gini) Net(rate=0.1)",
        ),
        ({"seed": "7", "fold": "2"}, "seed=7 fold=2"),
        ({"net.layer.size": "8"}, "net.layer(size=8)"),
        ({"Tree.depth": "", "Net.rate": "0"}, "Net(rate=0)"),
    ],
)
def test_parameters_are_grouped_by_their_module(parameters: dict[str, str], text: str) -> None:
    about_the_trial = {
        "trial": "1",
        "status": "succeeded",
        "reward_auc": "0.5",
        "elapsed_seconds": "1.0",
        "cpu_seconds": "0.9",
        "memory_mb": "210.0",
        "worker": "node-1",
        "started": "2026-01-01T00:00:00.000Z",
        "ended": "2026-01-01T00:00:01.000Z",
        "model": "heart-1/search-1/models/00001_a.pkl",
        "detail": "why",
    }
    assert parameters_text({**about_the_trial, **parameters}, ["reward_auc"]) == text
