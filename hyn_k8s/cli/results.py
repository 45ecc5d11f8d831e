"""``hyn-k8s results``: the trials of a run as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hyn_k8s import contract
from hyn_k8s.errors import HynError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem
    from rich.table import Table

    from hyn_k8s.search.storage import Storage

EPILOG = """\b
Examples:
  hyn-k8s results                          the latest run
  hyn-k8s results heart-1 --top 5          its five best trials
  hyn-k8s results heart-1 --format csv > trials.csv
  hyn-k8s results --format json | jq '.searches[-1].best'
"""


_TYPE = f"[{contract.STORAGE_TYPE.name}]"
_ROOT = f"[{contract.STORAGE_ROOT.name}]"

Command = TypeVar("Command", bound="Callable[..., Any]")


def complete_run(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of runs that begin with ``incomplete``."""
    from click.shell_completion import CompletionItem

    from hyn_k8s.search.manifests import read_runs

    try:
        runs = read_runs(at_storage(ctx.params.get("storage_type"), ctx.params.get("storage_root")))
    except HynError:
        return []  # a shell that completes has no place for a sentence
    names = [str(manifest["run"]) for manifest in runs.manifests]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def at_storage(storage_type: str | None, storage_root: str | None) -> Storage:
    """The storage of the environment, or of the flags that are set."""
    from hyn_k8s.search.opening import open_storage
    from hyn_k8s.search.settings import read_settings

    flags = {contract.STORAGE_TYPE: storage_type, contract.STORAGE_ROOT: storage_root}
    return open_storage(read_settings(flags).storage)


def storage_options(command: Command) -> Command:
    """Let ``command`` take the options that say where runs are."""
    kind = click.option("--storage-type", type=click.Choice(["file", "s3"]), help=_TYPE)
    return kind(click.option("--storage-root", metavar="PATH", help=_ROOT)(command))


@click.command(epilog=EPILOG)
@click.argument("run", required=False, shell_complete=complete_run)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Tables are for people; csv is the last search's trials, json the whole run.",
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the N best trials.")
@storage_options
def results(
    run: str | None, form: str, top: int | None, storage_type: str | None, storage_root: str | None
) -> None:
    """Show the trials of RUN, by default of the run begun last."""
    from hyn_k8s.search.results import read_summaries, read_trials
    from hyn_k8s.search.rows import finite, typed

    storage = at_storage(storage_type, storage_root)
    name = which_run(storage, run)
    summaries = read_summaries(storage, name)
    tables = {
        summary["search"]: best_first(summary, read_trials(storage, name, summary["search"]), top)
        for summary in summaries
    }
    if form == "json":
        document = {
            "run": name,
            "searches": [{**each, "rows": typed(tables[each["search"]])} for each in summaries],
        }
        click.echo(json.dumps(finite(document), indent=2, allow_nan=False))
    elif form == "csv":
        _print_csv(tables[summaries[-1]["search"]])
    else:
        for summary in summaries:
            print_search(summary, tables[summary["search"]], top=None, to_stderr=False)


def which_run(storage: Storage, run: str | None) -> str:
    """``run``, or the one begun last; those that cannot be read are told."""
    if run is not None:
        return run
    from hyn_k8s.search.manifests import read_runs
    from hyn_k8s.search.results import latest_of

    runs = read_runs(storage)
    for error in runs.damaged:
        click.echo(f"Warning: {error}", err=True)
    return latest_of(runs, storage.url)


def best_first(
    summary: dict[str, Any], rows: Sequence[dict[str, str]], top: int | None
) -> list[dict[str, str]]:
    """The ``top`` best rows, the summary's best trial first; all by their numbers without ``top``.

    Those without a reward of their own come last.
    """
    if top is None:
        return list(rows)
    from hyn_k8s.search.ranking import Rank, rank
    from hyn_k8s.search.rows import reward_column_names

    columns = reward_column_names(summary["rewards"])
    best = str((summary["best"] or {}).get("trial"))

    def place(row: dict[str, str]) -> tuple[bool, Rank, bool]:
        known = row["status"] == "succeeded"
        rewards = [float((known and row.get(column)) or "nan") for column in columns]
        # Equals are listed by their numbers, and the best of them is the one told first.
        return not known, rank(rewards, summary["directions"]), row["trial"] != best

    return sorted(rows, key=place)[:top]


def print_search(
    summary: dict[str, Any], rows: Sequence[dict[str, str]], top: int | None, to_stderr: bool
) -> None:
    """Print one search for people: a table of its trials, and a line of counts."""
    from rich.console import Console

    from hyn_k8s.search.progress import losses

    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=200)
    shown = best_first(summary, rows, top)
    if shown:
        console.print(_table(summary, shown))
    counts = summary["trials"]
    parts = [f"{counts[key]} {key}" for key in ("failed", "pruned", "skipped") if counts[key]]
    parts.extend(losses(summary.get("workers_lost", 0), summary.get("processes_lost", 0)))
    console.print(
        f"{summary['run']}/{summary['search']}: {summary['state']}, "
        f"{counts['done']} of {summary['max_trials']} trials done"
        + (f" ({', '.join(parts)})" if parts else ""),
        highlight=False,
    )
    if summary["pareto"]:
        front = ", ".join(map(str, summary["pareto"]))
        console.print(f"Pareto front: trials {front}", highlight=False)


def _table(summary: dict[str, Any], rows: Sequence[dict[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from hyn_k8s.search.rows import reward_column_names

    rewards = reward_column_names(summary["rewards"])
    table = Table(title=f"{summary['run']}/{summary['search']}", title_justify="left")
    for name in ("trial", "status", *rewards, "seconds", "worker"):
        right = name in ("trial", "seconds") or name in rewards
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("hyper-parameters", overflow="fold")
    best = {str(number) for number in summary["pareto"] or [(summary["best"] or {}).get("trial")]}
    for row in rows:
        numbers = [f"{float(row[name]):.5g}" if row[name] else "" for name in rewards]
        seconds = f"{float(row['elapsed_seconds']):.1f}" if row["elapsed_seconds"] else ""
        text = Text(parameters_text(row, rewards))
        if row["detail"]:
            text = Text(row["detail"], style="red" if row["status"] == "failed" else "dim")
        style = "bold green" if row["trial"] in best else None
        table.add_row(
            row["trial"], row["status"], *numbers, seconds, row["worker"], text, style=style
        )
    return table


def parameters_text(row: dict[str, str], rewards: Sequence[str]) -> str:
    """A row's hyper-parameters, those of one module together: ``Tree(max_depth=3, ...)``."""
    from hyn_k8s.search.rows import LEADING_COLUMNS, TRAILING_COLUMNS

    modules: dict[str, list[str]] = {}
    for name, value in row.items():
        if value and name not in (*LEADING_COLUMNS, *TRAILING_COLUMNS, *rewards):
            module, _, parameter = name.rpartition(".")
            modules.setdefault(module, []).append(f"{parameter}={value}")
    return " ".join(
        f"{module}({', '.join(values)})" if module else " ".join(values)
        for module, values in modules.items()
    )


def _print_csv(rows: Sequence[dict[str, str]]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
