"""``report``: leaves the Outcome of a run that has ended, long after its driver's pod is gone."""

from __future__ import annotations

from hyn_k8s import contract
from hyn_k8s.contract import DriverExit
from hyn_k8s.documents import Cause, Outcome, Problem
from hyn_k8s.driver import ending
from hyn_k8s.driver.ending import Ending
from hyn_k8s.driver.leaving import kept_outcome, leave_message, say
from hyn_k8s.errors import HynError, SettingsError
from hyn_k8s.search.settings import read_settings


def report(message_path: str) -> int:
    """Copy the Outcome of the environment's run to ``message_path``; the exit code.

    That is OK if there is one, whatever it says.
    """
    try:
        settings = read_settings()
        if settings.run is None:
            raise SettingsError(contract.RUN_ID.name, "nothing", contract.RUN_ID.accepted)
        text = kept_outcome(settings.storage, settings.run)
    except HynError as error:
        end = ending.of_error(error)
    except ValueError as error:
        end = _none(f"what run {settings.run} left as its outcome cannot be read: {error}")
    else:
        if text is not None:
            leave_message(text, message_path)
            return DriverExit.OK
        end = _none(f"run {settings.run} has left no outcome on {settings.storage.url}")
    assert end.problem is not None
    say(f"Error: {end.problem.message}")
    leave_message(Outcome(end.exit_code, problem=end.problem).to_json(), message_path)
    return end.exit_code


def _none(sentence: str) -> Ending:
    return Ending(DriverExit.FAILED, Problem(Cause.RUN, sentence))
