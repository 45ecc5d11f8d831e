"""``run.json``, the manifest that makes a directory a run: who began it, with what, has it ended.

A root holds other directories too, and other tools write a ``run.json`` of their own. So a manifest
is recognized by what it says; whatever else is in a file of its name is never taken for one and
never replaced.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

from hyn_k8s.errors import RunError, StorageError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.storage import Storage

FORMAT_VERSION = 1

_TEXTS = ("run", "stem", "script", "started")
"""The fields that every manifest has as a string."""


@dataclasses.dataclass(frozen=True)
class Runs:
    """What is found on a storage."""

    manifests: tuple[dict[str, Any], ...]
    """Of the runs, the one begun last at the end; ``run`` is the name of its directory."""
    damaged: tuple[RunError, ...]
    """Why each of the others that have a ``run.json`` cannot be read."""


def manifest_of(run: str, stem: str, script: str) -> dict[str, Any]:
    """What ``run.json`` says of a run that begins now."""
    return {
        "version": FORMAT_VERSION,
        "run": run,
        "stem": stem,
        "script": script,
        "started": now(),
        "ended": None,
    }


def now() -> str:
    """This moment as a manifest has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def encode(manifest: dict[str, Any]) -> bytes:
    """The manifest as its file's bytes."""
    return json.dumps(manifest, indent=2).encode()


def decode(run: str, data: bytes) -> dict[str, Any]:
    """The manifest of ``run`` from its file's bytes.

    Raises:
        RunError: another program wrote them, or a later version, or they are damaged.
    """
    problem = "its run.json is damaged, or another program wrote it"
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise RunError(run, f"{problem} ({len(data)} bytes, which are no JSON: {error})") from None
    version = manifest.get("version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise RunError(run, f"a later version of hyn-k8s wrote it (format {version})")
    if version is None or not all(isinstance(manifest.get(name), str) for name in _TEXTS):
        raise RunError(run, f"{problem} (it lacks {_first_missing(manifest)!r})")
    return {**manifest, "ended": manifest.get("ended")}


def _first_missing(manifest: Any) -> str:
    known = manifest if isinstance(manifest, dict) else {}
    return next((name for name in ("version", *_TEXTS) if name not in known), "version")


def read_manifest(storage: Storage, run: str) -> dict[str, Any] | None:
    """What a run's manifest says, None where there is no such run.

    Raises:
        RunError: there is a ``run.json`` that cannot be read.
    """
    try:
        data = storage.read(RunPaths(run).manifest)
    except FileNotFoundError:
        return None
    return decode(run, data)


def read_runs(storage: Storage) -> Runs:
    """All runs on ``storage``."""
    names = {RunPaths(name).manifest: name for name in storage.list("")}
    found: list[dict[str, Any]] = []
    damaged: list[RunError] = []
    for path, data in _read_each(storage, list(names), damaged).items():
        try:
            found.append({**decode(names[path], data), "run": names[path]})
        except RunError as error:
            damaged.append(error)
    found.sort(key=lambda manifest: (manifest["started"], manifest["run"]))
    return Runs(tuple(found), tuple(damaged))


def _read_each(storage: Storage, paths: list[str], failed: list[RunError]) -> dict[str, bytes]:
    """The bytes at those of ``paths`` where there are any; of which one cannot be read, and why.

    Raises:
        StorageError: none can be read.
    """
    try:
        return storage.read_present(paths)
    except StorageError as error:
        found, problems = {}, []
        for path in paths:
            try:
                found.update(storage.read_present([path]))
            except StorageError as problem:
                problems.append(RunError(path.partition("/")[0], str(problem)))
        if len(problems) == len(paths):
            raise error.with_traceback(None) from None
        failed += problems
        return found
