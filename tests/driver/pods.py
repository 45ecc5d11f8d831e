"""Drivers as in a pod: ``python -m hyn_k8s.driver`` as a process, and what it serves and leaves."""

from __future__ import annotations

import contextlib
import pathlib
import sys
import urllib.request
from collections.abc import Callable, Mapping

from hyn_k8s.documents import Outcome, Progress, RunConfig
from tests.faults.drivers import MARK, Driver, Scene
from tests.faults.evidence import Place
from tests.fork_server import Process
from tests.processes import free_port, start
from tests.waiting import until

LATER = 75
FAILED = 65


class Pod(Driver):
    """One driver, its port and its termination message."""

    def __init__(
        self, process: Process, log: pathlib.Path, port: int, message: pathlib.Path
    ) -> None:
        super().__init__(process, log)
        self.port = port
        self.message = message

    def get(self, path: str) -> str:
        """What it answers at ``path``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def progress(self) -> Progress | None:
        """Its progress, None while nobody answers."""
        with contextlib.suppress(OSError):
            return Progress.from_json(self.get("/progress"))
        return None

    def await_progress(
        self, holds: Callable[[Progress], object], what: str, seconds: float = 150.0
    ) -> Progress:
        """Its progress as soon as something holds for it."""

        def look() -> Progress | None:
            progress = self.progress()
            assert progress or self.lives, f"it ended before {what}; it said:\n{self.said}"
            return progress if progress and holds(progress) else None

        found = until(look, what, seconds)
        assert found is not None
        return found

    def outcome(self) -> Outcome:
        """What it has left in its termination message."""
        return Outcome.from_json(self.message.read_text())


class Pods(Scene):
    """The script in a folder, a storage, and the pods of one run one after the other."""

    def __init__(self, folder: pathlib.Path, place: Place, run: str = "it") -> None:
        super().__init__(folder, place, run)
        self.script = folder / "faulty.py"

    def begin(
        self,
        arguments: str = "",
        scheduler: str | None = None,
        *,
        startup: float = 60.0,
        must_exist: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> Pod:
        """Start a driver of the script with ``arguments``."""
        config = RunConfig(str(self.script), tuple(arguments.split()), startup, must_exist)
        number = len(self.drivers) + 1
        path = self.folder / f"run-{number}.json"
        path.write_text(config.to_json())
        return self.execute("run", "--config", str(path), scheduler=scheduler, env=env)

    def execute(
        self, *arguments: str, scheduler: str | None = None, env: Mapping[str, str] | None = None
    ) -> Pod:
        """Start ``python -m hyn_k8s.driver`` with ``arguments`` and paths of the test's own."""
        number = len(self.drivers) + 1
        port, message = free_port(), self.folder / f"termination-{number}"
        command = [sys.executable, "-m", "hyn_k8s.driver", *arguments]
        command += ["--termination-message", str(message)]
        command += ["--port", str(port)] if arguments[0] == "run" else []
        environ = {**self.place.env, "HYN_RUN_ID": self.run.name, MARK: str(self.folder)}
        if scheduler is not None:
            environ["DASK_SCHEDULER_ADDRESS"] = scheduler
        log = self.folder / f"driver-{number}.log"
        process = start(command, self.folder, {**environ, **(env or {})}, log)
        pod = Pod(process, log, port, message)
        self.drivers.append(pod)
        return pod

    def write_script(self, text: str) -> None:
        """Replace the script."""
        self.script.write_text(text)
