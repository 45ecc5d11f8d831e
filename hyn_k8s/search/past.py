"""What a search's journal holds, read back: the events that count, and the latest state.

Reading needs no hold on the run. Whoever reads while its driver is alive sees some moment of it:
the driver only adds segments, and joins earlier ones in parts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import stamina

from hyn_k8s.errors import StorageError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search.claims import Place, latest_epoch
from hyn_k8s.search.events import Event, IncompleteError, Segment, chain, decode, files_to_read
from hyn_k8s.search.storage import Storage

VISIBLE_WITHIN_SECONDS = 90.0
"""How long what is durable may be unseen here: directories are cached for up to a minute."""


@dataclass(frozen=True)
class Past:
    """What a search's journal holds."""

    events: tuple[Event, ...] = ()
    end: Place | None = None
    elapsed: float = 0.0
    """Seconds for which drivers ran the search."""
    loose: tuple[Segment, ...] = ()
    """The segments that are in no part yet."""
    state: bytes | None = None
    """The latest checkpoint, and"""
    position: int = 0
    """after how many events it was made."""


def read_past(storage: Storage, paths: SearchPaths, least: Place | None = None) -> Past:
    """What the journal of a search holds; nothing of a search that has none.

    ``least`` is a place up to which it is known to be durable. A listing may be older than that:
    an NFS client answers from what it saw half a minute ago.

    Raises:
        RunError: it is damaged, or of a later version.
        StorageError: it cannot be read, or not up to ``least`` within VISIBLE_WITHIN_SECONDS.
    """
    looks = stamina.RetryingCaller(
        attempts=None, timeout=VISIBLE_WITHIN_SECONDS, wait_initial=0.1, wait_max=2.0
    )
    try:
        return looks((_NotYetVisible, IncompleteError), _read_whole, storage, paths, least)
    except _NotYetVisible as error:
        raise StorageError(storage.url, str(error)) from None


class _NotYetVisible(Exception):
    """The storage does not show all that is known to be there; another look may."""


def _read_whole(storage: Storage, paths: SearchPaths, least: Place | None) -> Past:
    try:
        past = _read_past(storage, paths)
    except FileNotFoundError:
        # Its driver is alive and has joined segments meanwhile, or the listing is an old one.
        problem = f"{paths.journal} changes faster than it can be read"
        raise _NotYetVisible(problem) from None
    if least is not None and (past.end is None or past.end < least):
        seen = "nothing" if past.end is None else f"{past.end.number} of {past.end.epoch}"
        problem = f"{paths.journal} does not show segment {least.number} of {least.epoch} yet"
        raise _NotYetVisible(f"{problem}, only {seen}; is it the whole directory?")
    return past


def _read_past(storage: Storage, paths: SearchPaths) -> Past:
    names = storage.list(paths.journal)
    files = files_to_read(names)
    contents = storage.read_all([f"{paths.journal}/{file.name}" for file in files])
    found: dict[Place, Segment] = {}
    joined: set[Place] = set()
    for file, data in zip(files, contents, strict=True):
        for segment in decode(paths.run, data):
            found[segment.place] = segment
            if file.name.endswith(".part"):
                joined.add(segment.place)
    segments = chain(paths.run, _with_unlisted(storage, paths, found))
    events = tuple(event for segment in segments for event in segment.events)
    past = Past(
        events=events,
        end=segments[-1].place if segments else None,
        elapsed=segments[-1].elapsed if segments else 0.0,
        loose=tuple(each for each in segments if each.place not in joined),
    )
    return _with_state(storage, paths, past, names, _ends(segments))


def _with_unlisted(
    storage: Storage, paths: SearchPaths, found: dict[Place, Segment]
) -> dict[Place, Segment]:
    """``found``, with the segments after the last one that no listing shows yet, by their names."""
    last = max((place.epoch for place in found), default=1)
    following = {
        epoch: max((place.number for place in found if place.epoch == epoch), default=0) + 1
        for epoch in range(last, latest_epoch(storage, paths.run) + 1)
    }
    while following:
        files = {paths.segment(epoch, number): epoch for epoch, number in following.items()}
        there = storage.read_present(list(files))
        for data in there.values():
            found.update({segment.place: segment for segment in decode(paths.run, data)})
        following = {files[path]: following[files[path]] + 1 for path in there}
    return found


def _ends(segments: list[Segment]) -> dict[int, int]:
    """How many events there were at the end of each epoch of the chain."""
    ends: dict[int, int] = {}
    count = 0
    for segment in segments:
        count += len(segment.events)
        ends[segment.place.epoch] = count
    return ends


def _with_state(
    storage: Storage, paths: SearchPaths, past: Past, names: list[str], ends: dict[int, int]
) -> Past:
    """``past`` with the latest state that some driver made of events which still count."""
    states = []
    for name in names:
        stem, _, ending = name.rpartition(".")
        if ending == "state":
            epoch, position = (int(part) for part in stem.split("-"))
            if position <= ends.get(epoch, 0) or position == 0:
                states.append((position, epoch, name))
    if not states:
        return past
    position, _, name = max(states)
    state = storage.read(f"{paths.journal}/{name}")
    return dataclasses.replace(past, state=state, position=position)
