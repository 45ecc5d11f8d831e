"""From the types to what Kubernetes checks: a structural schema, with CEL rules.

An API type is written once, as a pydantic model whose fields carry their own descriptions and
bounds. Here is what such a type is made of, and how its schema becomes one that Kubernetes takes:
no references, no ``null``, nothing beside ``properties``. A relation between fields is a ``Rule``:
the API server checks it as CEL at apply, and pydantic checks the same relation in Python wherever
an object is read, so that a file is refused without a cluster too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

Manifest = dict[str, Any]
"""A Kubernetes object as its YAML has it."""

_MOST_QUANTITY = 32
_QUANTITY = r"^[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i|[eE][0-9]{1,2})?$"
_SCALES = {each: Decimal(1000) ** power for power, each in enumerate("num kMGTPE", start=-3)}
_SCALES |= {f"{each}i": Decimal(1024) ** power for power, each in enumerate("KMGTPE", start=1)}


def _quantity(value: Any) -> str:
    text = str(value)
    is_number = isinstance(value, (int, str)) and not isinstance(value, bool)
    if not is_number or len(text) > _MOST_QUANTITY or not re.fullmatch(_QUANTITY[1:-1], text):
        raise ValueError("an amount is a number such as 2, 500m or 4Gi")
    return text


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": _MOST_QUANTITY,
            "minimum": 0,
            "pattern": _QUANTITY,
        }
    ),
]
"""An amount of a resource, as Kubernetes writes it: ``2``, ``500m``, ``4Gi``. A number becomes a
string, the only form that dask's DaskCluster takes."""


def amount(quantity: str) -> Decimal:
    """The number that a quantity stands for."""
    number = re.match(r"[0-9.]+", quantity)
    assert number is not None
    suffix = quantity[number.end() :]
    if suffix[1:].isdigit():
        return Decimal(quantity)
    return Decimal(number[0]) * _SCALES.get(suffix, Decimal(1))


@dataclass(frozen=True)
class Rule:
    """A relation that holds between the fields of an object."""

    cel: str | None
    """What the API server evaluates, ``self`` being the object; None where it checks anyway."""
    message: str
    """What a user reads after a mistake."""
    check: Callable[[Any], bool] | None = None
    """The same of the object in Python; None where it takes the cluster, as what was before."""
    field: str | None = None
    """The field that is wrong, as ``spec.env``, where it is not the object as a whole."""

    def schema(self) -> dict[str, str]:
        """The rule as a schema has it."""
        assert self.cel is not None
        path = {} if self.field is None else {"fieldPath": f".{self.field}"}
        return {"rule": self.cel, "message": self.message, **path}


def exactly_one(*fields: str) -> Rule:
    """One of ``fields``, and no other one of them, is set."""
    message = f"set exactly one of {_listed(fields)}"
    return Rule(f"{_count(fields)} == 1", message, lambda self: _given(self, fields) == 1)


def at_most_one(*fields: str) -> Rule:
    """No two of ``fields`` are set."""
    message = f"set at most one of {_listed(fields)}"
    return Rule(f"{_count(fields)} <= 1", message, lambda self: _given(self, fields) <= 1)


class ApiModel(BaseModel):
    """A type of the API: camelCase outside, its fields described by their docstrings.

    Nothing unknown is taken, and an optional field is absent, never null.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[Sequence[Rule]] = ()
    """The relations between the fields."""

    @model_validator(mode="after")
    def _check_rules(self) -> ApiModel:
        for name, field in type(self).model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and _MAP_KEYS in extra:
                _refuse_twins(field.alias or name, getattr(self, name), extra[_MAP_KEYS])
        for rule in self.rules:
            if rule.check is not None and not rule.check(self):
                raise ValueError(rule.message)
        return self

    def to_manifest(self) -> dict[str, Any]:
        """The object as Kubernetes reads it; what is not set is not there."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


_MAP_KEYS = "x-kubernetes-list-map-keys"


def listed_by(key: str, **more: Any) -> Any:
    """A list whose items are told apart by ``key``: a second one with the same is refused."""
    extra: dict[str, Any] = {"x-kubernetes-list-type": "map", _MAP_KEYS: [key]}
    return Field(default=None, json_schema_extra=extra, **more)


def structural(model: type[ApiModel]) -> dict[str, Any]:
    """The schema of ``model`` in the form that a CustomResourceDefinition demands."""
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}), model)


def _structural(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], model: type[ApiModel] | None = None
) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        referred = _structural(definitions[name], definitions, _models().get(name))
        return referred | _described({k: v for k, v in schema.items() if k in _BESIDE})
    if "anyOf" in schema and "x-kubernetes-int-or-string" not in schema:
        (choice,) = [each for each in schema["anyOf"] if each.get("type") != "null"]
        beside = {k: v for k, v in schema.items() if k != "anyOf"}
        return _structural({**choice, **beside}, definitions)
    found = _described({k: v for k, v in schema.items() if k not in ("title", "$defs", "required")})
    if "items" in found:
        found["items"] = _structural(found["items"], definitions)
    if "properties" in found:
        found.pop("additionalProperties", None)
        found["properties"] = {
            name: _structural(each, definitions) for name, each in found["properties"].items()
        }
        required = schema.get("required", [])
        if required:
            found["required"] = list(required)
    elif isinstance(found.get("additionalProperties"), Mapping):
        found["additionalProperties"] = _structural(found["additionalProperties"], definitions)
    if model is not None:
        rules = [rule.schema() for rule in model.rules if rule.cel is not None]
        found |= {"x-kubernetes-validations": rules} if rules else {}
    return found


_BESIDE = ("description", "default")
"""What a field adds to the type that it refers to."""


def _described(found: dict[str, Any]) -> dict[str, Any]:
    """``found`` with its description in plain text, and without a default of null."""
    if "description" in found:
        found["description"] = " ".join(found["description"].replace("``", "").split())
    return {k: v for k, v in found.items() if k != "default" or v is not None}


def _models() -> dict[str, type[ApiModel]]:
    """Every API type by its name, which no two share."""
    found: dict[str, type[ApiModel]] = {}
    waiting: list[type[ApiModel]] = [ApiModel]
    while waiting:
        for each in waiting.pop().__subclasses__():
            found[each.__name__] = each
            waiting.append(each)
    return found


def _refuse_twins(name: str, items: Sequence[Any] | None, keys: Any) -> None:
    (key,) = keys
    values = [each.to_manifest()[key] for each in items or ()]
    twins = sorted({str(value) for value in values if values.count(value) > 1})
    if twins:
        raise ValueError(f"{name} has {', '.join(twins)} more than once")


def _given(model: ApiModel, fields: Sequence[str]) -> int:
    return sum(getattr(model, name) is not None for name in fields)


def _count(fields: Sequence[str]) -> str:
    each = [f"has(self.{to_camel(name)})" for name in fields]
    return f"[{', '.join(each)}].filter(given, given).size()"


def _listed(fields: Sequence[str]) -> str:
    *first, last = [to_camel(name) for name in fields]
    return f"{', '.join(first)} and {last}"


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, and in which field: ``spec.env[0].name: ...``."""
    return problem_text(error.errors(include_url=False)[0])


def problem_text(problem: ErrorDetails) -> str:
    """What is wrong, and in which field."""
    keys = "".join(f"[{e}]" if isinstance(e, int) else f".{e}" for e in problem["loc"])
    said = problem["msg"].removeprefix("Value error, ")
    return f"{keys.lstrip('.')}: {said}" if keys else said
