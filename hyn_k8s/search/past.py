"""What a search's journal holds, read back: the events that count, and the latest state.

Reading needs no hold on the run. Whoever reads while its driver is alive sees some moment of it:
the driver only adds segments, and joins earlier ones in parts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hyn_k8s.errors import StorageError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search.events import Event, Place, Segment, chain, decode, files_to_read
from hyn_k8s.search.storage import Storage


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


def read_past(storage: Storage, paths: SearchPaths) -> Past:
    """What the journal of a search holds; nothing of a search that has none.

    Raises:
        RunError: it is damaged, or of a later version.
        StorageError: it cannot be read.
    """
    for _ in range(10):
        try:
            return _read_past(storage, paths)
        except FileNotFoundError:
            continue  # its driver is alive and has joined segments meanwhile
    raise StorageError(storage.url, f"{paths.journal} changes faster than it can be read")


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
    segments = chain(paths.run, found)
    events = tuple(event for segment in segments for event in segment.events)
    past = Past(
        events=events,
        end=segments[-1].place if segments else None,
        elapsed=segments[-1].elapsed if segments else 0.0,
        loose=tuple(each for each in segments if each.place not in joined),
    )
    return _with_state(storage, paths, past, names, _ends(segments))


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
