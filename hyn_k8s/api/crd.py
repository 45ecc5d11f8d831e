"""The CustomResourceDefinition of SearchJob, made from its types.

``python -m hyn_k8s.api crd`` prints it; the copy in ``manifests/`` is that output, and a test
compares.
"""

from __future__ import annotations

from typing import Any

from hyn_k8s.api.schema import structural
from hyn_k8s.api.search_job import GROUP, KIND, PLURAL, VERSION, SearchJob

_COLUMNS = (
    ("Phase", "string", ".status.phase", 0),
    ("Done", "integer", ".status.trials.done", 0),
    ("Total", "integer", ".status.trials.total", 0),
    ("Running", "integer", ".status.trials.running", 0),
    ("Failed", "integer", ".status.trials.failed", 0),
    ("Best", "number", ".status.best.rewards[0]", 0),
    ("ETA", "string", ".status.eta", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Run", "string", ".status.run", 1),
    ("Results", "string", ".status.resultsPath", 1),
)


def definition() -> dict[str, Any]:
    """The definition as a manifest."""
    schema = structural(SearchJob)
    # What an object always has is not for us to describe.
    schema["properties"]["apiVersion"] = {"type": "string"}
    schema["properties"]["kind"] = {"type": "string"}
    schema["properties"]["metadata"] = {"type": "object"}
    columns = [
        {"name": name, "type": kind, "jsonPath": path}
        | ({"priority": priority} if priority else {})
        for name, kind, path, priority in _COLUMNS
    ]
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["sj"],
                "categories": ["all"],
            },
            "versions": [version],
        },
    }
