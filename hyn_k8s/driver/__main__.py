"""``python -m hyn_k8s.driver run`` and ``report``: what the pods of a search are started with.

SIGTERM is taken from the first moment on. In a pod the driver is process 1, which without a
handler does not get it at all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hyn_k8s import names
from hyn_k8s.contract import PodPaths
from hyn_k8s.search.signals import ending_later


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the ``arguments`` say; the exit code, of ``DriverExit``."""
    parser = argparse.ArgumentParser(prog="python -m hyn_k8s.driver", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="run | report")
    run = commands.add_parser("run", help="run the script of a RunConfig, and leave an Outcome")
    run.add_argument("--config", default=PodPaths.RUN_CONFIG, help="the RunConfig (%(default)s)")
    run.add_argument("--port", type=int, default=names.DRIVER_PORT, help="for GET /progress")
    run.set_defaults(do=_run)
    report = commands.add_parser("report", help="leave the Outcome of a run that has ended")
    report.set_defaults(do=_report)
    for command in (run, report):
        command.add_argument(
            "--termination-message",
            default=PodPaths.TERMINATION_MESSAGE,
            metavar="PATH",
            help="where the Outcome is left (%(default)s)",
        )
    options = parser.parse_args(arguments)
    with ending_later():
        return int(options.do(options))


def _run(options: argparse.Namespace) -> int:
    from hyn_k8s.driver.running import Run

    return Run(options.config, options.port).drive(options.termination_message)


def _report(options: argparse.Namespace) -> int:
    from hyn_k8s.driver.report import report

    return report(options.termination_message)


if __name__ == "__main__":
    sys.exit(main())
