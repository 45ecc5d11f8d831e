"""The ``hyn-k8s`` command: ``run`` a script's searches, read a run's ``results`` and ``logs``.

Commands import what they need when they are called, so that ``--help`` and shell completion
answer at once. Every HynError ends a command with its one sentence.
"""

from __future__ import annotations

from typing import Any

import click

from hyn_k8s import HynError, SettingsError, __version__
from hyn_k8s.cli.logs import logs
from hyn_k8s.cli.results import results
from hyn_k8s.cli.run import run
from hyn_k8s.contract import ExitCode
from hyn_k8s.errors import SpecError


class _Group(click.Group):
    """A group that turns our errors into their sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HynError as error:
            click.echo(f"Error: {error}", err=True)
            wrong_call = isinstance(error, (SettingsError, SpecError))
            ctx.exit(ExitCode.USAGE if wrong_call else ExitCode.FAILED)


EPILOG = """\b
Examples:
  hyn-k8s run search.py                       three trials at a time on this machine
  hyn-k8s run --executors 8 search.py --rows 3000
  hyn-k8s run --scheduler tcp://scheduler:8786 --storage-root /opt/share search.py
  hyn-k8s results                             the trials of the latest run
  hyn-k8s logs --trial 7                      what its seventh trial printed
\b
Shell completion (bash; zsh and fish alike):
  eval "$(_HYN_K8S_COMPLETE=bash_source hyn-k8s)"
"""


@click.group(cls=_Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hyn-k8s")
def main() -> None:
    """Run Hypernets searches with their trials in parallel on Dask, over shared storage."""


main.add_command(run)
main.add_command(results)
main.add_command(logs)
