"""The schema made of the types is one that Kubernetes takes: structural, bounded, described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from hyn_k8s.api.crd import definition
from hyn_k8s.api.pods import Resources
from hyn_k8s.api.schema import ApiModel, amount, at_most_one, exactly_one, listed_by, structural

(VERSION,) = definition()["spec"]["versions"]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside ``schema``, with its path."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from nodes(schema[name], f"{path}.{name}")


NODES = dict(nodes(SCHEMA))
SPEC = {path: node for path, node in NODES.items() if path.startswith(".spec")}


def test_it_has_nothing_that_a_structural_schema_must_not_have() -> None:
    banned = {"$ref", "$defs", "oneOf", "allOf", "not", "const", "title", "discriminator",
              "exclusiveMinimum", "exclusiveMaximum", "nullable"}  # fmt: skip
    for path, node in NODES.items():
        assert not banned & set(node), path
        assert not {"properties", "additionalProperties"} <= set(node), path
        assert node.get("default", ...) is not None, path


def test_every_part_has_one_type() -> None:
    for path, node in NODES.items():
        if node.get("x-kubernetes-int-or-string"):
            assert "type" not in node, path
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
        else:
            assert isinstance(node["type"], str), path
            assert "anyOf" not in node, path


def test_every_field_is_described() -> None:
    for path, node in NODES.items():
        for name, each in node.get("properties", {}).items():
            if (path, name) not in [("", "apiVersion"), ("", "kind"), ("", "metadata")]:
                assert each.get("description"), f"{path}.{name}"
                assert "``" not in each["description"], f"{path}.{name}"


def test_all_that_a_user_writes_is_bounded_so_that_rules_cost_little() -> None:
    open_ = ".spec.storage.s3.options"  # rules ask only whether it has something
    for path, node in SPEC.items():
        if path.startswith(open_):
            continue
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if node.get("type") == "object" and "additionalProperties" in node:
            assert "maxProperties" in node, path
        if node.get("type") == "string" and "enum" not in node:
            assert "maxLength" in node, path


def test_only_declared_fields_are_open() -> None:
    open_ = [path for path in NODES if NODES[path].get("x-kubernetes-preserve-unknown-fields")]
    assert open_ == [
        ".spec.storage.s3.options",
        ".spec.storage.s3.options.client_kwargs",
        ".status.best.hyperparameters",
    ]


def test_lists_that_are_merged_by_key_require_the_key() -> None:
    for path, node in NODES.items():
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in node["items"]["required"], path


def test_every_rule_of_the_types_is_there() -> None:
    assert "set exactly one of inline, configMap and path" in _messages(".spec.script")
    assert "set exactly one of file and s3" in _messages(".spec.storage")
    assert "set exactly one of claimName and claimTemplate" in _messages(".spec.storage.file")
    assert len(_messages(".spec.storage.s3")) == 6
    assert len(_messages(".spec")) == 2
    for role in ("worker", "driver", "scheduler"):
        assert len(_messages(f".spec.{role}")) == 6
        assert len(_messages(f".spec.{role}.resources")) == 1
        assert len(_messages(f".spec.{role}.volumes.items")) == 2
        assert len(_messages(f".spec.{role}.volumeMounts.items")) == 1
        assert len(_messages(f".spec.{role}.tolerations.items")) == 3
    root = _messages("")
    fixed = [each for each in root if "must not change once the search has begun" in each]
    mutable = {"suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}
    assert len(fixed) == len(set(SCHEMA["properties"]["spec"]["properties"]) - mutable)
    assert len(root) == len(fixed) + 3


def test_rules_refer_only_to_fields_that_are_declared() -> None:
    for path, node in NODES.items():
        for rule in node.get("x-kubernetes-validations", []):
            for chain in re.findall(r"\b(?:self|oldSelf)((?:\.\w+)+)\b(?!\()", rule["rule"]):
                place = path
                for name in chain.split(".")[1:]:
                    known = NODES[place].get("properties", {})
                    assert name in known or place == ".metadata", f"{path}: {rule['rule']}"
                    place = f"{place}.{name}"
                    if place not in NODES:
                        break


def test_a_rule_names_the_field_that_is_wrong_if_it_names_one() -> None:
    for path, node in NODES.items():
        for rule in node.get("x-kubernetes-validations", []):
            assert path + rule.get("fieldPath", "") in NODES


def test_messages_are_sentences_without_a_line_break() -> None:
    for path, node in NODES.items():
        for rule in node.get("x-kubernetes-validations", []):
            assert "\n" not in rule["message"], path
            assert 10 < len(rule["message"]) < 600, path


def _messages(path: str) -> list[str]:
    return [each["message"] for each in NODES[path].get("x-kubernetes-validations", [])]


class Leaf(ApiModel):
    """A leaf."""

    name: str
    """Its name."""


class Tree(ApiModel):
    """A ``tree``
    of two lines."""

    rules = (exactly_one("first_leaf", "other"), at_most_one("other", "leaves"))

    first_leaf: Leaf | None = None
    """The first."""
    other: int | None = None
    """Another one."""
    leaves: list[Leaf] | None = listed_by("name", max_length=2)
    """All."""


def test_a_small_type_becomes_this() -> None:
    leaf = {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "Its name."}},
    }
    leaf["required"] = ["name"]
    assert structural(Tree) == {
        "type": "object",
        "description": "A tree of two lines.",
        "properties": {
            "firstLeaf": leaf | {"description": "The first."},
            "other": {"type": "integer", "description": "Another one."},
            "leaves": {
                "type": "array",
                "description": "All.",
                "items": leaf | {"description": "A leaf."},
                "maxItems": 2,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        },
        "x-kubernetes-validations": [
            {
                "rule": "[has(self.firstLeaf), has(self.other)].filter(given, given).size() == 1",
                "message": "set exactly one of firstLeaf and other",
            },
            {
                "rule": "[has(self.other), has(self.leaves)].filter(given, given).size() <= 1",
                "message": "set at most one of other and leaves",
            },
        ],
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "set exactly one of firstLeaf and other"),
        ({"other": 1, "firstLeaf": {"name": "a"}}, "set exactly one of firstLeaf and other"),
        ({"other": 1, "leaves": []}, "set at most one of other and leaves"),
        (
            {"firstLeaf": {"name": "a"}, "leaves": [{"name": "b"}] * 2},
            "leaves has b more than once",
        ),
        ({"other": 1, "third": 1}, "third\n  Extra inputs are not permitted"),
    ],
)
def test_python_refuses_what_the_rules_refuse(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        Tree.model_validate(given)


@pytest.mark.parametrize(
    ("quantity", "number"),
    [(2, 2), ("500m", Decimal("0.5")), ("4Gi", 4 * 2**30), ("1.5G", 1_500_000_000), ("1e3", 1000),
     ("3E", 3 * 10**18), ("100u", Decimal("0.0001"))],
)  # fmt: skip
def test_an_amount_is_a_number_and_written_as_a_string(quantity: Any, number: Any) -> None:
    resources = Resources.model_validate({"limits": {"x": quantity}})
    assert resources.to_manifest() == {"limits": {"x": str(quantity)}}
    assert resources.limits is not None
    assert amount(resources.limits["x"]) == number


@pytest.mark.parametrize("quantity", ["", "-1", -1, "4GB", "1K", "4 Gi", True, 1.5, "9" * 33])
def test_what_is_no_amount_is_refused(quantity: Any) -> None:
    with pytest.raises(ValidationError):
        Resources.model_validate({"limits": {"x": quantity}})
