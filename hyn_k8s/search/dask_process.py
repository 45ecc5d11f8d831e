"""What runs in each process of the embedded cluster: Dask's command, with a configuration of ours.

The user's Dask configuration is for the user's clusters. Some of it would break this one: a
scheduler that closes when it is idle for some seconds, say. It comes from files and variables.
These stay as they are, for trials may use Dask too; only these processes do not look at them.

The configuration holds keys, so it comes as a line of the standard input, not in a file. It is
asked for when Dask has been imported: meanwhile the driver can make the keys.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

LAUNCH = """
import json, sys
sys.path += [each for each in json.loads(sys.argv.pop(1)) if each not in sys.path]
from hyn_k8s.search.dask_process import main
main()
"""
"""For ``python -P -c``: the arguments are a path for modules, and those of Dask's command."""


def configuration(tls: dict[str, str | None]) -> dict[str, Any]:
    """What differs from Dask's defaults. ``tls`` holds certificates and keys, as PEM text."""
    return {
        # The driver counts lost workers itself; Dask gives each loss back at once.
        "distributed.scheduler.allowed-failures": 0,
        # A trial may train with processes of its own, as it may in the script's process.
        "distributed.worker.daemon": False,
        # Whoever reaches a scheduler runs code as its user, also another user of this machine.
        "distributed.comm.require-encryption": True,
        **{f"distributed.comm.tls.{name}": text for name, text in tls.items()},
    }


@contextlib.contextmanager
def defaults() -> Iterator[None]:
    """Within, Dask in this process has its default configuration."""
    import dask.config
    import distributed  # noqa: F401  # its defaults

    own: dict[str, Any] = {}
    dask.config.refresh(own, paths=[], env={})
    with dask.config.set({"distributed": own["distributed"]}):
        yield


def main() -> None:
    """Run the Dask command in ``sys.argv`` with the configuration that is read."""
    import dask.config

    dask.config.refresh(paths=[], env={})
    import distributed  # noqa: F401  # it sets up logging by the configuration
    from dask.cli import run_cli

    dask.config.set(json.loads(sys.stdin.buffer.readline()))
    run_cli()
