"""``python -m hyn_k8s.release``: the chart's hooks."""

from __future__ import annotations

import logging
import sys

import click

from hyn_k8s.api_server import ApiServer
from hyn_k8s.errors import HynError
from hyn_k8s.release.awaiting import await_search
from hyn_k8s.release.definitions import apply_definitions
from hyn_k8s.release.rivals import Release, find_rivals
from hyn_k8s.release.suspending import suspend_searches

_namespaces = click.option(
    "--namespaces", default="", help="Whose searches the release runs, with commas; all if empty."
)


@click.group()
def main() -> None:
    """Steps of an installation by Helm; each says what it does, and ends with 1 where it cannot."""


@main.command()
@click.option("--release", required=True, help="The release's name.")
@click.option("--release-namespace", required=True, help="Where it is installed.")
@_namespaces
@click.option("--dask-controller", is_flag=True, help="The release runs dask's controller, too.")
@click.option("--definitions", is_flag=True, help="Apply the CustomResourceDefinitions.")
def prepare(
    release: str, release_namespace: str, namespaces: str, dask_controller: bool, definitions: bool
) -> None:
    """Refuse a second controller for the same searches; have the kinds known."""
    kube = ApiServer.connect()
    find_rivals(
        kube, Release(release, release_namespace, _listed(namespaces), has_dask=dask_controller)
    )
    if definitions:
        apply_definitions(kube, with_dask=dask_controller, tell=click.echo)


@main.command()
@_namespaces
def suspend(namespaces: str) -> None:
    """Have every search free its pods; it goes on when spec.suspend is false again."""
    suspend_searches(ApiServer.connect(), _listed(namespaces), click.echo)


@main.command("await")
@click.argument("namespace")
@click.argument("name")
def await_(namespace: str, name: str) -> None:
    """Wait until a search has ended, well or not."""
    await_search(ApiServer.connect(), namespace, name, click.echo)


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name for name in names.split(",") if name)


if __name__ == "__main__":
    logging.getLogger("stamina").addHandler(logging.NullHandler())  # each wait would be a warning
    try:
        main()
    except HynError as error:
        sys.exit(f"Error: {error}")
