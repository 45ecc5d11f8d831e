"""``run``: a driver's life, from its RunConfig to its Outcome.

What a user can get wrong in config, settings and script is found before anything is waited for.
Then come scheduler, first worker, storage, script. However it ends, an Outcome is left; SIGTERM
ends it at any stage. Hypernets, which takes seconds, is imported while the cluster starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hyn_k8s.contract import DriverExit, DriverPod
from hyn_k8s.documents import Outcome, RunConfig, Stage, Standing
from hyn_k8s.driver import ending
from hyn_k8s.driver.ending import Ending
from hyn_k8s.driver.idle import IdleWatch
from hyn_k8s.driver.leaving import keep_outcome, leave_message, say
from hyn_k8s.driver.problems import Veil
from hyn_k8s.driver.reporter import DriverReporter
from hyn_k8s.driver.server import serving
from hyn_k8s.driver.waiting import await_cluster
from hyn_k8s.errors import HynError, RunError, ScriptError, SettingsError
from hyn_k8s.search.reporting import LineReporter
from hyn_k8s.search.settings import Backend, Settings, read_settings, read_slips
from hyn_k8s.search.signals import Terminated

if TYPE_CHECKING:
    from hyn_k8s.search.session import Session
    from hyn_k8s.search.sources import Script


class Run:
    """One driver's run, by the RunConfig at ``config_path``; serves its progress at ``port``."""

    def __init__(self, config_path: str, port: int) -> None:
        self._config_path = config_path
        self._port = port
        self._settings: Settings | None = None
        self._reporter: DriverReporter | None = None
        self._run: str | None = None
        self._is_begun = False
        """Whether the storage was there, and the script may have begun."""
        self._must_exist = False
        """Whether somebody else has begun the run."""
        self._is_anothers = False
        """Whether the run is not this driver's, whose outcome is none of the run's."""

    def drive(self, message_path: str) -> int:
        """Run to the end, leave the Outcome at ``message_path`` and return the exit code."""
        try:
            end = self._end()
        except Terminated:
            end = ending.TERMINATED
        # What is left to do is to say so, within seconds.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        outcome = self._outcome(end)
        if outcome.problem is not None:
            say(f"The driver ends with {end.exit_code}: {outcome.problem.message}")
        leave_message(outcome.to_json(), message_path)
        # One that ends before it has begun leaves the outcome of the driver before it.
        of_run = end.exit_code != DriverExit.LATER and not self._must_exist
        if self._is_begun or of_run:
            self._keep(outcome)
        return end.exit_code

    def _end(self) -> Ending:
        try:
            config = _read_config(self._config_path)
            self._must_exist = config.must_exist
            settings = dataclasses.replace(read_settings(), must_exist=config.must_exist)
            self._settings = settings
            for sentence in read_slips():
                say(f"Warning: {sentence}")
            self._run = settings.run
            return self._conduct(config, settings)
        except HynError as error:
            self._is_anothers = isinstance(error, RunError)
            return ending.of_error(error)
        except Exception as error:
            traceback.print_exc()
            return ending.of_defect(error)

    def _conduct(self, config: RunConfig, settings: Settings) -> Ending:
        remote = settings.scheduler if settings.backend is Backend.DASK else None
        most = settings.executors if remote else None
        url, veil = settings.storage.url, Veil(settings.storage)
        reporter = self._reporter = DriverReporter(LineReporter(say), url, most, veil)
        with (
            contextlib.closing(reporter),
            _serving(reporter, self._port),
            contextlib.ExitStack() as opened,
        ):
            # They bring Dask, which takes a second: progress is served by then.
            from hyn_k8s.search.sources import read_script

            script = read_script(config.script)
            if config.must_exist:
                reporter.enter(Stage.STORAGE)
                _require_run(settings)
            if remote is not None:
                _import_hypernets(config)
                await_cluster(remote, config.startup_timeout_seconds, reporter.enter)
                watch = IdleWatch(remote, settings.executors, reporter)
                opened.callback(watch.close)
            return self._run_script(config, script, settings, reporter)

    def _run_script(
        self, config: RunConfig, script: Script, settings: Settings, reporter: DriverReporter
    ) -> Ending:
        from hyn_k8s.search.runner import run_script

        sessions: list[Session] = []

        def begins(session: Session) -> None:
            sessions.append(session)
            self._is_begun = True
            reporter.enter(Stage.SCRIPT)

        def ended(_session: Session, _exit_code: int) -> None:
            reporter.enter(Stage.ENDED)

        reporter.enter(Stage.STORAGE)
        arguments = config.arguments
        exit_code = run_script(script, arguments, settings, reporter, ended, begins)
        (session,) = sessions
        self._run = session.run or self._run
        # The script may have caught what has ended a search, and have made of it what it liked.
        errors = [*session.errors, *filter(None, [session.failure])]
        self._is_anothers = any(isinstance(error, RunError) for error in errors)
        if session.is_terminated:
            return ending.TERMINATED
        return ending.of_script(script.code.co_filename, exit_code, session.raised, errors)

    def _outcome(self, end: Ending) -> Outcome:
        standing = self._reporter.standing() if self._reporter else Standing()
        veil = Veil(self._settings.storage if self._settings else None)
        return Outcome(
            end.exit_code,
            standing,
            end.problem and veil(end.problem),
            pod=os.environ.get(DriverPod.POD),
            job=os.environ.get(DriverPod.JOB),
        )

    def _keep(self, outcome: Outcome) -> None:
        if self._settings is not None and self._run is not None and not self._is_anothers:
            keep_outcome(outcome, self._settings.storage, self._run)


def _require_run(settings: Settings) -> None:
    """Look for the run before anything is waited for: its name may be mistyped.

    Raises:
        RunError: it is not there.
        StorageError: nobody can tell.
    """
    from hyn_k8s.search.opening import open_storage
    from hyn_k8s.search.patience import while_starting
    from hyn_k8s.search.runs import read_named

    assert settings.run is not None, "it is in the environment"
    read_named(while_starting(open_storage(settings.storage)), settings.run, must_exist=True)


def _import_hypernets(config: RunConfig) -> None:
    """Import it as the script would, by whose arguments it looks for options of its own.

    Raises:
        ScriptError: it has ended the process over one of them.
    """
    from hyn_k8s.search import compat

    sys.argv = [config.script, *config.arguments]
    try:
        compat.apply()
    except Terminated:
        raise
    except SystemExit as exit_:
        ended = f"Hypernets did not take its arguments and ended with {exit_.code}"
        raise ScriptError(config.script, f"{ended}; the log says why") from None


def _read_config(path: str) -> RunConfig:
    try:
        with open(path, "rb") as file:
            return RunConfig.from_json(file.read())
    except OSError as error:
        raise SettingsError(path, error.strerror or str(error), "a RunConfig") from None
    except ValueError as error:
        raise SettingsError(path, str(error), "a RunConfig") from None


@contextlib.contextmanager
def _serving(reporter: DriverReporter, port: int) -> Iterator[None]:
    """Within, progress is served.

    Raises:
        SettingsError: the port is another program's.
    """
    with contextlib.ExitStack() as opened:
        try:
            opened.enter_context(serving(reporter.progress, port))
        except OSError as error:
            found = f"{port} ({error.strerror})"
            raise SettingsError("--port", found, "a port that is free") from None
        yield
