"""The pytest plugin that puts Hypernets' own tests on a dispatcher, and notes how each one ends.

Everything Hypernets needs must be in place before its modules are imported, and collecting the
tests imports them: so a session begins when pytest is configured. Both dispatchers get one, for
its fixes and its storage; the one difference is that "dask" also puts ours where Hypernets asks.
A dispatcher that a test passes explicitly stays what it is.

Every test begins with the same random state: most of them draw their samples by chance, and some
draws break what Hypernets makes of them, whoever ran the trials.

Each outcome is written the moment it is known, so that a process that dies leaves the outcomes so
far, and the name of the test it died in.
"""

from __future__ import annotations

import json
import pathlib
import random

import numpy as np
import pytest

from hyn_k8s.search.activation import activate
from hyn_k8s.search.session import current_session, start_session
from hyn_k8s.search.settings import read_settings

IN_PROCESS = "in-process"
DASK = "dask"
STEM = "upstream"
"""What the run of our dispatcher is called on the storage."""

SEED = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dispatcher", choices=[IN_PROCESS, DASK], required=True)
    parser.addoption("--outcomes", type=pathlib.Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    begin = activate if config.getoption("dispatcher") == DASK else start_session
    begin(read_settings(), STEM)
    config.pluginmanager.register(Outcomes(config))


def pytest_unconfigure() -> None:
    session = current_session()
    if session is not None:
        session.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    from hypernets.core import set_random_state

    random.seed(SEED)
    np.random.seed(SEED)
    set_random_state(SEED)


class Outcomes:
    """Writes a line for each thing learned of a test; the last line of a test holds."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._file = config.getoption("outcomes").open("w", buffering=1)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(report.nodeid, "error")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._note(nodeid, "died")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        status = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        if status[0]:  # none for a setup or teardown without anything to tell
            self._note(report.nodeid, status[0])

    def _note(self, test: str, outcome: str) -> None:
        print(json.dumps([test, outcome]), file=self._file)
