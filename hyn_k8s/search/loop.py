"""Ask, submit, tell: the search loop, all in one thread of the driver.

Hypernets' in-process dispatcher is the reference: with one trial in flight, searcher, history and
callbacks see the same calls in the same order, with one stated exception. Where that dispatcher
loses a trial, because something outside the trial's own ``try`` raised, a failed trial is
recorded here. (Nor is a failed trial put into the trial store: upstream puts it, and then loses
that sample in every later search, for want of its model.)

Each step is an event in the journal. A result is *reported*, to callbacks, progress and results,
when its event is durable. With one trial in flight the loop waits for that; with more, the
searcher is told and the slot refilled at once, and the report follows. A callback that stops the
search then makes void what was told after the trial it stopped at: that was reported to nobody.

With more in flight, tells happen in the order in which trials end; an ordered search tells them in
the order of their numbers instead, so that with a seed everything the searcher is asked and told
is the same every time, however long each trial takes.

To be asked and told takes a searcher that learns some dozens of milliseconds, and a free slot is
not to wait for that. So with more in flight, unless the search is ordered, one sample is asked
ahead while nothing else is to be done, and its trial begins before the result is told that made
room for it.

A number is spent by every sample, also by one that is skipped because it was tried before. A
sample that equals one still in flight is skipped when its twin is told. The second such one keeps
its slot until then, so a searcher that insists on one sample cannot burn all numbers while that
sample is trained.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from hyn_k8s.search.execution import Execution
from hyn_k8s.search.journal import Journal
from hyn_k8s.search.listeners import Listeners
from hyn_k8s.search.outcome import Ended, failure_of
from hyn_k8s.search.state import InFlight, Report, SearchState, pickled_hit

logger = logging.getLogger("hyn_k8s")


@dataclass(frozen=True)
class Order:
    """How a search is to go."""

    window: int
    """Trials in flight."""
    ordered: bool
    max_trials: int
    dataset_id: Any
    trial_store: Any
    space_options: dict[str, Any]
    keep_random_numbers: bool
    """Whether trials draw from this process's random numbers, because they run in it."""


class SearchLoop:
    """The loop of one ``search()`` call, from wherever ``state`` is.

    ``report`` takes each trial that has come to something, before callbacks hear of it, and
    ``running`` how many are in flight. ``samples`` are those of earlier drivers, by number.
    """

    def __init__(
        self,
        hyper_model: Any,
        state: SearchState,
        order: Order,
        execution: Execution,
        journal: Journal,
        *,
        anchors: checkpoint.Anchors,
        samples: dict[int, Any],
        report: Callable[[Report], None],
        running: Callable[[int], None],
    ) -> None:
        self._listeners = Listeners(hyper_model, order.dataset_id, order.trial_store)
        self._state = state
        self._order = order
        self._execution = execution
        self._journal = journal
        self._anchors = anchors
        self._samples = samples
        self._report = report
        self._running = running
        self._unreported: deque[tuple[int, list[Report]]] = deque()
        self._reported = journal.durable
        self._early: dict[int, Ended] = {}
        """Of an ordered search: trials that have ended before one with a lower number has."""
        self._waiting: deque[int] = deque()
        """Trials that were asked and have not begun, for want of a slot."""
        self._leave_at: float | None = None
        self._makes_checkpoints = True

    @property
    def is_terminated(self) -> bool:
        """Whether ``terminate`` was called."""
        return self._leave_at is not None

    def terminate(self, grace: float) -> None:
        """Called in a signal handler: begin no trial any more, and leave within ``grace`` s."""
        self._leave_at = time.monotonic() + grace
        self._execution.wake()

    def note_loss(self, number: int, begun: bool, process: bool) -> None:
        """The trial ``number`` has lost its worker, or only its ``process``, and is run again."""
        self._state.in_flight[number].lose_worker(begun)
        self._journal.append(Lost(number, begun, process))

    def run(self, stopped_at: int | None = None) -> int:
        """Run the search; the number after the last trial, as Hypernets' dispatchers return it.

        It returns early, with trials in flight, when it is terminated; and at once if a callback
        has ended the search already, after the first ``stopped_at`` events.

        Raises:
            HynError: the cluster or the storage failed; trials reported so far are recorded.
        """
        from hypernets.core.callbacks import EarlyStoppingError

        if stopped_at is not None:
            self._reported = stopped_at
            self._stop()
            return self._state.following
        is_over = False
        try:
            self._waiting.extend(self._state.in_flight)
            self._begin_waiting()
            self._go_on()
            is_over = not self.is_terminated
        except EarlyStoppingError:
            self._stop()
            is_over = True
        finally:
            self._execution.cancel(stop=is_over)
        self.keep_state()
        return self._state.following

    def _go_on(self) -> None:
        while True:
            self._report_durable()
            while self._is_asking() and self._state.slots_taken < self._order.window:
                self._ask()
            if len(self._state.in_flight) == len(self._waiting) or self._is_leaving():
                self._settle()
                if not self._is_asking():
                    return
                continue
            if self._may_ask_ahead():
                self._ask()
                continue
            ended = self._following()
            if ended is not None:
                self._begin_waiting(ended.outcome.number)
                self._execution.send()  # to tell a searcher that learns takes a while
                self._tell(ended)
                if self._journal.is_checkpoint_due():
                    self.keep_state()

    def _is_asking(self) -> bool:
        return self._leave_at is None and self._state.is_asking(self._order.max_trials)

    def _may_ask_ahead(self) -> bool:
        """Whether one sample more than has a slot is to be asked: there is time for it."""
        if self._order.ordered or self._order.window == 1 or not self._is_asking():
            return False
        return self._state.slots_taken == self._order.window and self._execution.send()

    def _is_leaving(self) -> bool:
        return self._leave_at is not None and time.monotonic() >= self._leave_at

    def _following(self) -> Ended | None:
        """Wait for the trial that is told next to end; None if something else is to be done."""
        first = next(iter(self._state.in_flight)) if self._order.ordered else None
        if first in self._early:
            return self._early.pop(first)
        self._running(len(self._state.in_flight) - len(self._waiting) - len(self._early))
        left = None if self._leave_at is None else max(0.0, self._leave_at - time.monotonic())
        ended = self._execution.next(left)
        self._journal.check()
        if ended is None or first is None or ended.outcome.number == first:
            return ended
        self._early[ended.outcome.number] = ended
        return None

    def _ask(self) -> None:
        number = self._state.spend()
        sample = self._draw(number)
        if sample is None:
            return
        vectors = tuple(sample.vectors)
        known = self._state.known_trial(sample)
        twin = self._state.twin_of(vectors)
        if known is not None:
            event = Skipped(number, self._state.place_of(known))
            self._note(event, [self._state.skip(number, sample, known)])
        elif twin is not None:
            self._state.in_flight[twin].twins.append((number, sample))
            self._note(Twin(number, twin), [])
        elif not self._take_from_store(number, sample):
            self._submit(number, sample, vectors)

    def _draw(self, number: int) -> Any:
        """A sample; None if the searcher gives none."""
        from hypernets.core.callbacks import EarlyStoppingError

        try:
            return self._state.searcher.sample(space_options=self._order.space_options)
        except EarlyStoppingError:
            self._state.exhausted = True  # what is in flight still counts
            self._note(Exhausted(number), [])
        except Exception as error:
            failure = failure_of(error)
            logger.error("Trial %d got no sample: %s", number, failure.summary)
            self._note(Unsampled(number, failure), [self._state.lose(number, failure)])
        return None

    def _submit(self, number: int, sample: Any, vectors: tuple[Any, ...]) -> None:
        pickled = shipping.dumps(sample, f"the sample of trial {number}")
        known = len(self._state.history.trials)
        self._state.ask(number, sample, vectors, pickled, known)
        self._samples[number] = sample
        self._waiting.append(number)
        self._begin_waiting()
        self._journal.append(Asked(number, pickled, known))

    def _begin_waiting(self, ended: int | None = None) -> None:
        """Begin what there are slots for; that of ``ended``, which is told next, is free again."""
        if not self._waiting or self._leave_at is not None:
            return
        idle = {*self._waiting, ended}
        begun = (asked for number, asked in self._state.in_flight.items() if number not in idle)
        taken = sum(asked.slots for asked in begun)
        while self._waiting and taken < self._order.window:
            number = self._waiting.popleft()
            asked = self._state.in_flight[number]
            taken += asked.slots
            self._begin(number, asked)

    def _begin(self, number: int, asked: InFlight) -> None:
        self._listeners.fire("on_trial_begin", asked.sample, number)
        self._execution.submit(number, asked)

    def _take_from_store(self, number: int, sample: Any) -> bool:
        """Use the result of an earlier search, if the store has it and its model is there."""
        hit = self._listeners.stored(sample)
        if hit is None:
            return False
        pickled, stored = shipping.dumps(sample, f"the sample of trial {number}"), pickled_hit(hit)
        self._samples[number] = sample
        report = self._state.take_hit(number, sample, stored)
        self._note(Stored(number, pickled, stored), [report])
        return True

    def _tell(self, ended: Ended) -> None:
        reports = self._state.tell(ended.outcome)
        keep = self._order.keep_random_numbers
        random_numbers = seeding.random_numbers() if keep else None
        self._note(Told(ended.outcome.number, ended.pickled, random_numbers), reports)

    def _note(self, event: Event, reports: list[Report]) -> None:
        """Journal ``event``; its ``reports`` are for when it is durable."""
        index = self._journal.append(event)
        if reports:
            self._unreported.append((index, reports))
            if self._order.window == 1:
                self._settle()

    def _settle(self) -> None:
        """Wait until everything is durable, and report it."""
        if self._unreported:
            self._journal.require(self._unreported[-1][0])
            self._report_durable()

    def _report_durable(self) -> None:
        from hypernets.core.callbacks import EarlyStoppingError

        while self._unreported and self._unreported[0][0] <= self._journal.durable:
            index, reports = self._unreported.popleft()
            self._reported = index
            for position, report in enumerate(reports):
                try:
                    self._report(report)
                    self._listeners.hear(report)
                except EarlyStoppingError:
                    # The event counts as a whole; only its callbacks end here.
                    for later in reports[position + 1 :]:
                        self._report(later)
                    raise

    def _stop(self) -> None:
        """A callback ends the search: what nobody was told of has not happened."""
        void = [report for _, reports in self._unreported for report in reports]
        self._unreported.clear()
        self._state.take_back(sum(report.trial is not None for report in void))
        self._state.stop()
        self._journal.require(self._journal.append(Stopped(self._reported)))

    def keep_state(self) -> None:
        """Put the searcher's state into the journal."""
        if not self._makes_checkpoints:
            return
        began = time.monotonic()
        try:
            state = checkpoint.dumps(self._state.searcher, self._anchors, self._samples)
        except Exception:  # a searcher of the script's own may hold anything
            logger.debug("The searcher's state cannot be pickled", exc_info=True)
            self._makes_checkpoints = False  # resuming then draws every sample again
        else:
            self._journal.add_checkpoint(state, time.monotonic() - began)
