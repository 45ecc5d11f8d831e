"""Events in files: what was written is read, each event once, in the order of the drivers.

A journal is written by one driver after the other, each of which may die at any moment or wake up
too late. Whatever lies there, what is read is a state in which the search once was.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping

import pytest

from hyn_k8s.errors import RunError
from hyn_k8s.paths import SearchPaths
from hyn_k8s.search.claims import Place
from hyn_k8s.search.events import (
    FORMAT_VERSION,
    Asked,
    Event,
    Exhausted,
    Lost,
    Segment,
    Skipped,
    Stopped,
    Stored,
    Told,
    Twin,
    Unsampled,
    adjacent,
    chain,
    decode,
    encode,
    files_to_read,
    join,
)
from hyn_k8s.search.outcome import Failure
from hyn_k8s.search.site import Blob

PATHS = SearchPaths("heart-1", 1)

ONE_OF_EACH: tuple[Event, ...] = (
    Asked(1, b"a sample", 0),
    Twin(2, 1),
    Skipped(3, 7),
    Stored(4, b"a sample", b"a hit"),
    Unsampled(5, Failure("ValueError: no", "Traceback\nValueError: no")),
    Lost(1, begun=True),
    Told(1, b"a result", b"random numbers"),
    Told(6, Blob("heart-1/search-1/results/00006_abc.pkl", 3, "abc")),
    Exhausted(7),
    Stopped(8),
)


def segment(
    epoch: int, number: int, *events: Event, follows: tuple[int, int] | None = None
) -> Segment:
    end = None if follows is None else Place(*follows)
    return Segment(Place(epoch, number), end, 1.5, events)


def segments(epoch: int, last: int, follows: tuple[int, int] | None = None) -> list[Segment]:
    """The segments 1 to ``last`` of a driver, each with one event that names it."""
    return [
        segment(epoch, n, Asked(100 * epoch + n, b"", 0), follows=follows if n == 1 else None)
        for n in range(1, last + 1)
    ]


def chained(*written: Segment) -> list[int]:
    """The numbers of the events that count."""
    by_place = {each.place: each for each in written}
    return [number_of(event) for each in chain("heart-1", by_place) for event in each.events]


def number_of(event: Event) -> int:
    assert isinstance(event, Asked)
    return event.number


def chosen(*names: str) -> list[str]:
    return [file.name for file in files_to_read(names)]


class TestBytes:
    @pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
    def test_each_event_is_read_as_it_was_written(self, event: Event) -> None:
        (read,) = decode("heart-1", encode(segment(1, 1, event)))
        assert read.events == (event,)
        assert type(read.events[0]) is type(event)

    def test_a_segment_keeps_its_place_and_what_it_follows(self) -> None:
        written = segment(2, 1, *ONE_OF_EACH, follows=(1, 9))
        assert decode("heart-1", encode(written)) == [written]

    def test_a_part_has_its_segments_one_by_one(self) -> None:
        written = [segment(1, n, *ONE_OF_EACH) for n in (1, 2, 3)]
        assert decode("heart-1", join(written)) == written

    @pytest.mark.parametrize("written", [encode(segment(1, 1)), join([segment(1, 1)])])
    def test_what_a_later_version_wrote_is_refused_in_a_sentence(self, written: bytes) -> None:
        _, content = pickle.loads(written)
        with pytest.raises(RunError) as caught:
            decode("heart-1", pickle.dumps((FORMAT_VERSION + 1, content)))
        assert str(caught.value) == (
            f"run heart-1: its journal has format {FORMAT_VERSION + 1}, this hyn-k8s reads "
            f"{FORMAT_VERSION}; use the version that began it, or a later one"
        )


class TestFilesToRead:
    def test_segments_come_in_their_order(self) -> None:
        assert chosen("000002-00000001.seg", "000001-00000002.seg", "000001-00000001.seg") == [
            "000001-00000001.seg",
            "000001-00000002.seg",
            "000002-00000001.seg",
        ]

    def test_what_is_no_piece_of_a_journal_is_left_alone(self) -> None:
        others = ["000001-0000000003.state", "000001-00000001.seg.bak", "notes.txt", "1-1.seg"]
        assert chosen("000001-00000001.seg", *others) == ["000001-00000001.seg"]

    def test_a_part_makes_its_segments_redundant(self) -> None:
        """They are there together when a driver dies between writing one and deleting others."""
        names = [f"000001-{n:08d}.seg" for n in range(1, 6)]
        part = "000001-00000002-00000004.part"
        assert chosen(part, *names) == [names[0], part, names[4]]

    def test_some_segments_of_a_part_may_be_gone_already(self) -> None:
        part = "000001-00000001-00000003.part"
        assert chosen("000001-00000003.seg", part) == [part]

    def test_a_part_of_one_segment_replaces_it(self) -> None:
        part = "000001-00000001-00000001.part"
        assert chosen(*sorted(["000001-00000001.seg", part])) == [part]

    def test_a_longer_part_makes_a_shorter_one_redundant(self) -> None:
        shorter, longer = "000001-00000001-00000003.part", "000001-00000001-00000005.part"
        assert chosen(shorter, longer) == [longer]
        assert chosen("000001-00000002-00000004.part", longer) == [longer]

    def test_a_part_is_of_one_driver_only(self) -> None:
        part, other = "000001-00000001-00000009.part", "000002-00000001.seg"
        assert chosen(part, other) == [part, other]


class TestChain:
    def test_nothing_is_read_of_nothing(self) -> None:
        assert chain("heart-1", {}) == []

    def test_each_driver_goes_on_where_the_one_before_it_ended(self) -> None:
        written = [*segments(1, 3), *segments(2, 1, follows=(1, 3)), *segments(3, 2, (2, 1))]
        assert chained(*written) == [101, 102, 103, 201, 301, 302]

    def test_what_a_driver_wrote_after_it_was_overtaken_does_not_count(self) -> None:
        written = [*segments(1, 5), *segments(2, 2, follows=(1, 3))]
        assert chained(*written) == [101, 102, 103, 201, 202]

    def test_nor_does_anything_of_one_that_had_written_nothing_by_then(self) -> None:
        assert chained(*segments(1, 2), *segments(2, 2)) == [201, 202]

    def test_a_driver_that_wrote_nothing_leaves_no_gap(self) -> None:
        assert chained(*segments(1, 2), *segments(4, 1, follows=(1, 2))) == [101, 102, 401]

    def test_a_segment_that_counts_and_is_missing_is_told(self) -> None:
        written = [each for each in segments(1, 3) if each.place.number != 2]
        with pytest.raises(RunError) as caught:
            chained(*written, *segments(2, 1, follows=(1, 3)))
        assert str(caught.value) == (
            "run heart-1: its journal lacks the segment 2 of the driver 1; "
            "begin anew with --restart"
        )

    def test_a_driver_that_is_missing_altogether_is_told(self) -> None:
        with pytest.raises(RunError, match="lacks the segment 3 of the driver 1"):
            chained(*segments(2, 1, follows=(1, 3)))

    def test_the_latest_driver_counts_up_to_its_first_gap(self) -> None:
        """What comes after it was never durable as a whole, so nobody was told of it."""
        written = [each for each in segments(1, 5) if each.place.number != 3]
        assert chained(*written) == [101, 102]


class TestAdjacent:
    def test_only_neighbours_of_one_driver_stand_together(self) -> None:
        written = [*segments(1, 5), *segments(2, 2)]
        del written[2]
        groups = [[each.place for each in group] for group in adjacent(written)]
        assert groups == [[(1, 1), (1, 2)], [(1, 4), (1, 5)], [(2, 1), (2, 2)]]

    def test_nothing_has_no_groups(self) -> None:
        assert adjacent([]) == []


def read(files: Mapping[str, bytes]) -> list[int]:
    """The numbers of the events that ``files`` hold."""
    found: dict[Place, Segment] = {}
    for file in files_to_read(files):
        found.update((each.place, each) for each in decode("heart-1", files[file.name]))
    return chained(*found.values())


@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_moment_drivers_leave_a_journal_that_only_grows(seed: int) -> None:
    """Several drivers in turn write segments, join some, delete what they joined, and die."""
    chance = random.Random(seed)
    files: dict[str, bytes] = {}
    durable: list[int] = []

    def name(path: str) -> str:
        return path.rpartition("/")[2]

    end: tuple[int, int] | None = None
    for epoch in range(1, 5):
        loose: list[Segment] = []
        for number in range(1, chance.randint(0, 12) + 1):
            events = tuple(
                Asked(len(durable) + n, b"", 0) for n in range(1, chance.randint(1, 3) + 1)
            )
            written = segment(epoch, number, *events, follows=end if number == 1 else None)
            files[name(PATHS.segment(epoch, number))] = encode(written)
            durable += [event.number for event in events]
            assert read(files) == durable
            loose.append(written)
            if chance.random() < 0.3:
                first, last = loose[0].place.number, loose[-1].place.number
                files[name(PATHS.part(epoch, first, last))] = join(loose)
                assert read(files) == durable
                redundant = chance.sample(loose, chance.randint(0, len(loose)))
                for each in redundant:
                    del files[name(PATHS.segment(*each.place))]
                    assert read(files) == durable
                loose = []
        end = max((p for p in _places(files) if p[0] == epoch), default=end)


def _places(files: Mapping[str, bytes]) -> list[tuple[int, int]]:
    return [each.place for data in files.values() for each in decode("heart-1", data)]


@pytest.mark.parametrize("joined", [True, False], ids=["parts", "segments"])
def test_of_the_first_files_of_a_journal_the_first_events_are_read(joined: bool) -> None:
    written = [*segments(1, 6), *segments(2, 3, follows=(1, 6)), *segments(3, 4, follows=(2, 3))]
    groups = [written[n : n + 2] for n in range(0, 6, 2)] if joined else [[s] for s in written[:6]]
    groups += [[each] for each in written[6:]]
    files = {}
    for group in groups:
        (epoch, first), (_, last) = group[0].place, group[-1].place
        path = PATHS.part(epoch, first, last) if joined else PATHS.segment(epoch, first)
        files[path.rpartition("/")[2]] = join(group)
    everything = read(files)
    assert len(everything) == 13
    for count in range(len(files) + 1):
        some = dict(list(files.items())[:count])
        found = read(some)
        assert found == everything[: len(found)]
        assert len(found) == sum(len(group) for group in groups[:count])
