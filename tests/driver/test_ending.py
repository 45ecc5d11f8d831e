"""Whether another driver goes on."""

from __future__ import annotations

import pytest

from hyn_k8s.contract import DriverExit
from hyn_k8s.documents import Cause
from hyn_k8s.driver import ending
from hyn_k8s.driver.ending import Ending
from hyn_k8s.errors import (
    HynError,
    RunTakenError,
    SchedulerError,
    SearchError,
    SettingsError,
    StorageError,
)
from hyn_k8s.search.signals import Terminated

AWAY = StorageError("/mnt", "its mount is not connected")
REFUSED = StorageError("/mnt", "the credentials were rejected", lasting=True)
NO_TRIAL = SearchError("it/search-1", 3, "ValueError: no")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AWAY, DriverExit.LATER),
        (REFUSED, DriverExit.FAILED),
        (SchedulerError("a", "p"), DriverExit.LATER),
        (SettingsError("v", "f", "e"), DriverExit.FAILED),
    ],
)
def test_before_the_script(error: HynError, code: int) -> None:
    end = ending.of_error(error)
    assert end.exit_code == code
    assert end.problem is not None
    assert end.problem.message == str(error)


@pytest.mark.parametrize("raised", [None, SystemExit(), SystemExit(0)])
def test_a_success(raised: BaseException | None) -> None:
    assert ending.of_script("s.py", 0, raised, []) == Ending(0)


@pytest.mark.parametrize(
    ("exit_code", "raised", "errors", "code", "cause"),
    [
        (75, Terminated(), [], 75, Cause.RUN),
        (75, Terminated(), [REFUSED], 75, Cause.RUN),
        (75, SystemExit(75), [], 65, Cause.SCRIPT),
        (137, SystemExit(137), [], 65, Cause.SCRIPT),
        (130, KeyboardInterrupt(), [], 75, Cause.RUN),
        (1, ValueError("no"), [], 65, Cause.SCRIPT),
        (1, AWAY, [AWAY], 75, Cause.STORAGE),
        (1, REFUSED, [REFUSED], 65, Cause.STORAGE),
        (75, None, [RunTakenError("it", "p")], 75, Cause.TAKEN),
        (1, ValueError("no"), [AWAY], 75, Cause.STORAGE),
        (3, SystemExit(3), [NO_TRIAL, AWAY], 75, Cause.STORAGE),
        (1, None, [NO_TRIAL], 65, Cause.SEARCH),
        (1, ValueError("no model"), [NO_TRIAL], 65, Cause.SEARCH),
    ],
)
def test_what_is_no_success(
    exit_code: int,
    raised: BaseException | None,
    errors: list[HynError],
    code: int,
    cause: Cause,
) -> None:
    end = ending.of_script("s.py", exit_code, raised, errors)
    assert end.exit_code == code
    assert end.problem is not None
    assert end.problem.cause is cause
    assert end.problem.message
