"""Every name that a library keeps to itself, and that is used here nevertheless.

Such a name may be gone with any release. So none is used anywhere else (a test looks for them),
and each has a test that fails when it is gone. What ``compat`` repairs is apart: each repair there
looks whether its library is as it was.

| library | name | why |
|---|---|---|
| Hypernets | ``HyperModel._run_trial`` | it is the trial; there is no other way to run one |
| Hypernets | ``random_state._hypernets_random_state`` | what a script has set can only be set |
| Hypernets | ``DefaultContext._map`` | a context gives one value by its name, and lists none |
| Hypernets | ``conf._configuration._conf`` | it is read once, while Hypernets is imported |
| Hypernets | ``utils._fsutils`` | its ``fs`` is made while it is imported; here it is bound anew |
| Hypernets | ``_inner_to_rpath`` of its file systems | it takes some paths twice for rooted |
| fsspec | ``_strip_protocol``, ``_expand_path``, ``_glob`` | no option lets a root have brackets |
| cloudpickle | ``cloudpickle._class_setstate`` | a class that is there keeps its methods |

Hypernets is imported when one of its names is first asked for.
"""

from __future__ import annotations

from typing import Any

CLASS_SETSTATE = ("cloudpickle.cloudpickle", "_class_setstate")
"""Module and name of what fills a class that travelled by value."""


def run_trial(hyper_model: Any, *arguments: Any, **options: Any) -> Any:
    """Hypernets' own trial, in this process: a ``Trial``."""
    return hyper_model._run_trial(*arguments, **options)


def scripts_random_state() -> Any:
    """What the script has set as Hypernets' random state; None if nothing."""
    from hypernets.core import random_state

    return random_state._hypernets_random_state


def put_back_random_state(state: Any) -> None:
    """Let Hypernets draw from ``state`` again, as ``scripts_random_state`` gave it."""
    from hypernets.core import random_state

    random_state._hypernets_random_state = state


def contents_of(context: Any) -> dict[str, Any]:
    """What a hyper model's context holds; nothing of a context of another kind."""
    return getattr(context, "_map", {})


def default_context(contents: dict[str, Any]) -> tuple[Any, ...]:
    """How to pickle a context of Hypernets' own kind with these ``contents``."""
    from hypernets.core.context import DefaultContext

    return DefaultContext, (), {"_map": contents}


def configure_import(config: Any) -> None:
    """Let Hypernets find ``config``, of traitlets, when it is imported."""
    from hypernets.conf import _configuration

    _configuration._conf.update_config(config)


def filesystems() -> Any:
    """Hypernets' module of file systems: adapters, their settings, and ``filesystem`` itself."""
    from hypernets.utils import _fsutils

    return _fsutils


ADAPTERS_ROOTING = "_inner_to_rpath"
"""The method of Hypernets' adapters of file systems that puts the root before a path."""


def strip_protocol(fs: Any, path: str) -> str:
    """``path`` as the file system ``fs`` of fsspec names it."""
    return str(fs._strip_protocol(path))


def finders(fs: Any) -> tuple[Any, Any] | None:
    """How an asynchronous file system expands paths and patterns; None of another one."""
    return (fs._expand_path, fs._glob) if hasattr(fs, "_glob") else None


def replace_finders(fs: Any, expand_path: Any, glob: Any) -> None:
    """Let an asynchronous file system expand paths and patterns by these."""
    fs._expand_path, fs._glob = expand_path, glob
