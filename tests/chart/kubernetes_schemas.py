"""The schemas by which kubeconform looks at objects: Kubernetes' own, closed, and SearchJob's.

They are made of the OpenAPI document in Kubernetes' Go module, so nothing is fetched from anywhere
else. Closed means that a field which Kubernetes does not know is an error, as it is for
``kubectl apply --validate=strict``.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from hyn_k8s.api.chart import closed
from hyn_k8s.api.crd import definition

Schema = dict[str, Any]

_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
_EITHER = {"oneOf": [{"type": "string"}, {"type": "number"}]}
_NUMBERS_OR_TEXT = (
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
)


def write_schemas(swagger: pathlib.Path, folder: pathlib.Path, kinds: Iterable[str]) -> None:
    """Write a schema file for each of ``kinds``, as kubeconform looks for it in ``folder``."""
    definitions = json.loads(swagger.read_text())["definitions"]
    wanted = set(kinds)
    for name, schema in definitions.items():
        for each in schema.get(_GROUP_VERSION_KIND, []):
            if each["kind"] in wanted:
                needed = {key: _strict(key, definitions[key]) for key in _needed(name, definitions)}
                whole = {"$ref": f"#/definitions/{name}", "definitions": needed}
                _file(folder, each).write_text(json.dumps(whole))
    spec = definition()["spec"]
    (version,) = spec["versions"]
    ours = {"group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"]}
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    _file(folder, ours).write_text(json.dumps(schema))


def _file(folder: pathlib.Path, kind: Mapping[str, str]) -> pathlib.Path:
    group = f"-{kind['group'].partition('.')[0]}" if kind["group"] else ""
    return folder / f"{kind['kind'].lower()}{group}-{kind['version']}.json"


def _needed(name: str, definitions: Mapping[str, Schema]) -> set[str]:
    """The definition ``name`` and those that it refers to, at any depth."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += _references(definitions[each])
    return found


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for each in schema for found in _references(each)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("$ref")
    found = [own.rpartition("/")[2]] if isinstance(own, str) else []
    return found + [name for each in schema.values() for name in _references(each)]


def _strict(name: str, schema: Schema) -> Schema:
    if name in _NUMBERS_OR_TEXT:
        return dict(_EITHER)
    if "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema
