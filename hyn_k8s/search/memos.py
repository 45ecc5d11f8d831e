"""A trial's memo whose large values stay on the storage until somebody asks for them.

Out-of-fold predictions of a trial have as many numbers as the data have rows, and an ensemble asks
for those of a few trials, at the end. A driver that held them all would need more memory with each
trial. So the worker writes what is large to a file of the execution, the driver is sent the rest,
and a value is read each time it is asked for. Nothing keeps it.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Any

from hyn_k8s.search.outcome import Outcome, StoredValues
from hyn_k8s.search.site import Blob, write_blob
from hyn_k8s.search.storage import Storage

LARGE_VALUE = 64 * 1024
"""From how many pickled bytes a value of a large memo is stored by itself."""


def write_large_values(storage: Storage, path: str, outcome: Outcome) -> Outcome:
    """``outcome`` with the large values of its memo at ``path``, if it has any.

    Raises:
        StorageError: they cannot be written.
    """
    pickled = {key: _pickled(value) for key, value in outcome.memo.items()}
    large = {key: value for key, value in pickled.items() if len(value) >= LARGE_VALUE}
    if not large:
        return outcome
    blob = write_blob(storage, path, pickle.dumps(large))
    light = {key: None if key in large else value for key, value in outcome.memo.items()}
    stored = StoredValues(blob, tuple(large))
    return dataclasses.replace(outcome, memo=light, stored=stored)


def _pickled(value: Any) -> bytes:
    """``value``, by plain pickle; nothing if that may not be loaded without this process.

    Then it travels, and a driver that cannot load it says so of the trial, at once.
    """
    try:
        return pickle.dumps(value, protocol=5)
    except Exception:
        return b""


class StoredMemo(dict[str, Any]):
    """The memo ``light`` with the values of ``keys`` as well, which ``read`` reads from ``blob``.

    A plain dict to whoever uses it. Its copies share what is stored; a pickle of it has all values.
    """

    def __init__(
        self,
        light: Mapping[str, Any],
        blob: Blob,
        keys: Iterable[str],
        read: Callable[[Blob], bytes],
    ) -> None:
        super().__init__(light)
        self.blob = blob
        """A pickled dict of the large values, each of them pickled."""
        self._read = read
        for key in keys:
            super().__setitem__(key, _STORED)

    def __getitem__(self, key: str) -> Any:
        return self._loaded(key, super().__getitem__(key))

    def __iter__(self) -> Iterator[str]:  # so that dict(memo) asks for each value, too
        return super().__iter__()

    def __eq__(self, other: object) -> bool:
        return dict(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __copy__(self) -> StoredMemo:
        return StoredMemo(dict(super().items()), self.blob, (), self._read)

    def __deepcopy__(self, memo: Any) -> StoredMemo:
        held = copy.deepcopy(dict(super().items()), memo)
        return StoredMemo(held, self.blob, (), self._read)

    def __reduce_ex__(self, _protocol: Any) -> Any:
        return dict, (dict(self),)

    def copy(self) -> StoredMemo:
        return self.__copy__()

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401 - it would ask this

    def items(self) -> Any:
        return ItemsView(self)

    def values(self) -> Any:
        return ValuesView(self)

    def pop(self, key: str, *default: Any) -> Any:
        return self._loaded(key, super().pop(key, *default))

    def popitem(self) -> tuple[str, Any]:
        key, value = super().popitem()
        return key, self._loaded(key, value)

    def setdefault(self, key: str, default: Any = None) -> Any:
        super().setdefault(key, default)
        return self[key]

    def _loaded(self, key: str, value: Any) -> Any:
        if value is not _STORED:
            return value
        return pickle.loads(pickle.loads(self._read(self.blob))[key])


class _Stored:
    """Stands in a memo for a value that is on the storage."""

    def __repr__(self) -> str:
        return "<on the storage>"

    def __deepcopy__(self, _memo: Any) -> _Stored:
        return self


_STORED = _Stored()
