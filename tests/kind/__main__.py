"""``python -m tests.kind``: the cluster of the integration tests, by hand."""

from __future__ import annotations

import shutil
import sys

import click

from tests.kind.choice import ChoiceError, Way, choose
from tests.kind.docker import start_daemon
from tests.kind.go_programs import build_program
from tests.kind.images import build_ours
from tests.kind.pins import read_pins
from tests.kind.running import bring_up, build, take_down
from tests.kind.shell import CommandError, run


@click.group()
def main() -> None:
    """A Kubernetes cluster to develop on and to test with."""


@main.command()
def up() -> None:
    """Have the cluster up, with the images of this checkout on it."""
    cluster = bring_up()
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    for name, image in cluster.images.items():
        print(f"{name:10} {image}")


@main.command("build")
def build_all() -> None:
    """Have everything built that a cluster is made of, so that it is up soon when it is needed."""
    build()


@main.command()
def down() -> None:
    """End the cluster and whatever was started for it; what was built stays in the cache."""
    take_down()


@main.command()
@click.argument("names", nargs=-1)
def programs(names: tuple[str, ...]) -> None:
    """Have programs of versions.toml built, unless they are on the path."""
    for name in names:
        if shutil.which(name) is None:
            build_program(read_pins(), name)


@main.command()
def images() -> None:
    """Build the images of this checkout and tell their sizes."""
    pins = read_pins()
    way = choose(pins)
    if way is Way.EXISTING:
        way = Way.KIND
    if way is Way.OFFLINE:
        start_daemon(pins)
    for name in build_ours(pins, way).values():
        size = run("docker", "image", "inspect", "--format", "{{.Size}}", name)
        print(f"{name:32} {int(size) / 1e6:5.0f} MB")


if __name__ == "__main__":
    try:
        main()
    except (ChoiceError, CommandError, AssertionError) as error:
        sys.exit(f"Error: {error}")
