"""Pickles that a worker can load although it has never seen the user's script.

Three things plain pickle does not do for a search. Classes and functions of the script, and of
modules beside it, travel by value (cloudpickle), and are put back under their own names on the
worker, so that the user's estimator can be saved there by plain pickle and loaded here. A sample
leaves its random states behind: each parameter owns one of 2.5 kB that nobody draws from once the
sample is made. And what cannot be pickled is told in a sentence that names it.
"""

from __future__ import annotations

import functools
import io
import os
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import cloudpickle
import numpy

from hyn_k8s.errors import ScriptError
from hyn_k8s.search import private_names

LARGE_ARRAY = 64 * 1024
"""From how many bytes an array is worth a place of its own."""

_INSTALLED = ("site-packages", "dist-packages")


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    """cloudpickle's pickler that notes which named things of the script it took by value."""

    def __init__(self, file: io.BytesIO, apart: Callable[[Any], bool] | None = None) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=apart)
        self.named: list[tuple[str, str, Any]] = []
        self._parameter_space = parameter_space()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, self._parameter_space):
            return without_random_state(obj)
        if type(obj) in (numpy.ndarray, numpy.memmap) and obj.nbytes >= LARGE_ARRAY:
            return _reduced(numpy.asarray(obj))
        reduced = super().reducer_override(obj)
        if reduced is not NotImplemented and isinstance(obj, (type, types.FunctionType)):
            self._note(obj)
        return reduced

    def _note(self, obj: Any) -> None:
        """Plain pickle finds a nested class by way of the outermost one, so both are noted."""
        if is_at_home(obj):
            self.named.append((obj.__module__, obj.__qualname__, obj))
            outermost, _, inner = obj.__qualname__.partition(".")
            if inner:
                module = sys.modules[obj.__module__]
                self.named.append((obj.__module__, outermost, getattr(module, outermost)))


def _reduced(array: Any) -> Any:
    """How to pickle a large ``array``: without a copy, and never for long without a pause.

    Other threads of the driver renew its lease meanwhile, and the pickler lets none of them run
    while it is busy with millions of strings. It does while it asks for the next one.
    """
    if array.dtype == object:
        order = "F" if array.flags.fnc else "C"
        return numpy.empty, (array.shape, array.dtype, order), _Items(array), None, None, _fill
    if not array.flags.forc:
        array = numpy.ascontiguousarray(array)
    if array.dtype.kind in "mM":  # numpy itself would copy times into the pickle
        return _typed, (array.view("i8"), array.dtype)
    return array.__reduce_ex__(pickle.HIGHEST_PROTOCOL)


def _typed(array: Any, dtype: Any) -> Any:
    return array.view(dtype)


class _Items:
    """The items of an array of objects, pickled as a list of them."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __reduce_ex__(self, _protocol: Any) -> Any:
        return list, (), None, (each for each in self._array.flat)


def _fill(array: Any, items: list[Any]) -> None:
    """Put the ``items`` of another array of its shape into ``array``."""
    array.flat = numpy.fromiter(items, object, len(items))


def dumps(
    value: Any, what: str, apart: Callable[[pickle.PickleBuffer], bool] | None = None
) -> bytes:
    """Pickle ``value``; ``what`` names it to the user when that cannot be done.

    ``apart`` is asked of each array whether it stays in the pickle; else the caller has it now.

    Raises:
        ScriptError: something inside ``value`` cannot be pickled.
    """
    file = io.BytesIO()
    pickler = _Pickler(file, apart)
    try:
        # The list is pickled after the value and so holds what pickling the value has noted.
        pickler.dump((value, pickler.named))
    except Exception as error:  # objects say it in many ways that they cannot be pickled
        problem = f"{what} cannot be sent to workers: {error}"
        raise ScriptError(script_name(), problem) from error
    return file.getvalue()


def loads(data: bytes | memoryview, replace: bool = True, apart: Iterable[memoryview] = ()) -> Any:
    """Load what another process's ``dumps`` made, and give the script's classes their names back.

    ``apart`` are the arrays that did not stay in the pickle; the value has them, not copies.

    A worker lets the latest definition of a name win. Without ``replace`` a name that is there
    already keeps its meaning: where the user's own code runs, that is the one the user sees.
    With it, never load a pickle in the process that made it: cloudpickle finds the classes again
    and fills them with copies of their methods.
    """
    if replace:
        value, named = pickle.loads(data, buffers=apart)
    else:
        value, named = _Unpickler(io.BytesIO(data)).load()
    for module, name, obj in named:
        obj.__qualname__ = name  # cloudpickle leaves a nested class only its last part
        if "." not in name and (replace or not hasattr(_module(module), name)):
            setattr(_module(module), name, obj)
    return value


class _Unpickler(pickle.Unpickler):
    """Leaves alone the classes that this process has under their own names."""

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if (module, name) == private_names.CLASS_SETSTATE:
            return lambda kind, state: kind if is_at_home(kind) else found(kind, state)
        return found


def is_at_home(obj: Any) -> bool:
    """Whether a class or function is the one that its module here has under its name."""
    found: Any = sys.modules.get(obj.__module__ or "")
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def ship_script_modules() -> None:
    """From now on, pickle modules that lie beside the script by value; cheap when none is new."""
    for name, module, _ in script_modules():
        if name not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)


def script_modules() -> list[tuple[str, types.ModuleType, str]]:
    """The modules that lie beside the script, with their names and the paths of their files."""
    folder, found = script_folder(), []
    for name, module in list(sys.modules.items()):
        if not isinstance(module, types.ModuleType) or name in ("__main__", "__mp_main__"):
            continue
        path = os.fspath(vars(module).get("__file__") or "")
        if path and not path.startswith(os.sep):
            path = os.path.abspath(path)
        if _lies_in(folder, path):
            found.append((name, module, path))
    return found


def may_lie_beside_script(directory: str) -> bool:
    """Whether modules of ``directory``, as it stands in ``sys.path``, may be some of these."""
    return _lies_in(script_folder(), os.path.join(os.path.abspath(directory), "module.py"))


def script_folder() -> str:
    """The directory of the running script; the current one in a notebook or a shell."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()


def script_name() -> str:
    """The running script's file name, or ``notebook``."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.basename(file) if file else "notebook"


@functools.cache  # asked of thousands of modules at each search
def _lies_in(folder: str, path: str) -> bool:
    path = os.path.normpath(path)
    return path.startswith(folder.rstrip(os.sep) + os.sep) and not (
        any(f"{os.sep}{name}{os.sep}" in path for name in _INSTALLED)
        or path.startswith(os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep)
        or path.startswith(os.path.dirname(os.__file__) + os.sep)
    )


def _module(name: str) -> types.ModuleType:
    """The module ``name`` of this process; where it has none, an empty one, with its packages."""
    parent = name.rpartition(".")[0]
    if parent:
        _module(parent).__dict__.setdefault("__path__", [])
    if name not in sys.modules:
        sys.modules[name] = types.ModuleType(name, "Stands for a module of the driver's script.")
    return sys.modules[name]


def parameter_space() -> type:
    """Hypernets' class of all parameters, imported when it is first asked for."""
    from hypernets.core.search_space import ParameterSpace

    return ParameterSpace  # type: ignore[no-any-return]


def without_random_state(parameter: Any) -> Any:
    """How to pickle a parameter that draws no more."""
    reduced = parameter.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    if isinstance(reduced, tuple) and len(reduced) > 2 and isinstance(reduced[2], dict):
        return (*reduced[:2], {**reduced[2], "random_state": None}, *reduced[3:])
    return reduced
