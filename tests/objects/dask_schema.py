"""dask's own schema of a DaskCluster, from its package: what it does not declare, it drops."""

from __future__ import annotations

import functools
import pathlib
from importlib.metadata import files
from typing import Any

import yaml

_PATH = "helm/dask-kubernetes-operator/crds/daskcluster.yaml"


@functools.cache
def dask_cluster_schema() -> dict[str, Any]:
    """The schema of a DaskCluster's spec."""
    (found,) = [each for each in files("dask-kubernetes") or () if str(each).endswith(_PATH)]
    definition = yaml.safe_load(pathlib.Path(str(found.locate())).read_text())
    (version,) = definition["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def undeclared(value: Any, schema: dict[str, Any], path: str = "spec") -> list[str]:
    """The paths in ``value`` that ``schema`` does not declare, or declares of another type."""
    if schema.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, (int, str)) else [path]
    if isinstance(value, dict):
        if schema.get("type") != "object":
            return [path]
        missing = [
            f"{path}.{each}: missing" for each in schema.get("required", []) if each not in value
        ]
        return missing + [
            each
            for key, item in value.items()
            for each in _undeclared_field(key, item, schema, f"{path}.{key}")
        ]
    if isinstance(value, list):
        if schema.get("type") != "array":
            return [path]
        return [
            each
            for number, item in enumerate(value)
            for each in undeclared(item, schema["items"], f"{path}[{number}]")
        ]
    types = {bool: "boolean", int: "integer", str: "string"}
    return [] if schema.get("type") == types[type(value)] else [path]


def _undeclared_field(key: str, item: Any, schema: dict[str, Any], path: str) -> list[str]:
    declared = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
    return undeclared(item, declared, path) if isinstance(declared, dict) else [path]
