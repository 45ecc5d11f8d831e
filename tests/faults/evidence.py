"""What a search left behind, read without our own code: rows, models, and the script's own notes.

``Scene`` in ``drivers`` puts these together; the storage is looked at from outside, as a user would
with ``ls`` or another S3 client, except that models are loaded as README says.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from minio.error import S3Error

from tests.processes import S3Server

PREFIX = "runs"

OF_ITS_EXECUTION = {
    "elapsed_seconds",
    "cpu_seconds",
    "memory_mb",
    "worker",
    "started",
    "ended",
    "model",
}
"""Columns of trials.csv that differ between two executions of one trial."""


class Place(Protocol):
    """A storage root, and a look at it that does not go through our code."""

    @property
    def env(self) -> Mapping[str, str]:
        """The variables that lead to it."""

    @property
    def env_here(self) -> Mapping[str, str]:
        """The same for this process, which no fault reaches."""

    def files(self) -> dict[str, bytes]:
        """Every file there by its path below the root."""


@dataclass(frozen=True)
class Directory:
    """A directory of this machine."""

    root: pathlib.Path
    seen_at: pathlib.Path | None = None
    """Where this process sees it, if elsewhere."""

    @property
    def env(self) -> dict[str, str]:
        return {"HYN_STORAGE_ROOT": str(self.root)}

    @property
    def env_here(self) -> dict[str, str]:
        return {"HYN_STORAGE_ROOT": str(self.seen_at or self.root)}

    def files(self) -> dict[str, bytes]:
        root = self.seen_at or self.root
        found = {}
        for path in root.rglob("*"):
            try:
                found[str(path.relative_to(root))] = path.read_bytes()
            except (FileNotFoundError, IsADirectoryError):
                continue  # what is being written has other names for a moment
        return found


@dataclass(frozen=True)
class Bucket:
    """A prefix in a bucket. ``real`` is asked by us, ``server`` by those under test."""

    real: S3Server
    server: S3Server
    name: str

    @property
    def env(self) -> dict[str, str]:
        return {**self.server.env, "HYN_STORAGE_ROOT": f"/{self.name}/{PREFIX}"}

    @property
    def env_here(self) -> dict[str, str]:
        return {**self.env, **self.real.env}

    def files(self) -> dict[str, bytes]:
        client = self.real.client()
        if not client.bucket_exists(bucket_name=self.name):
            return {}
        found = {}
        for each in client.list_objects(bucket_name=self.name, recursive=True):
            name = str(each.object_name)
            with contextlib.suppress(S3Error):  # it is gone by now
                data = client.get_object(bucket_name=self.name, object_name=name).read()
                found[name.removeprefix(f"{PREFIX}/")] = data
        return found


@dataclass(frozen=True)
class Run:
    """One run on a storage."""

    place: Place
    name: str

    def files(self) -> dict[str, str]:
        """The checksum of each of its files."""
        return {
            path: hashlib.sha256(data).hexdigest()
            for path, data in self.place.files().items()
            if path.startswith(f"{self.name}/")
        }

    def models(self) -> dict[str, str]:
        """The checksum of each model of its search."""
        return {path: sum_ for path, sum_ in self.files().items() if "/models/" in path}

    def records(self) -> dict[str, str]:
        """The checksum of each other file: what only its driver writes."""
        return {path: sum_ for path, sum_ in self.files().items() if "/models/" not in path}

    def rows(self) -> list[dict[str, str]]:
        """Its search's trials.csv."""
        text = self.place.files()[f"{self.name}/search-1/trials.csv"].decode()
        return list(csv.DictReader(io.StringIO(text)))

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(
            self.place.files()[f"{self.name}/search-1/summary.json"]
        )
        return summary

    def trials(self) -> list[dict[str, str]]:
        """What two searches share that asked and told alike: rows without what chance adds."""
        return [
            {name: value for name, value in row.items() if name not in OF_ITS_EXECUTION}
            for row in self.rows()
        ]


@dataclass(frozen=True)
class Note:
    """A line of the script's own notes."""

    what: str
    trial: int
    pid: int
    at: float
    reason: str = ""

    @property
    def tells(self) -> bool:
        """Whether it reports a trial for the first time."""
        return self.what in ("end", "error", "skip") and not self.resumes

    @property
    def resumes(self) -> bool:
        """Whether it speaks of a trial of an earlier driver."""
        return self.reason == "resumed"


def notes(path: pathlib.Path) -> list[Note]:
    """The lines of ``path``, none while it is absent."""
    if not path.exists():
        return []
    return [Note(**json.loads(line)) for line in path.read_text().splitlines()]
