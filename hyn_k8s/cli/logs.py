"""``hyn-k8s logs``: what a trial printed, while it runs and afterwards."""

from __future__ import annotations

import click

from hyn_k8s.cli.results import at_storage, complete_run, storage_options, which_run

EPILOG = """\b
Examples:
  hyn-k8s logs --trial 7                   of the latest run, its last search
  hyn-k8s logs heart-1 --trial 7 | tail    how it ended, also if it was killed
  hyn-k8s logs heart-1 --search 2 --trial 7
  watch -n 5 hyn-k8s logs --trial 7        while it runs
"""


@click.command(epilog=EPILOG)
@click.argument("run", required=False, shell_complete=complete_run)
@click.option("--trial", type=click.IntRange(min=1), metavar="N", required=True, help="Its number.")
@click.option(
    "--search",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which search() call of the script; the last one by default.",
)
@storage_options
def logs(
    run: str | None,
    trial: int,
    search: int | None,
    storage_type: str | None,
    storage_root: str | None,
) -> None:
    """Show what trial N of RUN printed and logged, by default of the run begun last.

    A trial that runs is shown up to 5 s ago. Of much output the beginning and the end are kept,
    1 MiB together. With HYN_SEARCH_BACKEND=standalone, trials print where the script does and no
    logs are kept.
    """
    from hyn_k8s.search.log_reading import read_log

    storage = at_storage(storage_type, storage_root)
    text = read_log(storage, which_run(storage, run), search, trial)
    click.echo(text, nl=False)
