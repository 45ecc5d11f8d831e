"""What happens in a search, one event a step, and how events stand in files.

The loop's whole course follows from these events: which sample was drawn under which number, what
its trial came to, in the order in which the driver did it. Samples and results are in them as the
bytes that travelled to and from the worker, so journaling pickles nothing twice.

A journal is a chain of segments. A driver numbers its own from 1, and its first one names the
segment of an earlier driver that it follows; whatever that driver wrote after it, stopped and
woken too late, is in nobody's chain. Segments that lie next to each other may be joined in one
file, a part. Any prefix of the chain is a state in which the search once was.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hyn_k8s.errors import RunError
from hyn_k8s.search.claims import Place
from hyn_k8s.search.outcome import Failure
from hyn_k8s.search.site import Blob

FORMAT_VERSION = 1


class Asked(NamedTuple):
    """A trial was begun."""

    number: int
    sample: bytes
    known: int
    """How many trials the history had."""


class Twin(NamedTuple):
    """A sample was drawn that equals one in flight."""

    number: int
    of: int


class Skipped(NamedTuple):
    """A sample was drawn that equals one told before."""

    number: int
    of: int
    """The earlier trial's place in the history, which may hold those of other searches."""


class Stored(NamedTuple):
    """A sample was drawn whose result the trial store has."""

    number: int
    sample: bytes
    hit: bytes
    """Pickled: reward, elapsed, model_file, succeeded, memo, iteration_scores."""


class Unsampled(NamedTuple):
    """The searcher raised instead of giving a sample."""

    number: int
    failure: Failure


class Exhausted(NamedTuple):
    """The searcher has no more samples."""

    number: int


class Lost(NamedTuple):
    """A trial lost its worker, or its process, and begins again."""

    number: int
    begun: bool
    """Whether it is known to have begun there."""
    process: bool = False
    """Whether only its process ended."""


class Told(NamedTuple):
    """A trial ended."""

    number: int
    result: bytes | Blob
    """The pickled Outcome, or where it is."""
    random_numbers: bytes | None = None
    """Their state afterwards, of a trial in the driver's own process, which may have drawn some."""


class Stopped(NamedTuple):
    """A callback ended the search."""

    after: int
    """So many events before this one count; later ones were not reported to anybody."""


Event = Asked | Twin | Skipped | Stored | Unsampled | Exhausted | Lost | Told | Stopped


@dataclass(frozen=True)
class Segment:
    """Events that became durable together."""

    place: Place
    follows: Place | None
    """The end of the chain when the driver of this epoch began; in its first segment only."""
    elapsed: float
    """Seconds for which drivers have run the search, all of them together."""
    events: tuple[Event, ...]


@dataclass(frozen=True)
class File:
    """A segment, or a part of several, by its name."""

    name: str
    epoch: int
    first: int
    last: int


_NAME = re.compile(r"(\d{6})-(\d{8})(?:-(\d{8}))?\.(seg|part)")


def encode(segment: Segment) -> bytes:
    """The segment as bytes."""
    return join([segment])


def join(segments: Iterable[Segment]) -> bytes:
    """Several segments as one part's bytes."""
    fields = [(each.place, each.follows, each.elapsed, each.events) for each in segments]
    return pickle.dumps((FORMAT_VERSION, fields), protocol=5)


def adjacent(segments: Iterable[Segment]) -> list[list[Segment]]:
    """The segments in groups of those that follow each other, which one part can hold."""
    groups: list[list[Segment]] = []
    for segment in segments:
        epoch, number = segment.place
        if groups and groups[-1][-1].place == (epoch, number - 1):
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def decode(run: str, data: bytes) -> list[Segment]:
    """The segments of a segment's or a part's bytes.

    Raises:
        RunError: a later version of hyn-k8s wrote them.
    """
    version, segments = pickle.loads(data)
    if version > FORMAT_VERSION:
        problem = f"its journal has format {version}, this hyn-k8s reads {FORMAT_VERSION}"
        raise RunError(run, f"{problem}; use the version that began it, or a later one")
    return [Segment(*fields) for fields in segments]


def files_to_read(names: Iterable[str]) -> list[File]:
    """The files that hold each segment once: a part makes the segments it joined redundant."""
    found = [_file(name) for name in names]
    chosen: list[File] = []
    # Of those that begin alike the longest comes first.
    for file in sorted((f for f in found if f), key=lambda f: (f.epoch, f.first, -f.last)):
        last = chosen[-1] if chosen else None
        if last is None or last.epoch != file.epoch or file.last > last.last:
            chosen.append(file)
    return chosen


def _file(name: str) -> File | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    first = int(match[2])
    return File(name, int(match[1]), first, int(match[3] or first))


class IncompleteError(RunError):
    """A segment that counts is not seen. It may be there: a listing shows what was, not what is."""


def chain(run: str, segments: Mapping[Place, Segment]) -> list[Segment]:
    """The segments that count, in their order.

    Raises:
        IncompleteError: one that counts is missing.
    """
    epochs = sorted({place.epoch for place in segments if place.number == 1}, reverse=True)
    if not epochs:
        return []
    end: Place | None = _end(segments, epochs[0])
    backwards: list[Segment] = []
    while end is not None:
        for number in range(end.number, 0, -1):
            segment = segments.get(Place(end.epoch, number))
            if segment is None:
                problem = f"its journal lacks the segment {number} of the driver {end.epoch}"
                raise IncompleteError(run, problem, "begin anew with --restart")
            backwards.append(segment)
        end = backwards[-1].follows
    return backwards[::-1]


def _end(segments: Mapping[Place, Segment], epoch: int) -> Place:
    """The last of the segments of ``epoch`` that follow each other without a gap."""
    number = 1
    while Place(epoch, number + 1) in segments:
        number += 1
    return Place(epoch, number)
