"""Hypernets' own tests, under its dispatcher and under ours: what passes there passes here.

``python -m tests.upstream.hypernets_suite`` runs the tests that come with Hypernets twice on the
installed libraries, with our fixes both times: with Hypernets' in-process dispatcher, and with
ours in its place, trials on two Dask workers that are processes of their own. The comparison says
whose fault a failure is: our dispatcher's where only the second run fails, a library's or one of
our fixes' where both fail. Both kinds make the exit code 1.

Each run is a pytest process in new directories, so that neither sees what the other left.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import csv
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from tests.processes import BARE_ENVIRONMENT, dask_cluster, stop
from tests.upstream.plugin import DASK, IN_PROCESS, STEM

ROOT = pathlib.Path(__file__).parents[2]
WORKERS = 2
TEST_SECONDS = 600
FAILING = ("failed", "error", "died")

CONFIGURATION = f"""[pytest]
python_files = *_test.py test_*.py
timeout = {TEST_SECONDS}
# Some of Hypernets' bare excepts swallow the deadline itself: such a process is ended.
faulthandler_timeout = {2 * TEST_SECONDS}
faulthandler_exit_on_timeout = true
"""
"""What pytest goes by. Without a file of its own it would find the one of this project."""

LACKING_FILES = (
    "hyperctl/test_application.py::test_load_remote_batch",
    "hyperctl/test_cli.py::test_run_generate_job_specs",
)
"""Tests that read files which Hypernets' wheel leaves out."""


def main() -> int:
    """Run what the command line asks for and tell what came of it; the exit code."""
    options = _arguments()
    with contextlib.ExitStack() as stack:
        folder = options.results or pathlib.Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="hypernets-suite-"))
        )
        asked = [options.only] if options.only else [IN_PROCESS, DASK]
        ended = [run(dispatcher, folder / dispatcher, options.k) for dispatcher in asked]
        if DASK in asked:
            print(_trials(folder / DASK))
        sound = compare(_outcomes(folder / IN_PROCESS), _outcomes(folder / DASK))
    return 0 if all(ended) and sound else 1


def run(dispatcher: str, folder: pathlib.Path, expression: str) -> bool:
    """Run Hypernets' tests with ``dispatcher``; whether pytest came to its end."""
    for name in ("home", "tmp", "dask"):
        (folder / name).mkdir(parents=True)
    (folder / "pytest.ini").write_text(CONFIGURATION)
    python_path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **BARE_ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(python_path),
        "TMPDIR": str(folder / "tmp"),
        "OPENBLAS_NUM_THREADS": "1",  # as Dask sets it for its workers
        "HYN_STORAGE_ROOT": str(folder / "storage"),
        "HYN_SEARCH_EXECUTORS": str(WORKERS),
    }
    print(f"\nHypernets' tests with the {dispatcher} dispatcher\n", flush=True)
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        if dispatcher == DASK:
            cluster = stack.enter_context(dask_cluster(folder / "dask", WORKERS, nannies=True))
            environment["DASK_SCHEDULER_ADDRESS"] = cluster.address
        process = subprocess.Popen(
            _pytest(dispatcher, folder, expression),
            cwd=folder / "home",
            env=environment,
            start_new_session=True,
        )
        stack.callback(stop, process)
        code = process.wait()
    print(
        f"\n{dispatcher}: {time.monotonic() - begun:.0f} s, pytest's exit code {code}", flush=True
    )
    return code in (0, 1)


def compare(theirs: dict[str, str], ours: dict[str, str]) -> bool:
    """Print both runs side by side, either may be empty; whether ours is as it should be."""
    for dispatcher, outcomes in ((IN_PROCESS, theirs), (DASK, ours)):
        counts = collections.Counter(outcomes.values()).most_common()
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts)
        print(f"{dispatcher:10}  {told or 'not run'}")
    pairs = {test: (theirs.get(test, "-"), ours.get(test, "-")) for test in {**theirs, **ours}}
    if not theirs or not ours:
        failing = {test: pair for test, pair in pairs.items() if set(pair) & set(FAILING)}
        _table("Failing", failing)
        return not failing
    both = {test: pair for test, pair in pairs.items() if set(pair) <= set(FAILING)}
    alone = {
        test: pair for test, pair in pairs.items() if len(set(pair)) == 2 and pair[0] not in FAILING
    }
    cured = {
        test: pair for test, pair in pairs.items() if pair[0] in FAILING and pair[1] not in FAILING
    }
    _table("Failing in both", both)
    _table("Failing in process only", cured)
    _table("Going wrong with our dispatcher only", alone)
    return not both and not alone


def _table(title: str, pairs: dict[str, tuple[str, str]]) -> None:
    print(f"\n{title}: {len(pairs) or 'none'}")
    for test, (theirs, ours) in sorted(pairs.items()):
        print(f"  {theirs:8}  {ours:8}  {test}")


def _outcomes(folder: pathlib.Path) -> dict[str, str]:
    """How each test of the run in ``folder`` ended; empty when there was no such run."""
    path = folder / "outcomes.jsonl"
    return dict(map(json.loads, path.read_text().splitlines())) if path.exists() else {}


def _trials(folder: pathlib.Path) -> str:
    """How many searches and trials ran on which workers: proof that ours was the dispatcher."""
    tables = list((folder / "storage").glob(f"{STEM}-*/search-*/trials.csv"))
    rows = [row for table in tables for row in csv.DictReader(table.read_text().splitlines())]
    counts = collections.Counter(row["status"] for row in rows).most_common()
    trials = ", ".join(f"{count} {status}" for status, count in counts) or "none"
    workers = ", ".join(sorted({row["worker"] for row in rows} - {""})) or "none"
    return f"{DASK}: {len(tables)} searches; trials: {trials}; workers: {workers}"


def _pytest(dispatcher: str, folder: pathlib.Path, expression: str) -> list[str]:
    spec = importlib.util.find_spec("hypernets")  # found, not imported: fixes come before that
    assert spec is not None, "Hypernets is installed"
    assert spec.submodule_search_locations is not None, "it is a package"
    command = [sys.executable, "-m", "pytest", f"{spec.submodule_search_locations[0]}/tests"]
    command += ["-c", str(folder / "pytest.ini"), f"--rootdir={folder / 'home'}", "-k", expression]
    command += [f"--deselect={test}" for test in LACKING_FILES]
    command += ["-p", "tests.upstream.plugin", f"--dispatcher={dispatcher}"]
    command += [f"--outcomes={folder / 'outcomes.jsonl'}", f"--junit-xml={folder / 'junit.xml'}"]
    command += ["--continue-on-collection-errors", "--durations=15", "-v", "-rfE"]
    return [*command, "--tb=short", "--show-capture=stderr", "--disable-warnings"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.upstream.hypernets_suite",
        description="Run Hypernets' own tests with its in-process dispatcher and with ours on "
        "two Dask workers, and compare. The exit code is 0 if no test fails with ours.",
    )
    parser.add_argument(
        "--only",
        choices=[IN_PROCESS, DASK],
        help="run with this dispatcher only, and compare with what --results has of the other",
    )
    parser.add_argument("-k", default="", metavar="EXPR", help="only tests that match, as pytest's")
    parser.add_argument(
        "--results",
        type=lambda path: pathlib.Path(path).absolute(),
        metavar="FOLDER",
        help="keep outcomes, junit.xml, storage and logs here, in a new folder for each dispatcher",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
