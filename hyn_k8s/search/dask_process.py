"""What runs in each process of the embedded cluster: Dask's command, with a configuration of ours.

The user's Dask configuration is for the user's clusters. Some of it would break this one: a
scheduler that closes when it is idle for some seconds, say. It comes from files and variables.
These stay as they are, for trials may use Dask too; only these processes do not look at them.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

LAUNCH = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from hyn_k8s.search.dask_process import main
main()
"""
"""For ``python -P -c``: arguments are a path for modules, a file of ``configuration``, and those of
Dask's command."""


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


def main() -> None:
    """Run the Dask command in ``sys.argv``, after the name of a file with the configuration."""
    import dask.config
    import distributed  # noqa: F401  # its defaults
    from dask.cli import run_cli

    ours = json.loads(pathlib.Path(sys.argv.pop(1)).read_text())
    dask.config.refresh(paths=[], env={})
    dask.config.set(ours)
    run_cli()
