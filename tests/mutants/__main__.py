"""Plant the faults, print what the tests caught of them; fail below the floor.

``.venv/bin/mutmut run NAME`` tests one of them again, ``mutmut browse`` shows them all.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests.mutants.results import Floor, Results, read_floors, read_results
from tests.processes import BIN

ROOT = pathlib.Path(__file__).parent.parent.parent
MUTANTS = ROOT / "mutants"
"""Where mutmut has its copy of the code and of the tests, and what came of each mutant."""

FLOORS = pathlib.Path(__file__).parent / "floor.toml"

ROW = "{:30}{:>9}{:>9}{:>10}{:>9}  {}"


def plant(processes: int) -> None:
    """Have every mutant tested anew."""
    shutil.rmtree(MUTANTS, ignore_errors=True)
    command = [str(BIN / "mutmut"), "run", "--max-children", str(processes)]
    environ = {**os.environ, "PYTHONHASHSEED": "0"}  # mutmut's order of the tests goes by it
    # It draws a line for every mutant, again and again, which is of use on a terminal only.
    shown = None if sys.stdout.isatty() else subprocess.PIPE
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=shown, stderr=subprocess.STDOUT)
    if done.returncode:
        print((done.stdout or b"").decode(errors="replace"))
        raise SystemExit(done.returncode)


def print_results(found: Sequence[Results], floors: dict[str, Floor]) -> None:
    """A row for each module, then the survivors."""
    print(ROW.format("module", "mutants", "killed", "survived", "seconds", "floor"))
    for each in found:
        floor = floors[each.module]
        least = f"{floor.killed} of {floor.mutants}"
        if not each.reaches(floor):
            least += "  TOO FEW"
        elif (each.killed, each.mutants) != (floor.killed, floor.mutants):
            least += f"  (write the new figures into {FLOORS.relative_to(ROOT)})"
        counts = (each.mutants, each.killed, len(each.survivors), f"{each.seconds:.0f}")
        print(ROW.format(each.module, *counts, least))
    survivors = [name for each in found for name in each.survivors]
    if survivors:
        print("\nSurvivors; .venv/bin/mutmut show NAME has what was changed:")
        print(*survivors, sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--again", action="store_true", help="only print the last run's results")
    options = parser.parse_args()
    if not options.again:
        plant(options.processes)
    floors = read_floors(FLOORS)
    try:
        found = [read_results(MUTANTS, module) for module in floors]
    except (OSError, ValueError) as error:
        sys.exit(f"there are no results: {error}")
    print_results(found, floors)
    sys.exit(not all(each.reaches(floors[each.module]) for each in found))


if __name__ == "__main__":
    main()
