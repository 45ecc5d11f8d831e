"""``python -m hyn_k8s.release``: the chart's hooks."""

from __future__ import annotations

import logging
import sys

import click

from hyn_k8s.api_server import ApiServer
from hyn_k8s.errors import HynError
from hyn_k8s.operator.settings import read_operator_settings
from hyn_k8s.release.awaiting import await_search
from hyn_k8s.release.definitions import apply_definitions
from hyn_k8s.release.patience import until
from hyn_k8s.release.rivals import Release, dasks_own, find_rivals, find_watched, listed
from hyn_k8s.release.suspending import suspend_searches

_AWAY_SECONDS = 30.0
"""How long the API server may be out of reach; a new pod's network may come after the pod."""

_release = click.option("--release", required=True, help="The release's name.")
_release_namespace = click.option(
    "--release-namespace", required=True, help="Where it is installed."
)
_namespaces = click.option(
    "--namespaces", default="", help="Whose searches the release runs, with commas; all if empty."
)


@click.group()
def main() -> None:
    """Steps of an installation by Helm; each says what it does, and ends with 1 where it cannot."""


@main.command()
@_release
@_release_namespace
@_namespaces
@click.option("--dask-controller", is_flag=True, help="The release runs dask's controller, too.")
@click.option("--definitions", is_flag=True, help="Apply the CustomResourceDefinitions.")
def prepare(
    release: str, release_namespace: str, namespaces: str, dask_controller: bool, definitions: bool
) -> None:
    """Refuse what the operator would not start with, and a second one for the same searches;
    have the kinds known."""
    read_operator_settings()
    kube = _connect()
    find_rivals(
        kube,
        Release(
            name=release,
            namespace=release_namespace,
            watched=listed(namespaces),
            has_dask=dask_controller,
        ),
    )
    if definitions:
        apply_definitions(kube, dask_controller, click.echo, dask_runs=bool(dasks_own(kube)))


@main.command()
@_release
@_release_namespace
@_namespaces
def suspend(release: str, release_namespace: str, namespaces: str) -> None:
    """Have the release's searches free their pods; they go on when spec.suspend is false again."""
    kube = _connect()
    watched = find_watched(kube, release, release_namespace)
    if watched is None:
        click.echo(f"{release} has no operator, and so no searches")
        return
    suspend_searches(kube, watched or listed(namespaces), click.echo)


@main.command("await")
@click.argument("namespace")
@click.argument("name")
def await_(namespace: str, name: str) -> None:
    """Wait until a search has ended; 1 if it has not ended well."""
    await_search(_connect(), namespace, name, click.echo)


def _connect() -> ApiServer:
    return until(ApiServer.connect, _AWAY_SECONDS, pause=1.0)


if __name__ == "__main__":
    logging.getLogger("stamina").addHandler(logging.NullHandler())  # each wait would be a warning
    try:
        main()
    except HynError as error:
        sys.exit(f"Error: {error}")
