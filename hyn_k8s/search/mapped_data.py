"""The data of a search, as every trial has them for itself although a machine has them once.

A driver pickles the data without their large arrays. These go, one after the other, into a file
that is named by its content: it is written once for a search, also by drivers that resume it, and
by none of them held a second time in memory. A trial maps the file, privately: to have the data
takes it no time, and memory only for what it changes, which nobody else sees. What is no array,
such as strings, is loaded for each trial.

A file system that cannot map files, or a bucket, is read: into a file of this machine
(``local_copies``), or, where there is no room for that, into the memory of the trial.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import mmap
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from hyn_k8s.paths import SearchPaths
from hyn_k8s.search import local_copies, shipping
from hyn_k8s.search.site import Blob, Site, write_blob
from hyn_k8s.search.storage import Storage

LEAST_APART = 1024 * 1024
"""From how many bytes of large arrays on these have a file of their own."""

_ALIGNED = 64
"""Bytes. Arrays begin at multiples of it, as numpy's own do, so that work on them is as fast."""

_NO_RESERVE = 0x4000
"""MAP_NORESERVE of Linux, which Python has no name for: what is never written needs no memory."""


@dataclass(frozen=True)
class SentData:
    """Where the data of a search are. It travels with each trial."""

    pickled: Blob
    """``(X, y, X_eval, y_eval, X_test, fit_kwargs)``, in one pickle: shared parts stay shared."""
    arrays: Blob | None
    """The large arrays of it, if they have a file of their own."""
    sizes: tuple[int, ...]
    """How many bytes each of these arrays has, in their order in the file."""


def write_data(
    storage: Storage, paths: SearchPaths, epoch: int, arguments: tuple[Any, ...]
) -> SentData:
    """Put the data of a search on the storage, and only what is not there yet of its arrays.

    Raises:
        ScriptError: something in them cannot be pickled.
        StorageError: they cannot be written.
    """
    arrays: list[memoryview] = []

    def stays(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < shipping.LARGE_ARRAY:
            return True
        arrays.append(raw)
        return False

    what = "the data of the search"
    pickled = shipping.dumps(arguments, what, stays)
    if arrays and sum(map(len, arrays)) < LEAST_APART:
        arrays, pickled = [], shipping.dumps(arguments, what)
    return SentData(
        write_blob(storage, paths.data(epoch), pickled),
        _write_arrays(storage, paths, arrays) if arrays else None,
        tuple(map(len, arrays)),
    )


def _write_arrays(storage: Storage, paths: SearchPaths, arrays: Sequence[memoryview]) -> Blob:
    pieces = [piece for array in arrays for piece in (array, bytes(-len(array) % _ALIGNED))]
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    blob = Blob(paths.arrays(digest.hexdigest()), size, digest.hexdigest())
    if storage.size(blob.path) != size:
        storage.write_pieces(blob.path, pieces)
    return blob


def load_data(here: Site, data: SentData) -> Any:
    """The data for one trial, which may change them.

    Raises:
        StorageError: they are not there, or not as they were written.
    """
    if data.arrays is None:
        return shipping.loads(here.blob(data.pickled))
    whole = memoryview(_whole(here, data.arrays))
    starts = itertools.accumulate((size + -size % _ALIGNED for size in data.sizes), initial=0)
    arrays = [whole[start : start + size] for start, size in zip(starts, data.sizes, strict=False)]
    return shipping.loads(here.blob(data.pickled), apart=arrays)


def _whole(here: Site, blob: Blob) -> mmap.mmap:
    """The bytes of ``blob`` in memory that may be written, which leaves the file as it is."""
    with contextlib.suppress(OSError), _opened(here, blob) as file:
        flags = mmap.MAP_PRIVATE | _NO_RESERVE
        return mmap.mmap(file.fileno(), blob.size, flags, mmap.PROT_READ | mmap.PROT_WRITE)
    own = mmap.mmap(-1, blob.size)
    for piece in local_copies.read_pieces(here.patient, blob):
        own.write(piece)
    return own


def _opened(here: Site, blob: Blob) -> BinaryIO:
    """The file that has the bytes of ``blob`` on this machine, or that all machines share."""
    if here.storage.settings.kind == "file":
        here.await_whole(blob)
        return open(here.storage.rooted(blob.path), "rb")

    def copy() -> BinaryIO:
        here.await_whole(blob)
        return local_copies.open_copy(here.patient, blob)

    here.keeping(blob, copy)  # it stays until the search ends here
    return local_copies.open_copy(here.patient, blob)  # a trial may have closed the other one
