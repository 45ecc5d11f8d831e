"""What is wrong, and how long it is shown."""

from __future__ import annotations

import inspect

import pytest

from hyn_k8s import errors
from hyn_k8s.documents import Cause, Problem
from hyn_k8s.driver.problems import Noted, Veil, cause_of, problem_of, script_problem
from hyn_k8s.errors import (
    HynError,
    RunError,
    RunTakenError,
    ScriptError,
    SettingsError,
    StorageError,
    WorkerError,
)
from hyn_k8s.search.settings import Credentials, StorageSettings


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SettingsError("v", "f", "e"), Cause.SETTINGS),
        (ScriptError("s", "p"), Cause.SCRIPT),
        (RunError("r", "p"), Cause.RUN),
        (RunTakenError("r", "p"), Cause.TAKEN),
        (StorageError("u", "p"), Cause.STORAGE),
        (WorkerError("w", "p"), Cause.WORKER),
        (WorkerError("w", "p", of_storage=True), Cause.STORAGE),
    ],
)
def test_the_cause_of_an_error(error: HynError, cause: Cause) -> None:
    assert cause_of(error) is cause


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RunError("r", "it is not there"), "run r: it is not there"),
        (
            RunError("r", "it is another search's", "begin anew with --restart"),
            "run r: it is another search's; a new SearchJob without spec.run begins a new run",
        ),
        (RunTakenError("r", "it is driven", "stop that one first"), "run r: it is driven"),
    ],
)
def test_nobody_can_give_flags_to_a_pod(error: RunError, message: str) -> None:
    assert problem_of(error).message == message


def test_every_error_has_a_cause_but_those_of_the_half_that_talks_to_kubernetes() -> None:
    others = (HynError, errors.SpecError, errors.ClusterError, errors.ReleaseError)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, HynError) and kind not in others:
            fields = len(inspect.signature(kind).parameters)
            assert cause_of(kind(*["x"] * min(fields, 3))) in Cause


def test_an_exception_is_told_with_the_line_of_the_script() -> None:
    code = compile("def f():\n    return 1 / 0\n\nf()\n", "/opt/script/search.py", "exec")
    with pytest.raises(ZeroDivisionError) as caught:
        exec(code, {})
    problem = script_problem(caught.value, "/opt/script/search.py", 1)
    said = "ZeroDivisionError: division by zero (/opt/script/search.py, line 2)"
    assert problem == Problem(Cause.SCRIPT, said)


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (SystemExit(3), "the script ended with exit code 3"),
        (SystemExit("no\nrows"), "the script ended with: no rows"),
        (ValueError("no\nrows"), "ValueError: no rows (s.py)"),
    ],
)
def test_how_a_script_ended(raised: BaseException, message: str) -> None:
    assert script_problem(raised, "s.py", 3) == Problem(Cause.SCRIPT, message)


def test_no_key_is_told() -> None:
    keys = Credentials("AKIA1", "s3cr3t", "t0k3n")
    veil = Veil(StorageSettings("s3", "bucket", credentials=keys))
    said = veil(Problem(Cause.SCRIPT, "of AKIA1, s3cr3t and t0k3n"))
    assert said == Problem(Cause.SCRIPT, "of ***, *** and ***")
    assert Veil(None)(said) == said


def test_a_problem_is_over_when_a_trial_comes_to_something_but_not_a_workers() -> None:
    problem = Problem(Cause.STORAGE, "it is away")
    storage = Noted(problem, at=100.0, done=7, of_worker=False)
    assert storage.stands(5000.0, 7)
    assert not storage.stands(101.0, 8)
    worker = Noted(problem, at=100.0, done=7, of_worker=True)
    assert worker.stands(399.0, 50)
    assert not worker.stands(400.0, 7)
