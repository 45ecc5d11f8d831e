"""A failure is told by what the exception says, with the user's own frames."""

from __future__ import annotations

import pickle

from hyn_k8s.search.outcome import SUCCEEDED, Outcome, failure_of, read_outcome, summary_of


def test_the_summary_is_the_exceptions_name_and_first_line() -> None:
    assert summary_of(ValueError("no rows\nsee the log")) == "ValueError: no rows"
    assert summary_of(KeyError()) == "KeyError"


def test_a_note_does_not_take_the_place_of_the_reason() -> None:
    error = ValueError("no rows")
    error.add_note("while fitting column 3")
    assert summary_of(error) == "ValueError: no rows"
    assert "while fitting column 3" in failure_of(error).traceback


def test_the_traceback_has_the_users_frames() -> None:
    def users_code() -> None:
        raise RuntimeError("gone")

    try:
        users_code()
    except RuntimeError as error:
        failure = failure_of(error)
    assert failure.summary == "RuntimeError: gone"
    assert "in users_code" in failure.traceback


def test_one_that_an_earlier_version_stored_has_not_been_measured() -> None:
    stored = Outcome(7, SUCCEEDED, [0.5], 1.0, 100.0, 101.0, "node-1")
    for name in ("cpu", "peak_memory"):
        del stored.__dict__[name]  # as a pickle of that version has it
    read = read_outcome(7, pickle.dumps(stored), 0)
    assert (read.cpu, read.peak_memory, read.reward) == (None, None, [0.5])
