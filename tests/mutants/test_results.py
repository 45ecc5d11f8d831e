"""What is counted as caught, and when that is too little."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.mutants.results import Floor, Results, read_results

MODULE = "hyn_k8s/names.py"


def left(folder: pathlib.Path, *codes: int | None) -> pathlib.Path:
    """A folder with what mutmut notes of so many mutants."""
    meta = folder / f"{MODULE}.meta"
    meta.parent.mkdir()
    names = [f"hyn_k8s.names.x_name__mutmut_{number}" for number in range(1, len(codes) + 1)]
    exit_codes = dict(zip(names, codes, strict=True))
    durations = dict.fromkeys(names, 0.5)
    meta.write_text(json.dumps({"exit_code_by_key": exit_codes, "durations_by_key": durations}))
    return folder


def test_what_fails_or_hangs_is_caught_and_what_no_test_reaches_is_not(
    tmp_path: pathlib.Path,
) -> None:
    found = read_results(left(tmp_path, 1, 0, -24, 33), MODULE)
    names = ("hyn_k8s.names.x_name__mutmut_2", "hyn_k8s.names.x_name__mutmut_4")
    assert found == Results(MODULE, killed=2, survivors=names, seconds=2.0)
    assert found.mutants == 4


def test_a_run_that_was_interrupted_has_no_results(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"2 mutants of .* were not tested"):
        read_results(left(tmp_path, None, 1, None), MODULE)


@pytest.mark.parametrize(
    ("killed", "survived", "reaches"),
    [(9, 1, True), (8, 2, False), (10, 0, True), (18, 2, True), (8, 1, False), (0, 0, False)],
)
def test_the_share_that_is_caught_may_not_fall(killed: int, survived: int, reaches: bool) -> None:
    found = Results(MODULE, killed, ("x",) * survived, seconds=1.0)
    assert found.reaches(Floor(mutants=10, killed=9)) is reaches
