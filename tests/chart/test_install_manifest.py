"""The manifest for plain kubectl is fresh, and has nothing that needs Helm."""

from __future__ import annotations

import pytest

from tests.chart.install_manifest import NAMESPACE, install_manifest
from tests.chart.rendering import CHART, objects_of

pytestmark = pytest.mark.helm

FILE = CHART.parents[1] / "manifests" / "install.yaml"


def test_it_is_fresh(helm: str) -> None:
    made = objects_of(install_manifest(helm))
    assert objects_of(FILE.read_text()) == made, "run: make manifests"


def test_it_has_the_definitions_first_and_no_hooks() -> None:
    objects = objects_of(FILE.read_text())
    kinds = [each["kind"] for each in objects]
    assert kinds[:5] == ["CustomResourceDefinition"] * 5
    assert kinds[5] == "Namespace"
    assert kinds.count("Deployment") == 2
    assert "Job" not in kinds
    placed = {each["metadata"].get("namespace") for each in objects}
    assert placed == {None, NAMESPACE}
