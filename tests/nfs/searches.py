"""Whole searches on the machines: Dask's processes, drivers, and what is left of their runs."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Mapping
from typing import Self

from tests.faults.drivers import CONTINUE_LATER
from tests.faults.scripts import NAME, SCRIPT
from tests.nfs.machines import Command, Machine
from tests.processes import BIN, QUIET
from tests.waiting import until

__all__ = ["CONTINUE_LATER", "Dask", "Driver", "read_rows"]

RUN = "it"

FOLDER = "/tmp/driver"
"""Where a driver works; its trials leave notes in the same place on their own machine."""


class Driver:
    """``hyn-k8s run`` of the script of all faults, on ``machine``."""

    def __init__(
        self,
        machine: Machine,
        root: str,
        script: str,
        scheduler: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._machine = machine
        environ = {"HYN_STORAGE_ROOT": root, **(env or {})}
        if scheduler is not None:
            environ["DASK_SCHEDULER_ADDRESS"] = scheduler
        machine.run("mkdir", "-p", FOLDER)
        machine.run("sh", "-c", 'printf %s "$1" > "$0"', f"{FOLDER}/{NAME}", SCRIPT)
        command = (str(BIN / "hyn-k8s"), "run", "--run", RUN, NAME, *script.split())
        self._command = machine.start(*command, env=environ, folder=FOLDER)

    @property
    def said(self) -> str:
        """What it has written so far, to whichever stream."""
        return self._command.said

    def ended(self, seconds: float) -> int:
        """Its exit code, when it has ended by itself."""
        return self._command.ended(seconds)

    def told(self) -> int:
        """How many trials it says are done; to ask the machine would take its one processor."""
        return max((int(done) for done in re.findall(r"(\d+)/\d+ done", self.said)), default=0)

    def await_told(self, trials: int, seconds: float = 150.0) -> None:
        """Wait until so many trials have been reported."""

        def seen() -> bool:
            ended = self._command.has_ended
            done = self.told() >= trials
            assert done or not ended, f"the driver ended; it said:\n{self.said}"
            return done

        try:
            until(seen, f"{trials} trials", seconds, every=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; the driver said:\n{self.said}") from None

    def await_said(self, sentence: str, seconds: float = 60.0) -> None:
        """Wait until it has written ``sentence``."""
        until(lambda: sentence in self.said, f"{sentence!r} in\n{self.said}", seconds, every=0.3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._command.close()


class Dask:
    """A scheduler, and workers with one thread each."""

    def __init__(self, scheduler: Machine, *workers: Machine) -> None:
        self.address = f"tcp://{scheduler.address}:8786"
        command = ("scheduler", "--host", scheduler.address, "--port", "8786", "--no-dashboard")
        self._commands = [_dask(scheduler, *command)]
        for worker in workers:
            options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", worker.address)
            self._commands.append(_dask(worker, "worker", self.address, *options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for command in self._commands:
            print(command.said)  # where a test failed, it is shown
            command.close()


def _dask(machine: Machine, *command: str) -> Command:
    folder = f"/tmp/{uuid.uuid4().hex}"
    machine.run("mkdir", "-p", folder, FOLDER)
    # The machine sees what Dask has left in this one's folder for temporary files.
    env = {**QUIET, "DASK_TEMPORARY_DIRECTORY": folder}
    return machine.start(str(BIN / "dask"), *command, env=env, folder=folder)


def read_rows(machine: Machine, root: str) -> list[dict[str, str]]:
    """The trials of the run, as ``hyn-k8s results`` shows them on ``machine``."""
    command = (str(BIN / "hyn-k8s"), "results", RUN, "--format", "csv")
    text = machine.run(*command, env={"HYN_STORAGE_ROOT": root})
    return list(csv.DictReader(io.StringIO(text)))
