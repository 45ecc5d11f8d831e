"""The searcher's state as bytes, and back into the searcher that a script has made anew.

Replaying every event would restore it too, but at the price of drawing each sample again: seconds
per thousand trials. The state holds what the searcher has learned and the random states, and
refers to everything that is there anyway: the searcher itself, the history, the samples (they are
in the journal), the script's functions and classes. So it stays small, and what the script's own
objects mean is never duplicated.
"""

from __future__ import annotations

import io
import pickle
import types
from collections.abc import Mapping
from typing import Any

import cloudpickle

from hyn_k8s.search import seeding, shipping

Anchors = Mapping[str, Any]
"""Objects of this process that a state refers to by name."""


def anchors_of(hyper_model: Any, trial_store: Any) -> dict[str, Any]:
    """What a search's state may refer to; taken before the first sample is drawn.

    What a script gave its searcher is among them: a closure may hold all of the data, and a
    searcher that plays earlier trials back has all of their samples.
    """
    searcher = hyper_model.searcher
    found: dict[str, Any] = {}
    for name, value in vars(searcher).items():
        if _is_given(value):
            found[f"searcher.{name}"] = value
        found.update(_samples_in(f"searcher.{name}", value))
    found.update(_samples_in("history", hyper_model.history))
    own = {
        "searcher": searcher,
        "history": hyper_model.history,
        "random": seeding.hypernets_random_state(),
    }
    if trial_store is not None:
        own["trial_store"] = trial_store
    return {**found, **own}


def _is_given(value: Any) -> bool:
    """Whether ``value`` is a function of the script's, or an object that stands for one."""
    own = type(value).__module__.startswith("hypernets.searchers.")  # with a state that changes
    return callable(value) and not isinstance(value, type) and not own


def _samples_in(name: str, value: Any) -> dict[str, Any]:
    """The samples in a list, or of the trials of a history."""
    from hypernets.core.search_space import HyperSpace

    if hasattr(value, "trials"):
        value = [trial.space_sample for trial in value.trials]
    if not isinstance(value, list):
        return {}
    samples = enumerate(value)
    return {f"{name}.{place}": each for place, each in samples if isinstance(each, HyperSpace)}


def dumps(searcher: Any, anchors: Anchors, samples: Mapping[int, Any]) -> bytes:
    """The state of ``searcher`` and of the random numbers; ``samples`` by their trials' numbers.

    Raises:
        Exception: something inside the searcher cannot be pickled; then there is no state of it.
    """
    file = io.BytesIO()
    pickler = _Pickler(file, anchors, samples)
    pickler.dump((vars(searcher), seeding.random_states()))
    return file.getvalue()


def restore(state: bytes, searcher: Any, anchors: Anchors, samples: Mapping[int, Any]) -> None:
    """Give ``searcher`` and this process's random numbers the state that ``dumps`` saw.

    Raises:
        Exception: the script no longer has what the state refers to.
    """
    known = {**{f"sample.{number}": sample for number, sample in samples.items()}, **anchors}
    fields, randoms = _Unpickler(io.BytesIO(state), known).load()
    vars(searcher).clear()
    vars(searcher).update(fields)
    seeding.set_random_states(randoms)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    def __init__(self, file: io.BytesIO, anchors: Anchors, samples: Mapping[int, Any]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._parameter_space: Any = shipping.parameter_space()
        self._names = {id(sample): f"sample.{number}" for number, sample in samples.items()}
        self._names.update({id(anchor): name for name, anchor in anchors.items()})

    def persistent_id(self, obj: Any) -> str | None:
        return self._names.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        """By reference whatever the script has under a name, by value only what has none.

        A parameter that has its value draws no more, and leaves its random state behind.
        """
        if isinstance(obj, self._parameter_space):
            return shipping.without_random_state(obj) if obj.assigned else NotImplemented
        if isinstance(obj, (type, types.FunctionType)) and shipping.is_at_home(obj):
            return NotImplemented
        return super().reducer_override(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, known: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._known = known

    def persistent_load(self, name: str) -> Any:
        return self._known[name]
