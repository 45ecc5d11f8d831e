"""The definition in ``manifests/`` is the one that the types make."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import yaml

from hyn_k8s.api.crd import definition

COPY = pathlib.Path(__file__).parents[2] / "manifests" / "crd.yaml"


@pytest.mark.processes
def test_the_copy_is_fresh() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "hyn_k8s.api", "crd"], capture_output=True, text=True, check=True
    ).stdout
    assert COPY.read_text() == made, "run: python -m hyn_k8s.api crd > manifests/crd.yaml"


def test_yaml_has_all_of_it_and_no_aliases() -> None:
    assert yaml.safe_load(COPY.read_text()) == definition()
    assert "&id" not in COPY.read_text()


def test_it_fits_into_an_annotation_of_kubectl_apply() -> None:
    assert len(COPY.read_text()) < 262_144


def test_searchjobs_are_called_sj_and_have_a_status_of_their_own() -> None:
    spec = definition()["spec"]
    assert spec["names"]["shortNames"] == ["sj"]
    (version,) = spec["versions"]
    assert version["subresources"] == {"status": {}}
    columns = [
        each["name"] for each in version["additionalPrinterColumns"] if "priority" not in each
    ]
    assert columns == ["Phase", "Done", "Total", "Running", "Failed", "Best", "ETA", "Age"]
