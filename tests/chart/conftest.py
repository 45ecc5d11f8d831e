"""Helm and kubeconform: those on the path, else built."""

from __future__ import annotations

import functools
import shutil

import pytest

from tests.chart.rendering import Render
from tests.chart.rendering import render as render_with
from tests.kind.go_programs import build_program, helm_program
from tests.kind.pins import read_pins


@pytest.fixture(scope="session")
def helm() -> str:
    """The program."""
    return helm_program()


@pytest.fixture(scope="session")
def kubeconform() -> str:
    """The program."""
    return shutil.which("kubeconform") or str(build_program(read_pins(), "kubeconform"))


@pytest.fixture
def render(helm: str) -> Render:
    """What Helm makes of values."""
    return functools.partial(render_with, helm)
