"""``hyn-k8s run``: a user's script, unmodified, with its searches in parallel."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from typing import TYPE_CHECKING

import click

from hyn_k8s import contract
from hyn_k8s.contract import ExitCode, Variable
from hyn_k8s.errors import RunError, RunTakenError, ScriptError, StorageError

if TYPE_CHECKING:
    from hyn_k8s.cli.job_file import LocalJob
    from hyn_k8s.search.reporting import Reporter
    from hyn_k8s.search.session import Session

EPILOG = """\b
Examples:
  hyn-k8s run search.py
  hyn-k8s run --executors 8 --run heart search.py --rows 3000
  hyn-k8s run --seed 7 --ordered search.py      the same trials every time
  hyn-k8s run --restart search.py               not where the last one was left
  hyn-k8s run -f job.yaml                       a SearchJob, without a cluster
  hyn-k8s run --scheduler tcp://scheduler:8786 --storage-root /opt/share search.py
  HYN_STORAGE_OPTIONS='{"endpoint_url": "http://minio:9000"}' \\
      hyn-k8s run --storage-type s3 --storage-root /bucket/prefix search.py
\b
A run that was killed, interrupted or failed goes on where it was when the same command
is given again.
\b
Exit codes: the script's own; 1 if it raised, if no trial succeeded, or if a run, storage,
scheduler or worker cannot be used; 2 if an option or variable is wrong; 75 if the run can
be continued later (SIGTERM, storage or scheduler away for too long, another driver took it
over); 130 after Ctrl-C.
"""


def _option(variable: Variable, metavar: str) -> str:
    return f"{variable.meaning[0].upper()}{variable.meaning[1:]}. [{metavar}{variable.name}]"


@click.command(
    epilog=EPILOG,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--executors", metavar="N", help=_option(contract.EXECUTORS, "default 3; "))
@click.option("--scheduler", metavar="ADDRESS", help=_option(contract.SCHEDULER, ""))
@click.option(
    "--storage-type",
    type=click.Choice(["file", "s3"]),
    help=_option(contract.STORAGE_TYPE, "default file; "),
)
@click.option(
    "--storage-root", metavar="PATH", help=_option(contract.STORAGE_ROOT, "default ./workdir; ")
)
@click.option(
    "--backend",
    type=click.Choice(["dask", "standalone"]),
    help=_option(contract.BACKEND, "default dask; "),
)
@click.option("--seed", metavar="N", help=_option(contract.SEED, ""))
@click.option("--ordered", is_flag=True, default=None, help=_option(contract.ORDERED, ""))
@click.option("--trial-timeout", metavar="SECONDS", help=_option(contract.TRIAL_TIMEOUT, ""))
@click.option("--memory", metavar="SIZE", help=_option(contract.MEMORY, ""))
@click.option("--grace", metavar="SECONDS", help=_option(contract.GRACE, "default 20; "))
@click.option("--run", "run_name", metavar="NAME", help=_option(contract.RUN_ID, ""))
@click.option(
    "--restart",
    is_flag=True,
    help="Begin anew where an unfinished run would be continued; what there is is kept aside.",
)
@click.option(
    "-f",
    "--file",
    "job_file",
    type=click.Path(),
    help="A SearchJob, as kubectl applies it: its script, arguments, env and executors, here.",
)
@click.argument("script", type=click.Path(), required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
@click.pass_context
def run(
    ctx: click.Context,
    executors: str | None,
    scheduler: str | None,
    storage_type: str | None,
    storage_root: str | None,
    backend: str | None,
    seed: str | None,
    ordered: bool | None,
    trial_timeout: str | None,
    memory: str | None,
    grace: str | None,
    run_name: str | None,
    restart: bool,
    job_file: str | None,
    script: str | None,
    arguments: tuple[str, ...],
) -> None:
    """Run SCRIPT, or go on with it; the trials of its searches run in parallel on Dask.

    Options come before SCRIPT; what follows it is the script's own. An option wins over its
    variable.
    """
    from hyn_k8s.search import runner, settings, sources

    job = _read_job(job_file, script is not None)
    path, arguments = _script(ctx, job, script, arguments)
    flags = {
        contract.EXECUTORS: executors,
        contract.SCHEDULER: scheduler,
        contract.STORAGE_TYPE: storage_type,
        contract.STORAGE_ROOT: storage_root,
        contract.BACKEND: backend,
        contract.SEED: seed,
        contract.ORDERED: "1" if ordered else None,
        contract.TRIAL_TIMEOUT: trial_timeout,
        contract.MEMORY: memory,
        contract.GRACE: grace,
        contract.RUN_ID: run_name,
    }
    given = {variable: value for variable, value in flags.items() if value is not None}
    chosen = settings.read_settings({**(job.settings if job else {}), **given})
    must_exist = job is not None and job.must_exist and run_name is None
    chosen = dataclasses.replace(chosen, restart=restart, must_exist=must_exist)
    for sentence in settings.read_slips():
        click.echo(f"Warning: {sentence}", err=True)
    try:
        read = sources.read_script(path)
    except ScriptError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(ExitCode.USAGE)
    ctx.exit(runner.run_script(read, arguments, chosen, _reporter(), _show_results))


def _read_job(job_file: str | None, has_script: bool) -> LocalJob | None:
    """The SearchJob of ``-f``, whose variables are this process's from now on."""
    if job_file is None:
        return None
    from hyn_k8s.cli.job_file import read_job_file

    job = read_job_file(job_file, has_script)
    os.environ.update(job.variables)
    return job


def _script(
    ctx: click.Context, job: LocalJob | None, script: str | None, arguments: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Where the script is, and its arguments: those behind the options, else the SearchJob's."""
    if script is not None:
        return script, arguments or (job.arguments if job else ())
    if job is None:
        raise click.UsageError("name a SCRIPT, or a SearchJob by -f")
    if job.inline is None:
        assert job.path is not None, "a SearchJob has one of the two"
        return job.path, job.arguments
    folder = ctx.with_resource(tempfile.TemporaryDirectory(prefix="hyn-k8s-"))
    path = os.path.join(folder, f"{job.name}.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(job.inline)
    return path, job.arguments


def _reporter() -> Reporter:
    """A live bar where a person looks, lines where nobody does."""
    if sys.stderr.isatty():
        from hyn_k8s.cli.bar import BarReporter

        return BarReporter()
    from hyn_k8s.search.reporting import LineReporter

    return LineReporter(lambda line: click.echo(line, err=True))


def _show_results(session: Session, code: int) -> None:
    """After the script: where the results are, and the best trials of its last search."""
    from hyn_k8s.cli.results import print_search
    from hyn_k8s.search.results import read_summaries, read_trials

    session.reporter.close()
    if session.run is None:
        if code == ExitCode.OK:
            click.echo("The script began no search.", err=True)
        return
    if any(isinstance(error, (StorageError, RunTakenError)) for error in session.errors):
        return  # what is there is not what this process has done
    try:
        summary = read_summaries(session.storage, session.run)[-1]
    except RunError:
        return  # its first search has not come so far
    rows = read_trials(session.storage, session.run, summary["search"])
    print_search(summary, rows, top=5, to_stderr=True)
    click.echo(f"Results: {session.storage.rooted(session.run)}", err=True)
