"""``hyn-k8s logs``: what is kept of a trial, and one sentence where nothing is."""

from __future__ import annotations

import pathlib

import pytest
from click.testing import CliRunner, Result

from hyn_k8s.cli import main
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.settings import StorageSettings
from tests.cli.test_results import begin_run, record


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """The storage root that holds when nothing is set: ``./workdir``."""
    return tmp_path / "workdir"


@pytest.fixture(autouse=True)
def _heart(root: pathlib.Path) -> None:
    """A run of two searches; of the second trial 1 printed something, trial 4 was skipped."""
    begin_run(root, "heart-1")
    record(root, "heart-1", 1, [0.5])
    record(root, "heart-1", 2, [0.25, None, 0.9, 0.9], skipped=(4,))
    write(root, 1, 1, b"of the first search\n")
    write(root, 2, 1, b"caf\xc3\xa9 \xff\n")


def write(root: pathlib.Path, search: int, trial: int, text: bytes) -> None:
    storage = FileStorage(StorageSettings("file", str(root)))
    storage.write(RunPaths("heart-1").search(search).log(trial), text)


def logs(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", *arguments])


def refused(*arguments: str) -> str:
    result = logs(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr.strip()


@pytest.mark.parametrize("run", [[], ["heart-1"]])
def test_of_the_last_search_it_is_shown_byte_by_byte(run: list[str]) -> None:
    result = logs(*run, "--trial", "1")
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, b"caf\xc3\xa9 \xff\n", "")


def test_any_search_may_be_named() -> None:
    assert logs("--search", "1", "--trial", "1").stdout == "of the first search\n"


def test_the_latest_run_is_shown(root: pathlib.Path) -> None:
    begin_run(root, "lung-1", day=2)
    assert refused("--trial", "1") == "Error: run lung-1: it has no search 1; there are: none"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--trial", "3"],
            "trial 3 of its search-2 printed nothing; of a trial that ran in the script's own "
            "process (standalone) no log is kept",
        ),
        (["--trial", "4"], "trial 4 of its search-2 was skipped (), so it printed nothing"),
        (["--trial", "9"], "trial 9 of its search-2 has printed nothing yet, or is none of it"),
        (["--trial", "1", "--search", "3"], "it has no search 3; there are: 1, 2"),
    ],
)
def test_where_there_is_nothing_one_sentence_says_why(arguments: list[str], sentence: str) -> None:
    assert refused("heart-1", *arguments) == f"Error: run heart-1: {sentence}"


def test_an_unknown_run_is_told_with_those_there(root: pathlib.Path) -> None:
    sentence = f"Error: run lung-1: it is not on {root}; the latest there: heart-1"
    assert refused("lung-1", "--trial", "1") == sentence


def test_a_trial_has_to_be_named() -> None:
    result = logs("heart-1")
    assert result.exit_code == 2
    assert "--trial" in result.stderr


@pytest.mark.parametrize("text", [None, b"half a line"])
def test_of_a_lost_worker_the_last_line_tells_what_is_known(
    root: pathlib.Path, text: bytes | None
) -> None:
    detail = "KilledWorker: the trial lost its worker once; it may have run out of memory"
    record(root, "heart-1", 3, [0.5, None], failed_as=detail)
    if text is not None:
        write(root, 3, 2, text)
    lines = logs("--trial", "2").stdout.splitlines()
    assert lines[-1] == f"--- trial 2 did not end by itself: {detail}"
    assert lines[:-1] == ([text.decode()] if text else [])
