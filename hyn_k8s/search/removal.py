"""The one module that deletes: files that a run wrote, one by one, and nothing else.

A run's directory lies below a root that is the user's, next to data, notebooks and other people's
files, and some of these may lie in it. So nothing is deleted because of where it is: every file is
listed, and only one that ``paths`` says a run writes goes. Links are not followed. A directory goes
when nothing is left in it.

Whoever deletes drives the run, which the storage given makes sure of (``fencing``).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence, Set

from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search.files import whole_name
from hyn_k8s.search.storage import Storage


def remove_search(storage: Storage, paths: SearchPaths, epoch: int) -> None:
    """Remove what the driver ``epoch`` wrote of a search that did not get past its preparation."""
    _remove(storage, paths.passing(epoch), RunPaths(paths.run).owns)
    storage.delete_all([paths.identity(epoch), paths.hyper_model(epoch)])
    remove_arrays(storage, paths)
    for directory in (paths.models, paths.journal, paths.directory):
        storage.remove_directory(directory)


def remove_new_run(storage: Storage, run: str, epoch: int) -> None:
    """Remove all of a run that has come to nothing, but for the claim of its driver, ``epoch``.

    The claim is the last to go, by ``remove_claim``: until then nobody else takes the name.
    """
    paths = RunPaths(run)
    last = {paths.manifest, paths.driver(epoch)}
    _remove(storage, run, lambda file: paths.owns(file) and file not in last, [paths.proof])
    storage.delete(paths.manifest)


def remove_claim(storage: Storage, run: str, epoch: int) -> None:
    """Remove the claim of the driver ``epoch``, after which the run may be anybody's."""
    paths = RunPaths(run)
    storage.delete(paths.driver(epoch))
    storage.remove_directory(paths.drivers)
    storage.remove_directory(run)


def remove_proof(storage: Storage, run: str) -> None:
    """Remove what driver and workers proved their storage with."""
    _remove(storage, RunPaths(run).proof, RunPaths(run).owns)


def remove_arrays(storage: Storage, paths: SearchPaths, kept: str = "") -> None:
    """Remove the large arrays of the search's data, but for the file ``kept``."""
    _delete_arrays(storage, paths, storage.list(paths.directory), kept)


def _delete_arrays(
    storage: Storage, paths: SearchPaths, names: Sequence[str], kept: str = ""
) -> None:
    """Delete the files of arrays among the ``names`` in the search's directory."""
    owns = RunPaths(paths.run).owns
    files = [f"{paths.directory}/{name}" for name in names if name.startswith("data-")]
    storage.delete_all([file for file in files if owns(file) and file != kept])


def remove_passing(storage: Storage, paths: SearchPaths, is_finished: bool = False) -> None:
    """Remove what trials read while the search runs, of this driver and of earlier ones.

    Large arrays stay until it ``is_finished``: a driver that resumes it does not write them again.
    """
    names = storage.list(paths.directory)
    if is_finished:
        _delete_arrays(storage, paths, names)
    for name in names:
        if name in ("known", "data.pkl") or name.startswith("driver-"):
            _remove(storage, f"{paths.directory}/{name}", RunPaths(paths.run).owns)


def remove_earlier(storage: Storage, paths: SearchPaths, epoch: int) -> None:
    """Remove what earlier drivers than ``epoch`` wrote that only they and their trials read."""
    if epoch == 1:
        return  # there is no earlier one, and on S3 a listing costs a request
    run, names = RunPaths(paths.run), storage.list(paths.directory)
    for name in names:
        if name.startswith("driver-") and name < posixpath.basename(paths.passing(epoch)):
            _remove(storage, f"{paths.directory}/{name}", run.owns)
    kept = {paths.identity(epoch), paths.hyper_model(epoch)}
    every = [f"{paths.directory}/{n}" for n in names if n.startswith(("search", "hyper-model"))]
    storage.delete_all([path for path in every if run.owns(path) and path not in kept])


def remove_uncommitted(storage: Storage, paths: SearchPaths, committed: Set[str]) -> None:
    """Remove what executions left that were never accepted: lost workers, stopped trials.

    ``committed`` holds the accepted models, and the accepted values of memos. A model may have
    files beside it, or be a directory.
    """

    def is_uncommitted(file: str) -> bool:
        name, ending, _ = file.removeprefix(f"{paths.models}/").partition(".pkl")
        model = f"{paths.models}/{name}{ending}"
        return RunPaths(paths.run).owns(file) and model not in committed

    def is_uncommitted_values(file: str) -> bool:
        return RunPaths(paths.run).owns(file) and file not in committed

    _remove(storage, paths.models, is_uncommitted)
    storage.make_directory(paths.models)
    _remove(storage, paths.all_values, is_uncommitted_values)
    _remove(storage, paths.outcomes, RunPaths(paths.run).owns)


def remove_partial_files(storage: Storage, run: str, epoch: int) -> None:
    """Remove what drivers before ``epoch`` left half written, that were killed meanwhile.

    Claims are let alone: another driver may be writing one.
    """
    if storage.settings.kind != "file":
        return  # elsewhere a file is there as a whole or not at all
    paths = RunPaths(run)
    searches = [found for name in storage.list(run) if (found := paths.search_named(name))]
    earlier = [f"{s.passing(before)}" for s in searches for before in range(1, epoch)]
    own = [d for s in searches for d in (s.directory, s.journal, s.logs)]
    directories = [run, *own, *earlier]
    storage.delete_all(
        [
            f"{directory}/{name}"
            for directory in directories
            for name in storage.list_all(directory)
            if (whole := whole_name(name)) and paths.owns(f"{directory}/{whole}")
        ]
    )


def _remove(
    storage: Storage, top: str, goes: Callable[[str], bool], also: Sequence[str] = ()
) -> None:
    """Delete each file below ``top`` that ``goes``, whole or in part, then what that empties.

    ``also`` names directories that go too if they are empty, though nothing was deleted in them.
    """
    going = [file for file in storage.list_files(top) if goes(_whole(file))]
    storage.delete_all(going)
    emptied = {top, *also, *(above for file in going for above in _directories(file, top))}
    for directory in sorted(emptied, key=len, reverse=True):
        storage.remove_directory(directory)


def _whole(file: str) -> str:
    """``file``, or the one that it is a part of."""
    directory, slash, name = file.rpartition("/")
    return f"{directory}{slash}{whole_name(name) or name}"


def _directories(file: str, top: str) -> Iterator[str]:
    """The directories between ``file`` and ``top``."""
    directory = posixpath.dirname(file)
    while len(directory) > len(top):
        yield directory
        directory = posixpath.dirname(directory)
