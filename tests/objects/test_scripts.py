"""Every source of a script, and the driver's config."""

from __future__ import annotations

import json

import pytest

from hyn_k8s.api.storage import Storage
from hyn_k8s.documents import RunConfig
from hyn_k8s.objects import config_map
from hyn_k8s.objects.attachments import Attachment
from hyn_k8s.objects.scripts import config, script_path, scripts
from tests.objects.searches import FULL, LABELS, OWNERS, S3, SCRIPT, search

FILE_DEFAULTS = {"claimName": "shared", "mountPath": "/opt/share", "root": "hypernets"}


def test_an_inline_script_is_beside_its_config() -> None:
    given = search(args=["--rows", "$(ROWS)", "ä"], startupTimeoutSeconds=90)
    built = config_map(given)
    text = built["data"].pop("run.json")
    assert RunConfig.from_json(text) == RunConfig(
        "/etc/hyn-k8s/run/search.py", ("--rows", "$(ROWS)", "ä"), 90
    )
    assert built == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "iris-run",
            "namespace": "team",
            "labels": LABELS,
            "annotations": {"hyn-k8s.dev/storage": json.dumps({"file": FILE_DEFAULTS})},
            "ownerReferences": OWNERS,
        },
        "data": {"search.py": SCRIPT},
    }
    assert scripts(given) == Attachment()


def test_the_storage_is_recorded_with_the_names_of_its_secrets() -> None:
    recorded = config_map(search(S3))["metadata"]["annotations"]["hyn-k8s.dev/storage"]
    assert Storage.model_validate_json(recorded) == search(S3).storage
    assert json.loads(recorded)["s3"]["secretName"] == "keys"


def test_a_script_in_a_config_map_comes_with_all_that_is_beside_it() -> None:
    given = search(**FULL)
    assert script_path(given) == "/opt/script/search.py"
    assert list(config_map(given)["data"]) == ["run.json"]
    assert scripts(given) == Attachment(
        volumes=({"name": "hyn-script", "configMap": {"name": "script"}},),
        mounts=({"name": "hyn-script", "mountPath": "/opt/script", "readOnly": True},),
    )


@pytest.mark.parametrize("path", ["/app/search.py", "/opt/share/code/search.py"])
def test_a_script_that_is_there_is_run_where_it_is(path: str) -> None:
    given = search(script={"path": path})
    assert RunConfig.from_json(config_map(given)["data"]["run.json"]).script == path
    assert list(config_map(given)["data"]) == ["run.json"]
    assert scripts(given) == Attachment()


def test_the_driver_finds_its_config_where_the_contract_says() -> None:
    assert config(search()) == Attachment(
        volumes=({"name": "hyn-run", "configMap": {"name": "iris-run"}},),
        mounts=({"name": "hyn-run", "mountPath": "/etc/hyn-k8s/run", "readOnly": True},),
    )


@pytest.mark.parametrize("run", [None, "old-0c1f6a52"])
def test_a_run_that_it_resumes_must_exist(run: str | None) -> None:
    config = RunConfig.from_json(config_map(search(run=run))["data"]["run.json"])
    assert config.must_exist is (run is not None)
