"""What is wrong, as a document says it: which of the causes, and one sentence without secrets.

The operator acts on the cause and shows the sentence, so every way in which a run can fail is
given its cause here, by the error's class and fields and never by its text.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from hyn_k8s.documents import Cause, Problem
from hyn_k8s.errors import (
    HynError,
    RunError,
    RunTakenError,
    SchedulerError,
    ScriptError,
    SearchError,
    SettingsError,
    StorageError,
    WorkerError,
)
from hyn_k8s.search.settings import StorageSettings

WORKER_SECONDS = 300.0
"""For how long a worker that does not fit is shown: Kubernetes may start it again in that time,
and it speaks up again if it is no better."""

_CAUSES: dict[type[HynError], Cause] = {
    SettingsError: Cause.SETTINGS,
    ScriptError: Cause.SCRIPT,
    RunTakenError: Cause.TAKEN,
    RunError: Cause.RUN,
    StorageError: Cause.STORAGE,
    SchedulerError: Cause.SCHEDULER,
    WorkerError: Cause.WORKER,
    SearchError: Cause.SEARCH,
}


def cause_of(error: HynError) -> Cause:
    """What an error of ours is about."""
    if isinstance(error, WorkerError) and error.of_storage:
        return Cause.STORAGE
    return next(cause for kind, cause in _CAUSES.items() if isinstance(error, kind))


def problem_of(error: HynError) -> Problem:
    """An error of ours as a problem, with what can be done from outside of the pod."""
    if isinstance(error, RunError) and error.cure:
        cure = "" if error.retry else "a new SearchJob without spec.run begins a new run"
        error = type(error)(error.run, error.problem, cure)
    return Problem(cause_of(error), str(error))


def script_problem(raised: BaseException, script: str, exit_code: int) -> Problem:
    """What a script ended with: an exception, with the script's line, or an exit of its own.

    ``script`` is the path by which Python knows the script's code.
    """
    if isinstance(raised, SystemExit):
        if isinstance(raised.code, int):
            return Problem(Cause.SCRIPT, f"the script ended with exit code {exit_code}")
        return Problem(Cause.SCRIPT, f"the script ended with: {_one_line(str(raised.code))}")
    said = _one_line("".join(traceback.format_exception_only(raised)))
    lines = [
        number
        for frame, number in traceback.walk_tb(raised.__traceback__)
        if frame.f_code.co_filename == script
    ]
    where = f"{script}, line {lines[-1]}" if lines else script
    return Problem(Cause.SCRIPT, f"{said} ({where})")


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Veil:
    """Hides a storage's keys, in case a user's exception or a library's spells one out."""

    def __init__(self, storage: StorageSettings | None) -> None:
        keys = storage.credentials if storage else None
        known = [keys.secret_key, keys.session_token, keys.access_key] if keys else []
        self._secrets = [secret for secret in known if secret]

    def __call__(self, problem: Problem) -> Problem:
        """The same without keys."""
        message = str(problem.message)  # exactly that: a Trouble cannot be copied, nor be JSON
        for secret in self._secrets:
            message = message.replace(secret, "***")
        return Problem(problem.cause, message)


@dataclass(frozen=True)
class Noted:
    """A problem that the run was told of, and has gone on in spite of."""

    problem: Problem
    at: float
    done: int
    """How many trials had come to something then."""
    of_worker: bool
    """Whether it is one worker's, which the others' going on says nothing about."""

    def stands(self, now: float, done: int) -> bool:
        """Whether it is still worth showing; ``done`` trials have come to something by now."""
        return now - self.at < WORKER_SECONDS if self.of_worker else done <= self.done
