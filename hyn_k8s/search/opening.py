"""Opens the storage that settings name, of either kind, with a proof where a run depends on it."""

from __future__ import annotations

import uuid

from hyn_k8s.search.bounded import BoundedStorage
from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.file_storage import FileStorage
from hyn_k8s.search.patience import while_starting
from hyn_k8s.search.s3 import S3Storage
from hyn_k8s.search.settings import StorageSettings
from hyn_k8s.search.storage import Storage


def open_storage(settings: StorageSettings) -> Storage:
    """The storage that ``settings`` name; nothing is contacted yet."""
    if settings.kind == "s3":
        return S3Storage(settings)
    return BoundedStorage(FileStorage(settings))


def open_usable_storage(settings: StorageSettings) -> Storage:
    """The storage of ``settings``, its bucket made if missing, proved to do what runs rely on.

    One that is busy for a moment is asked again.

    Raises:
        StorageError: it cannot be reached or written.
    """
    storage = open_storage(settings)
    if isinstance(storage, S3Storage):
        ensure_bucket(storage)
    patient = while_starting(storage)
    patient.prove(f".storage-proof-{uuid.uuid4().hex}")
    patient.prove_exclusive(f".storage-proof-{uuid.uuid4().hex}")
    return storage
