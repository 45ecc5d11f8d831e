"""Drivers that a test may hurt: ``hyn-k8s run`` as processes, and what they went through."""

from __future__ import annotations

import collections
import os
import pathlib
import signal
import subprocess
from collections.abc import Collection, Mapping
from typing import Self

import pytest

import hyn_k8s
from tests.faults.evidence import Note, Place, Run, notes
from tests.faults.scripts import NAME, write_script
from tests.fork_server import Process
from tests.processes import BIN, start, stop
from tests.waiting import until

CONTINUE_LATER = 75
"""The exit code of a driver that could not go on, and after which another one can."""

MARK = "FAULTS_FOLDER"
"""The variable by which the processes of a test are known among all others."""


class Driver:
    """``hyn-k8s run`` of the script, as a process."""

    def __init__(self, process: Process, log: pathlib.Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        """What it has written so far, to whichever stream."""
        return self._log.read_text()

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it without a chance to do anything."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        """Ask it to end, as Kubernetes does."""
        self.process.terminate()

    def freeze(self) -> None:
        """Stop it without its noticing, as a hypervisor does."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ended(self, seconds: float = 200.0) -> int:
        """Its exit code, when it has ended by itself."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            said = f"the driver did not end within {seconds:.0f} s; it said:\n{self.said}"
            raise AssertionError(said) from None


class Scene:
    """The script in a folder, a storage, and all drivers of one run."""

    def __init__(self, folder: pathlib.Path, place: Place, run: str = "it") -> None:
        self.folder = folder
        self.place = place
        self.run = Run(place, run)
        self.prefix: tuple[str, ...] = ()
        """A command to start drivers under."""
        self.drivers: list[Driver] = []
        folder.mkdir(exist_ok=True)
        write_script(folder)

    def drive(
        self,
        script: str,
        scheduler: str | None = None,
        *,
        flags: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Driver:
        """Start a driver: ``script`` has the script's arguments, ``flags`` the command's.

        Without ``flags`` it drives the scene's run by its name; without a ``scheduler`` on an
        embedded cluster.
        """
        flags = f"--run {self.run.name}" if flags is None else flags
        command = [*self.prefix, str(BIN / "hyn-k8s"), "run", *flags.split(), NAME, *script.split()]
        environ = {**self.place.env, MARK: str(self.folder), **(env or {})}
        if scheduler is not None:
            environ["DASK_SCHEDULER_ADDRESS"] = scheduler
        log = self.folder / f"driver-{len(self.drivers) + 1}.log"
        driver = Driver(start(command, self.folder, environ, log), log)
        self.drivers.append(driver)
        return driver

    def told(self) -> list[Note]:
        """What the script's callback has heard, in every driver."""
        return notes(self.folder / "told.jsonl")

    def executed(self) -> list[Note]:
        """What trials have written when they began and when they had trained."""
        return notes(self.folder / "executed.jsonl")

    def trials_told(self) -> list[int]:
        """The trials that have been reported, those of earlier drivers once."""
        return [note.trial for note in self.told() if note.tells]

    def await_told(self, trials: int, seconds: float = 150.0) -> None:
        """Wait until so many have been reported."""
        self._await(lambda: len(self.trials_told()) >= trials, f"{trials} trials told", seconds)

    def await_begun(self, trial: int, times: int = 1, seconds: float = 150.0) -> Note:
        """The note of ``trial`` when it began to train for the so-many-th time."""

        def begun() -> list[Note]:
            return [n for n in self.executed() if (n.what, n.trial) == ("begin", trial)]

        self._await(lambda: len(begun()) >= times, f"trial {trial} begun {times} times", seconds)
        return begun()[times - 1]

    def await_said(self, sentence: str, seconds: float = 150.0) -> None:
        """Wait until the latest driver has written ``sentence``."""
        self._await(lambda: sentence in self.drivers[-1].said, sentence, seconds)

    def processes(self) -> dict[int, str]:
        """Every live process that a driver is or has started, with its command line."""
        found = {}
        mark = f"{MARK}={self.folder}".encode()
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_text().replace("\0", " ")
                    found[int(entry.name)] = command
            except OSError:
                continue  # it ended meanwhile, or is another user's
        return found

    def no_process_left(self) -> None:
        """Wait until no process that a driver started is left; there is a moment between."""
        until(lambda: not self.processes(), "the end of every process of a driver", 15)

    def check(
        self, monkeypatch: pytest.MonkeyPatch, trials: int, failed: Collection[int] = ()
    ) -> None:
        """The search came to exactly ``trials`` trials: none is missing, none was run too often.

        The trials in ``failed`` are there as failed ones, and each other one's model can be loaded.
        """
        rows = self.run.rows()
        numbers = list(range(1, trials + 1))
        assert [int(row["trial"]) for row in rows] == numbers
        assert {int(row["trial"]) for row in rows if row["status"] == "failed"} == set(failed)
        assert self.run.summary()["state"] in ("finished", "stopped")
        assert self.run.summary()["trials"]["done"] == trials
        self._check_told(numbers)
        self._check_models(monkeypatch, rows)

    def _check_told(self, numbers: list[int]) -> None:
        told = [note for note in self.told() if note.tells]
        often = collections.Counter(note.trial for note in told)
        assert not [trial for trial, times in often.items() if times > 1], "told twice"
        heard = [note for note in self.told() if note.tells or note.resumes]
        last = [note.trial for note in heard if note.pid == heard[-1].pid]
        assert sorted(last) == numbers, "not all told to the last driver"
        reported_at = {note.trial: note.at for note in told}
        late = [
            note
            for note in self.executed()
            if note.what == "begin" and note.at > reported_at.get(note.trial, note.at)
        ]
        assert not late, "executed after they were told"

    def _check_models(self, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, str]]) -> None:
        assert set(self.run.models()) == {row["model"] for row in rows if row["model"]}
        for name, value in self.place.env_here.items():
            monkeypatch.setenv(name, value)
        for row in rows:
            if row["status"] == "succeeded":
                model = hyn_k8s.load_best(self.run.name, trial=int(row["trial"]))
                assert (model.number, model.x) == (int(row["trial"]), float(row["m.x"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End every driver that is still there; whatever one has started must end with it."""
        for driver in self.drivers:
            stop(driver.process)
        try:
            self.no_process_left()
        finally:
            for pid in self.processes():
                killed(pid)

    def _await(self, look: collections.abc.Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for ``look``, unless the latest driver ends: then nothing comes any more."""
        driver = self.drivers[-1]

        def seen() -> bool:
            lived, done = driver.lives, look()
            assert done or lived, f"the driver ended before {what}; it said:\n{driver.said}"
            return done

        until(seen, what, seconds)


def killed(pid: int) -> None:
    """Kill one process, which has written its id into the notes."""
    os.kill(pid, signal.SIGKILL)
