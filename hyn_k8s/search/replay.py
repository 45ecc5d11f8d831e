"""A search brought back to where its journal ends.

Up to the latest checkpoint the history is rebuilt from samples and results as they stand in the
journal, and the searcher gets its state. From there on every event is done again: the searcher
draws, and since it has the same state and the same random numbers it draws what it drew before,
and is told what it was told. Should it draw something else, because a script's space depends on
something that is nobody's state, the journal's sample is the one that counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from hyn_k8s.errors import RunError
from hyn_k8s.search import checkpoint, seeding, shipping
from hyn_k8s.search.events import (
    Asked,
    Event,
    Exhausted,
    Lost,
    Skipped,
    Stopped,
    Stored,
    Told,
    Twin,
    Unsampled,
)
from hyn_k8s.search.outcome import Outcome, read_outcome
from hyn_k8s.search.past import Past
from hyn_k8s.search.site import Blob, Site
from hyn_k8s.search.state import Report, SearchState
from hyn_k8s.search.storage import Storage

READ_BYTES = 16 * 1024 * 1024
"""How many bytes of large results are read ahead: resuming needs as much memory as running."""

logger = logging.getLogger("hyn_k8s")


class Replay:
    """Applies the events of ``past`` to ``state``; the searcher is as the script has made it.

    ``draw`` draws a sample as the loop does.
    """

    def __init__(
        self,
        run: str,
        state: SearchState,
        past: Past,
        storage: Storage,
        anchors: checkpoint.Anchors,
        draw: Callable[[], Any],
        failed_reward: Any,
    ) -> None:
        self._run = run
        self._state = state
        self._past = past
        self._storage = storage
        self._anchors = anchors
        self._draw = draw
        self._failed_reward = failed_reward
        self._asking = False
        """Whether the searcher takes part: from the checkpoint on."""
        self._differed = False
        self.samples: dict[int, Any] = {}
        """The sample of each number that the searcher may hold on to."""
        self.reports: list[tuple[int, Report]] = []
        """What has been reported, in its order, each with how many events there were then."""
        self.workers_lost = 0
        self.processes_lost = 0
        self._index = 0

    def run(self) -> None:
        """Apply all events that count.

        Raises:
            StorageError: a result that the journal refers to cannot be read.
            RunError: the script has changed so much that the searcher's state does not fit it.
        """
        events = self._counting()
        results = self._results(events)
        position = self._past.position if self._past.state is not None else 0
        for index, event in enumerate(events):
            if index == position:
                self._restore()
            self._index = index + 1
            self._apply(event, results)
        for asked in self._state.in_flight.values():
            asked.resumed = True
        if len(events) <= position:
            self._restore()
        if any(isinstance(event, Stopped) for event in self._past.events):
            self._state.stop()

    def _counting(self) -> tuple[Event, ...]:
        """The events without those that came after the one at which a callback stopped."""
        events = self._past.events
        after = next((event.after for event in events if isinstance(event, Stopped)), len(events))
        return events[:after]

    def _results(self, events: tuple[Event, ...]) -> Iterator[bytes]:
        """The results in files of their own, in the order told; a few of them at a time."""
        told = (event.result for event in events if isinstance(event, Told))
        group: list[Blob] = []
        for blob in (result for result in told if isinstance(result, Blob)):
            if group and sum(each.size for each in (*group, blob)) > READ_BYTES:
                yield from self._read(group)
                group = []
            group.append(blob)
        yield from self._read(group)

    def _read(self, blobs: list[Blob]) -> list[bytes]:
        try:
            return self._storage.read_all([each.path for each in blobs])
        except FileNotFoundError:  # not yet seen on this node, or gone
            return [Site(self._storage).blob(each) for each in blobs]

    def _restore(self) -> None:
        """From here on the searcher takes part."""
        self._asking = True
        if self._past.state is None:
            return
        self._load_samples(self._past.position)
        try:
            checkpoint.restore(self._past.state, self._state.searcher, self._anchors, self.samples)
        except Exception as error:
            problem = f"its searcher's state does not fit this script any more ({error!r})"
            cure = "choose another name, or begin anew with --restart"
            raise RunError(self._run, problem, cure) from error

    def _load_samples(self, count: int) -> None:
        """Samples that the state may hold although a stop has made their trials void."""
        for event in self._past.events[:count]:
            if isinstance(event, (Asked, Stored)) and event.number not in self.samples:
                self.samples[event.number] = shipping.loads(event.sample, replace=False)

    def _apply(self, event: Event, results: Iterator[bytes]) -> None:
        state = self._state
        if isinstance(event, Told):
            self._tell(event, results)
        elif isinstance(event, Lost):
            self.workers_lost += not event.process
            self.processes_lost += event.process
            state.in_flight[event.number].lose_worker(event.begun)
        elif not isinstance(event, Stopped):
            state.following = event.number + 1
            self._ask(event)

    def _ask(self, event: Asked | Twin | Skipped | Stored | Unsampled | Exhausted) -> None:
        state, number = self._state, event.number
        drawn = self._drawn()
        if isinstance(event, Asked):
            sample = self._sample(event, drawn)
            vectors = tuple(sample.vectors)
            state.ask(number, sample, vectors, event.sample, event.known)
        elif isinstance(event, Stored):
            sample = self._sample(event, drawn)
            self._add(state.take_hit(number, sample, event.hit, self._asking))
        elif isinstance(event, Twin):
            first = state.in_flight[event.of]
            first.twins.append((number, first.sample if drawn is None else drawn))
        elif isinstance(event, Skipped):
            known = state.history.trials[event.of]
            sample = known.space_sample if drawn is None else drawn
            self._add(state.skip(number, sample, known))
        elif isinstance(event, Unsampled):
            self._add(state.lose(number, event.failure))
        else:
            state.exhausted = True

    def _add(self, *reports: Report) -> None:
        self.reports += [(self._index, report) for report in reports]

    def _drawn(self) -> Any:
        """What the searcher draws at this place; None before the checkpoint, or if it raises."""
        if not self._asking:
            return None
        try:
            return self._draw()
        except Exception:  # it did so before: the event says what came of it
            return None

    def _sample(self, event: Asked | Stored, drawn: Any) -> Any:
        """The sample of ``event``; the searcher's own one, if it drew the same again."""
        sample = shipping.loads(event.sample, replace=False)
        if drawn is not None and list(drawn.vectors) == list(sample.vectors):
            sample = drawn
        elif self._asking and not self._differed:
            self._differed = True
            logger.warning(
                "Trial %d: the searcher draws another sample than it did before; trials of the "
                "journal count as they are, and later samples may differ from those of a search "
                "that was never interrupted",
                event.number,
            )
        self.samples[event.number] = sample
        return sample

    def _tell(self, event: Told, results: Iterator[bytes]) -> None:
        result = event.result if isinstance(event.result, bytes) else next(results)
        outcome: Outcome = read_outcome(event.number, result, self._failed_reward)
        self._add(*self._state.tell(outcome, self._asking))
        if event.random_numbers is not None and self._asking:
            seeding.restore_random_numbers(event.random_numbers)


def is_over(past: Past, max_trials: int) -> bool:
    """Whether there is nothing left to ask or to wait for."""
    events = past.events
    if any(isinstance(event, Stopped) for event in events):
        return True
    told = {event.number for event in events if isinstance(event, Told)}
    waiting = any(isinstance(event, Asked) and event.number not in told for event in events)
    asked = [event.number for event in events if not isinstance(event, (Told, Lost, Stopped))]
    exhausted = any(isinstance(event, Exhausted) for event in events)
    return not waiting and (exhausted or max(asked, default=0) >= max_trials)
