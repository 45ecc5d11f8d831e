"""Every source of a script, and the driver's config."""

from __future__ import annotations

import pytest

from hyn_k8s.documents import RunConfig
from hyn_k8s.objects import config_map
from hyn_k8s.objects.attachments import Attachment
from hyn_k8s.objects.scripts import config, script_path, scripts
from tests.objects.searches import FULL, LABELS, OWNERS, SCRIPT, search


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
            "ownerReferences": OWNERS,
        },
        "data": {"search.py": SCRIPT},
    }
    assert scripts(given) == Attachment()


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
