"""A pytest plugin: the first failure ends the process that tests a mutant.

The mutant is caught then. A test that fails half-way leaves threads behind, which others would
wait for.
"""

from __future__ import annotations

import os

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """End here, as pytest ends when a test has failed."""
    if report.failed and "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", ""):
        os._exit(pytest.ExitCode.TESTS_FAILED)
