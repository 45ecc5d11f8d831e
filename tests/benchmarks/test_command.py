"""The benchmarks as a developer runs them: real clusters, each system in a process of its own."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks import plan
from benchmarks.order import ALONE, BARE, HISTORY, HYN, OPTUNA, UPSTREAM
from tests.pages import ROOT

pytestmark = pytest.mark.benchmarks


def benchmarks(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.timeout(600)  # thirty drivers, each a process that imports Hypernets
def test_a_little_of_everything_gives_every_row(tmp_path: pathlib.Path) -> None:
    done = benchmarks("--quick", "--folder", str(tmp_path / "kept"), "--format", "json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures == json.loads((tmp_path / "kept/figures.json").read_text())
    assert len(figures["rows"]) == 14
    runs = {(run["block"], run["order"]["system"]): run for run in figures["runs"]}
    assert {system for _, system in runs} == {ALONE, BARE, HISTORY, HYN, OPTUNA, UPSTREAM}
    assert all(run["trials_per_second"] > 0 for run in runs.values())
    # Ten megabytes reach each of two workers by the wire, or from the storage.
    assert runs[plan.DATA, BARE]["sent_bytes"] > 20_000_000
    assert runs[plan.DATA, HYN]["sent_bytes"] < 10_000_000 < runs[plan.DATA, HYN]["read_bytes"]
    short = [row["what"] for row in figures["rows"] if row["verdict"] != "reached"]
    assert ("Not reached" in done.stderr) == bool(short)


def test_it_says_how_near_to_the_least_time_a_documented_search_comes() -> None:
    done = benchmarks("--peer", "--quick")
    assert done.returncode == 0, done.stderr
    assert "40 trials of 0.005 s, 16 in flight" in done.stdout
    assert "Ray Tune's documentation has 715 s" in done.stdout


def test_a_shortfall_is_a_machine_s_to_find(tmp_path: pathlib.Path) -> None:
    options = ("--quick", "--only", plan.NOOP[2], "--folder", str(tmp_path))
    checked = benchmarks(*options, "--check", "--format", "json")
    figures = json.loads(checked.stdout)
    short = [row["what"] for row in figures["rows"] if row["verdict"] != "reached"]
    assert checked.returncode == bool(short)


def test_help_has_examples_and_a_wrong_block_is_refused() -> None:
    assert "python -m benchmarks --check" in benchmarks("--help").stdout
    refused = benchmarks("--only", "no-op")
    assert refused.returncode == 2
    assert "'no-op, 8 in flight'" in refused.stderr
