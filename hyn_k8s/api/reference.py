"""The tables of the docs, made of the types: every field with what it takes and what it means.

A row a field, nested ones by their path. What a field means is its docstring, what it takes is read
from its schema, in words: of a pattern that has none here no row can be made. Types that are
Kubernetes' own have one row, since ``kubectl explain`` and Kubernetes' documentation have the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import yaml
from pydantic import TypeAdapter

from hyn_k8s.api.chart import DaskController, Image, Images, NamespaceName, NfsExport, Values
from hyn_k8s.api.environment import EnvFromSource, EnvVar
from hyn_k8s.api.peers import NetworkPolicyPeer
from hyn_k8s.api.placement import Affinity, Toleration
from hyn_k8s.api.pods import PullSecret
from hyn_k8s.api.schema import ApiModel, structural
from hyn_k8s.api.search_job import SearchJobSpec
from hyn_k8s.api.storage import S3Storage, VolumeRoot
from hyn_k8s.api.values import InnerPath, Key, LabelValue, ObjectName, Path
from hyn_k8s.api.volumes import Volume, VolumeMount

_KUBERNETES_OWN = (
    *(Affinity, Toleration, Volume, VolumeMount),
    *(EnvVar, EnvFromSource, PullSecret, NetworkPolicyPeer),
)

_NOTHING = "–"

_Words = tuple[str, str]
"""For one, and for several."""


def _pattern(type_: Any) -> str:
    return str(TypeAdapter(type_).json_schema()["pattern"])


_PATTERNS: dict[str, _Words] = {
    _pattern(ObjectName): ("the name of an object", "names of objects"),
    _pattern(NamespaceName): ("the name of a namespace", "names of namespaces"),
    _pattern(Key): ("a key", "keys"),
    _pattern(LabelValue): ("a label's value", "label values"),
    _pattern(Path): ("an absolute path", "absolute paths"),
    _pattern(InnerPath): ("a relative path", "relative paths"),
    _pattern(VolumeRoot): ("a relative path, or nothing", "relative paths"),
}

_FIELDS: dict[tuple[type[ApiModel], str], str] = {
    (SearchJobSpec, "image"): "an image",
    (SearchJobSpec, "run"): "the name of a run",
    (S3Storage, "root"): "`/bucket` or `/bucket/prefix`",
    (S3Storage, "endpoint"): "an http:// or https:// URL without a path",
    (Image, "repository"): "an image's name without its tag",
    (Image, "tag"): "a tag, or nothing",
    (Image, "digest"): "`sha256:` and 64 digits, or nothing",
    (Images, "registry"): "a registry, with or without a path, or nothing",
    (NfsExport, "path"): "an absolute path",
    (DaskController, "namespace"): "the name of a namespace, or nothing",
    (Values, "fullname_override"): "a-z, 0-9 and `-`, at most 40 of them, or nothing",
}
"""What stands in a pattern that only one field has."""


def search_job_fields() -> str:
    """The fields of a SearchJob's spec, as a table in Markdown."""
    return _table(_rows(SearchJobSpec, structural(SearchJobSpec), ""))


def chart_values() -> str:
    """The values of the chart, as a table in Markdown."""
    return _table(_rows(Values, structural(Values), ""))


_Row = tuple[str, str, str, str]


def _table(rows: Iterator[_Row]) -> str:
    lines = ["| field | accepted | default | meaning |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _rows(
    model: type[ApiModel], schema: Mapping[str, Any], before: str, given: Any = None
) -> Iterator[_Row]:
    """A row for each field of ``model``, then those of its parts; ``given`` is what its defaults
    are where it stands."""
    sections: list[tuple[type[ApiModel], Any, str]] = []
    for name, field in model.model_fields.items():
        wire = field.alias or name
        each = schema["properties"][wire]
        default = (given or {}).get(wire, each.get("default"))
        path, meaning = f"{before}{wire}", str(each["description"])
        is_required = wire in schema.get("required", []) and default is None
        otherwise = "required" if is_required else _NOTHING
        part = _part_of(field.annotation)
        if part is None or part in _KUBERNETES_OWN:
            shown = otherwise if default is None else _shown(default)
            yield f"`{path}`", _accepted(model, name, each, part), shown, meaning
            continue
        told = [its for kind, same, its in sections if (kind, same) == (part, default)]
        if told:
            yield f"`{path}`", f"the same fields as `{told[0]}`", otherwise, meaning
            continue
        sections.append((part, default, path))
        yield f"`{path}`", _one_of(each), otherwise, meaning
        yield from _rows(part, each, f"{path}.", default)


def _part_of(annotation: Any) -> type[ApiModel] | None:
    """The API type in an annotation: itself, an optional one, that of a list; None without."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return annotation
    found = (_part_of(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


def _one_of(schema: Mapping[str, Any]) -> str:
    """What a section takes: its rule about which of its fields go together, if it has one."""
    said = [str(rule["message"]) for rule in schema.get("x-kubernetes-validations", [])]
    rules = [each.removeprefix("set ") for each in said if each.startswith("set exactly one of")]
    return "; ".join(["a section", *rules])


def _accepted(
    model: type[ApiModel], name: str, schema: Mapping[str, Any], part: type[ApiModel] | None
) -> str:
    if part is not None:
        return _of_kubernetes(schema, part)
    own = [_FIELDS[kind, name] for kind in model.__mro__ if (kind, name) in _FIELDS]
    return own[0] if own else _words(schema)[0]


def _of_kubernetes(schema: Mapping[str, Any], part: type[ApiModel]) -> str:
    *first, last = [f"`{field.alias or name}`" for name, field in part.model_fields.items()]
    names = f"{', '.join(first)} and {last}" if first else last
    if schema["type"] == "array":
        return f"a list{_at_most(schema, 'maxItems')}, as in Kubernetes, with {names}"
    return f"as in Kubernetes, with {names}"


def _words(schema: Mapping[str, Any]) -> _Words:
    """What a value may be, for one and for several."""
    if "enum" in schema:
        *first, last = [f"`{each}`" for each in schema["enum"]]
        words = f"{', '.join(first)} or {last}" if first else last
        return words, words
    if "x-kubernetes-int-or-string" in schema:
        amounts = "such as `2`, `500m` or `4Gi`"
        return f"an amount {amounts}", f"amounts {amounts}"
    return _KINDS[schema["type"]](schema)


def _boolean(_schema: Mapping[str, Any]) -> _Words:
    return "`true` or `false`", "`true` or `false`"


def _integer(schema: Mapping[str, Any]) -> _Words:
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = f" from {least} to {most}" if most is not None else f", {least} or more"
    return f"a whole number{bounds}", f"whole numbers{bounds}"


def _array(schema: Mapping[str, Any]) -> _Words:
    return f"a list{_at_most(schema, 'maxItems')}: {_words(schema['items'])[1]}", "lists"


def _object(schema: Mapping[str, Any]) -> _Words:
    values = schema.get("additionalProperties")
    if not isinstance(values, Mapping):
        return "an object", "objects"
    return f"a map{_at_most(schema, 'maxProperties')}: {_words(values)[1]}", "maps"


def _text(schema: Mapping[str, Any]) -> _Words:
    if "pattern" in schema:
        return _PATTERNS[schema["pattern"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is None:
        return "text", "texts"
    limit = f"of {least} to {most} characters" if least else f"of at most {most} characters"
    return f"text {limit}", f"texts {limit}"


_KINDS: dict[str, Callable[[Mapping[str, Any]], _Words]] = {
    "boolean": _boolean,
    "integer": _integer,
    "array": _array,
    "object": _object,
    "string": _text,
}


def _at_most(schema: Mapping[str, Any], bound: str) -> str:
    return f" of at most {schema[bound]}" if bound in schema else ""


def _shown(default: Any) -> str:
    """A default as YAML has it."""
    if default == "":
        return '`""`'
    text = yaml.safe_dump(_filled(default), default_flow_style=True, sort_keys=False, width=1000)
    return f"`{text.strip().removesuffix('...').strip()}`"


def _filled(default: Any) -> Any:
    """``default`` without what is not set in it."""
    if isinstance(default, dict):
        return {key: _filled(each) for key, each in default.items() if each is not None}
    return default
