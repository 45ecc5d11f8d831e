"""What is shown of measurements: to people, to machines, in the README."""

from __future__ import annotations

import io
import json
import pathlib
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from benchmarks import plan, report
from benchmarks.order import UPSTREAM
from benchmarks.plan import NOOP
from benchmarks.rows import rows
from tests.benchmarks.measurements import SWIFT, all_at
from tests.tables import README, with_table

RUNS = all_at({(NOOP[each], UPSTREAM): 40.0 for each in plan.IN_FLIGHT}, 100.0)
ROWS = rows(RUNS, SWIFT)

draws = pytest.mark.processes
"""Where matplotlib has no list of fonts yet, it asks fontconfig's program for one."""


def test_the_table_has_every_row_and_what_falls_short() -> None:
    shown = io.StringIO()
    Console(width=300, file=shown).print(report.table(ROWS))
    lines = shown.getvalue().splitlines()
    for row in ROWS:
        (line,) = [line for line in lines if f" {row.what} " in line]
        assert row.shown in line
        assert row.must in line
        assert line.rstrip(" │").endswith(row.verdict)
    assert sum("short" in line for line in lines) == 3


@draws
def test_a_folder_has_it_for_people_and_machines(tmp_path: pathlib.Path) -> None:
    report.write(tmp_path / "new", ROWS, RUNS)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"figures.json", "rates.svg"}
    figures = json.loads((tmp_path / "new/figures.json").read_text())
    assert [(row["what"], row["verdict"]) for row in figures["rows"]] == [
        (row.what, row.verdict) for row in ROWS
    ]
    assert len(figures["runs"]) == len(RUNS)
    assert {"cores", "python", "packages"} <= set(figures["machine"])
    picture = ET.parse(tmp_path / "new/rates.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"


def test_the_readme_has_what_was_measured_last() -> None:
    readme = README.read_text()
    assert readme == with_table(readme, report.kept()), "run: python -m tests.tables"
    figures = json.loads((report.KEPT / "figures.json").read_text())
    assert [row["what"] for row in figures["rows"]] == [row.what for row in ROWS], "run: make bench"


@draws
def test_a_picture_of_a_part_has_that_part(tmp_path: pathlib.Path) -> None:
    for runs in ([each for each in RUNS if each[0].name == plan.LONG], []):
        report.write(tmp_path, rows(runs, None), runs)
        assert ET.parse(tmp_path / "rates.svg").getroot() is not None
