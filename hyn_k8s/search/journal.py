"""The journal of a search on the run's storage, written behind the loop's back.

The loop appends events and goes on; a thread writes whatever has gathered as one segment, and
while that write takes its time (a sync on a disk, 50 ms on S3) the next events gather. So a slow
storage makes longer segments, not a slower search; and on a fast one, where nobody waits for them,
events of trials that take milliseconds are given a moment to gather. ``durable`` says how many
events can no longer be lost; only those are shown to anybody.

Before and after each segment the driver makes sure that it still drives the run (``lease``): one
that was overtaken reports nothing any more. Now and then the thread joins its segments in a part
and puts the searcher's state beside it, so that resuming reads few files and repeats little; a part
is also made of what would take too much of the driver's memory until then.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hyn_k8s.errors import HynError, StorageError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search.claims import Place
from hyn_k8s.search.events import Event, Segment, Told, adjacent, encode, join
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.outcome import LARGE_RESULT
from hyn_k8s.search.past import Past
from hyn_k8s.search.site import Blob
from hyn_k8s.search.storage import Storage

GATHER_SECONDS = 0.02
"""How long the first event of a segment waits at most for others. A segment costs 0.8 ms of the
driver's processor, as much as all else that a trial of no length costs it."""

JOINED_BYTES = 2 * 1024 * 1024
"""About how large segments get before they are joined: until then the driver holds their events."""

CHECKPOINT_SECONDS = 10.0
CHECKPOINT_SHARE = 0.02
"""The least time between two checkpoints, in seconds and as a part of the search's time so far,
which keeps the number of parts small however long a search runs."""

WAIT_SECONDS = 60.0
"""How long to wait for the thread beyond the storage's patience, after which it gives up itself:
a write that neither fails nor ends, as on a hanging mount, ends nothing else."""


@dataclass(frozen=True)
class _Checkpoint:
    position: int
    state: bytes


class Journal:
    """The writing side: one search's events from where ``past`` ends.

    ``wake`` is called in the journal's thread when more events are durable, or none can be.
    """

    def __init__(
        self,
        storage: Storage,
        paths: SearchPaths,
        lease: Lease,
        past: Past,
        wake: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._paths = paths
        self._lease = lease
        self._follows = past.end
        self._end = past.end
        if past.end is not None:
            lease.note_durable(paths.name, past.end)
        self._number = 0
        self._loose = list(past.loose)
        self._loose_bytes = 0
        self._begun = time.monotonic() - past.elapsed
        self._appended = len(past.events)
        self._required = 0
        """How many events somebody waits for, or has."""
        self._closing = False
        """Whether what has gathered is the rest."""
        self.durable = len(past.events)
        """How many events can no longer be lost."""
        self.error: HynError | None = None
        """Why no more events can become durable."""
        self._wake = wake
        self._longest_wait = storage.settings.patience + WAIT_SECONDS
        self._checkpoint_at = time.monotonic()
        self._pause = CHECKPOINT_SECONDS
        self._queue: queue.SimpleQueue[Event | _Checkpoint | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def elapsed(self) -> float:
        """Seconds for which drivers have run the search, this one included."""
        return time.monotonic() - self._begun

    def append(self, event: Event) -> int:
        """Take ``event``; it is durable once ``durable`` has reached the number returned."""
        self._appended += 1
        self._queue.put(event)
        return self._appended

    def require(self, count: int) -> None:
        """Wait until the first ``count`` events are durable.

        Raises:
            RunTakenError: another driver has taken the run over.
            StorageError: the storage was away for too long.
        """
        with self._changed:
            self._required = count
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self.durable >= count or self.error is not None, self._longest_wait
            )
            self.check()
            if self.durable < count:
                problem = f"it did not answer within {self._longest_wait:.0f} s"
                raise StorageError(self._storage.url, problem)

    def check(self) -> None:
        """Raise what keeps the journal from being written, if anything does."""
        if self.error is not None:
            raise self.error.with_traceback(None)

    def is_checkpoint_due(self) -> bool:
        """Whether it is time to give ``add_checkpoint`` the searcher's state."""
        return time.monotonic() - self._checkpoint_at >= self._pause

    def add_checkpoint(self, state: bytes, cost: float) -> None:
        """Keep ``state``, which the searcher has after all events appended so far.

        It took ``cost`` seconds to make, which decides with the search's age when the next is due.
        """
        share = max(self.elapsed * CHECKPOINT_SHARE, cost / CHECKPOINT_SHARE)
        self._pause = max(CHECKPOINT_SECONDS, share)
        self._checkpoint_at = time.monotonic()
        self._queue.put(_Checkpoint(self._appended, state))

    def close(self) -> None:
        """Write what has gathered and stop; the second call does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._queue.put(None)
        self._thread.join(self._longest_wait)

    def _run(self) -> None:
        try:
            while self._write_next():
                pass
        except HynError as error:
            self.fail(error)
        except Exception as error:  # whatever it is, nobody must wait for this thread for ever
            text = f"the journal cannot be written ({type(error).__name__}: {error})"
            self.fail(StorageError(self._storage.url, text))

    def _write_next(self) -> bool:
        """Write what has gathered, as one segment, with the checkpoint that ends it."""
        item = self._queue.get()
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._required > self.durable, GATHER_SECONDS
            )
        events: list[Event] = []
        while item is not None and not isinstance(item, _Checkpoint):
            events.append(item)
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        if events:
            self._write_segment(events)
        if self._loose_bytes > JOINED_BYTES:
            self._storage.delete_all(self._write_parts())
        if isinstance(item, _Checkpoint):
            self._write_checkpoint(item)
        return item is not None

    def _write_segment(self, events: list[Event]) -> None:
        self._lease.require()
        self._number += 1
        place = Place(self._lease.epoch, self._number)
        follows = self._follows if self._number == 1 else None
        kept = tuple(self._without_large_result(event) for event in events)
        segment = Segment(place, follows, self.elapsed, kept)
        encoded = encode(segment)
        self._storage.write(self._paths.segment(*place), encoded)
        self._lease.require()
        self._loose.append(segment)
        self._loose_bytes += len(encoded)
        self._end = place
        self._lease.note_durable(self._paths.name, place)
        if self._number == 1:
            self._lease.renew()  # a successor must know of the search, and not begin it anew
        with self._changed:
            self.durable += len(events)
            self._changed.notify_all()
        self._wake()

    def _without_large_result(self, event: Event) -> Event:
        if not isinstance(event, Told) or not isinstance(event.result, bytes):
            return event
        if len(event.result) < LARGE_RESULT:
            return event
        sha256 = hashlib.sha256(event.result).hexdigest()
        path = self._paths.result(event.number, sha256[:12])
        self._storage.write(path, event.result)
        return event._replace(result=Blob(path, len(event.result), sha256))

    def _write_parts(self) -> list[str]:
        """Write the loose segments as parts; the files that need not be there any more."""
        self._lease.require()
        redundant = []
        for neighbours in adjacent(self._loose):
            (epoch, first), (_, last) = neighbours[0].place, neighbours[-1].place
            self._storage.write(self._paths.part(epoch, first, last), join(neighbours))
            redundant += [self._paths.segment(*each.place) for each in neighbours]
        self._loose.clear()
        self._loose_bytes = 0
        # Before segments go that a successor would find by their names: it looks for the part.
        self._lease.renew()
        return redundant

    def _write_checkpoint(self, checkpoint: _Checkpoint) -> None:
        """Put the state on the storage, join the segments before it, and remove what both replace.

        Anything of it may be missing after a crash: the segments alone are enough.
        """
        self._lease.require()
        # By the driver of the latest event, which need not be this one: so it counts as long as
        # that event does.
        epoch = self._end.epoch if self._end else self._lease.epoch
        path = self._paths.checkpoint(epoch, checkpoint.position)
        self._storage.write(path, checkpoint.state)
        redundant = self._write_parts()
        written = path.rpartition("/")[2]
        owns = RunPaths(self._paths.run).owns
        for name in self._storage.list(self._paths.journal):
            if name.endswith(".state") and name < written and owns(f"{self._paths.journal}/{name}"):
                redundant.append(f"{self._paths.journal}/{name}")
        self._storage.delete_all(redundant)

    def fail(self, error: HynError) -> None:
        """Nothing becomes durable any more, because of ``error``; the first one counts."""
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()
        self._wake()
