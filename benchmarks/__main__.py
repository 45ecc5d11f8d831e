"""``python -m benchmarks``: measure, show, and keep what was found."""

from __future__ import annotations

import json
import pathlib
import sys

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import plan, report
from benchmarks.conduct import carry_out
from benchmarks.plan import Block
from benchmarks.rows import REACHED, Runs, peer_sentence, rows
from benchmarks.starting import Start, measure_start

START = "start"

EXAMPLES = """
\b
Examples:
  python -m benchmarks                                 all of it, a quarter of an hour
  python -m benchmarks --only 'no-op, 8 in flight'     one block
  python -m benchmarks --check                         for a machine: 1 unless all is reached
  python -m benchmarks --quick                         two minutes, to see whether it runs
  python -m benchmarks --peer                          beside what Ray Tune's documentation says
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--only",
    multiple=True,
    metavar="BLOCK",
    type=click.Choice([*(block.name for block in plan.blocks()), START]),
    help="Measure just this; may be given several times.",
)
@click.option("--check", is_flag=True, help="End with 1 unless every target is reached.")
@click.option("--quick", is_flag=True, help="Of everything a little: whether it runs.")
@click.option("--peer", is_flag=True, help="Run Ray Tune's documented benchmark, scaled.")
@click.option(
    "--folder",
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    default=pathlib.Path("workdir/benchmarks"),
    show_default=True,
    help="Where figures.json and rates.svg go.",
)
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table")
def main(
    only: tuple[str, ...], check: bool, quick: bool, peer: bool, folder: pathlib.Path, shape: str
) -> None:
    """Measure what a trial costs, beside bare Dask, Hypernets and Optuna."""
    blocks = [plan.peer()] if peer else plan.blocks()
    blocks = [block for block in blocks if peer or not only or block.name in only]
    runs = measured([block.quick() if quick else block for block in blocks])
    if peer:
        click.echo(peer_sentence(runs))
        return
    start = _start(1 if quick else 5) if not only or START in only else None
    found = rows(runs, start)
    report.write(folder, found, runs)
    if shape == "json":
        click.echo(json.dumps(report.document(found, runs)))
    else:
        Console().print(report.table(found))
    short = [row.what for row in found if row.verdict != REACHED]
    if short:
        click.echo(f"Not reached: {'; '.join(short)}", err=True)
    if check and short:
        sys.exit(1)


def measured(blocks: list[Block]) -> Runs:
    """What the runs of ``blocks`` came to; somebody at a terminal sees how far it is."""
    with _progress() as progress:
        total = sum(1 for block in blocks for _ in block.in_turns())
        task = progress.add_task("", total=total)

        def tell(what: str) -> None:
            progress.update(task, description=what, advance=1)

        return carry_out(blocks, tell)


def _start(times: int) -> Start:
    with _progress() as progress:
        progress.add_task("how long a start takes", total=None)
        return measure_start(times)


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"))
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    main()
