"""Ask, submit, tell: the search loop, all in one thread of the driver.

Hypernets' in-process dispatcher is the reference: with one trial in flight, searcher, history and
callbacks see the same calls in the same order, with one stated exception. Where that dispatcher
loses a trial, because something outside the trial's own ``try`` raised, a failed trial is
recorded here. (Nor is a failed trial put into the trial store: upstream puts it, and then loses
that sample in every later search, for want of its model.)

With more in flight, tells happen in the order in which trials end; an ordered search tells them in
the order of their numbers instead, so that with a seed everything the searcher is asked and told
is the same every time, however long each trial takes.

A number is spent by every sample, also by one that is skipped because it was tried before. A
sample that equals one still in flight keeps its slot and is skipped when its twin is told, so a
searcher that insists on one sample cannot burn all numbers while that sample is trained.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hyn_k8s.search.execution import Execution
from hyn_k8s.search.outcome import FAILED, SKIPPED, SUCCEEDED, Failure, Outcome, failure_of
from hyn_k8s.search.results import Row, hyperparameters

logger = logging.getLogger("hyn_k8s")

Told = Callable[[Row, Failure | None], None]
"""Takes each trial that has come to something, before callbacks hear of it."""


@dataclass
class _Asked:
    """A sample in flight."""

    sample: Any
    vectors: tuple[Any, ...]
    """What tells two samples apart; it takes a walk over the space to compute."""
    twins: list[tuple[int, Any]] = field(default_factory=list)
    """Later trials, by number, that drew the same sample."""


class SearchLoop:
    """The loop of one ``search()`` call."""

    def __init__(
        self,
        hyper_model: Any,
        execution: Execution,
        *,
        window: int,
        ordered: bool,
        max_trials: int,
        dataset_id: Any,
        trial_store: Any,
        space_options: dict[str, Any],
        told: Told,
        running: Callable[[int], None],
    ) -> None:
        self._hyper_model = hyper_model
        self._execution = execution
        self._window = window
        self._ordered = ordered
        self._max_trials = max_trials
        self._dataset_id = dataset_id
        self._trial_store = trial_store
        self._space_options = space_options
        self._told = told
        self._running = running
        self._next = 1
        self._asked: dict[int, _Asked] = {}
        self._in_flight: dict[tuple[Any, ...], int] = {}
        self._early: dict[int, Outcome] = {}
        """Of an ordered search: trials that have ended before one with a lower number has."""
        self._exhausted = False
        self.stopped = False
        """Whether a callback ended the search early."""

    def run(self) -> int:
        """Run the search; the number after the last trial, as Hypernets' dispatchers return it.

        Raises:
            HynError: the cluster or the storage failed; trials told so far are recorded.
        """
        from hypernets.core.callbacks import EarlyStoppingError

        try:
            while self._asking() or self._asked:
                while self._asking() and self._slots_taken() < self._window:
                    self._ask()
                if self._asked:
                    self._tell(self._following())
        except EarlyStoppingError:
            self.stopped = True
        finally:
            self._execution.cancel()
        return self._next

    def _following(self) -> Outcome:
        """Wait for the outcome to be told next."""
        self._running(len(self._asked) - len(self._early))
        if not self._ordered:
            return self._execution.next()
        first = next(iter(self._asked))
        while first not in self._early:
            outcome = self._execution.next()
            self._early[outcome.number] = outcome
            self._running(len(self._asked) - len(self._early))
        return self._early.pop(first)

    def _asking(self) -> bool:
        return self._next <= self._max_trials and not self._exhausted

    def _slots_taken(self) -> int:
        return sum(1 + len(asked.twins) for asked in self._asked.values())

    def _ask(self) -> None:
        from hypernets.core.callbacks import EarlyStoppingError

        number = self._next
        self._next += 1
        try:
            sample = self._hyper_model.searcher.sample(space_options=self._space_options)
            vectors = tuple(sample.vectors)
            history = self._hyper_model.history
            known = history.get_trial(sample) if history.is_existed(sample) else None
        except EarlyStoppingError:
            self._exhausted = True  # the space has no more; what is in flight still counts
            return
        except Exception as error:
            self._lose(number, error)
            return
        if known is not None:
            self._skip_known(number, sample, known)
        elif vectors in self._in_flight:
            self._asked[self._in_flight[vectors]].twins.append((number, sample))
        elif not self._take_from_store(number, sample):
            self._submit(number, sample, vectors)

    def _submit(self, number: int, sample: Any, vectors: tuple[Any, ...]) -> None:
        self._fire("on_trial_begin", sample, number)
        self._execution.submit(number, sample)
        self._asked[number] = _Asked(sample, vectors)
        self._in_flight[vectors] = number

    def _take_from_store(self, number: int, sample: Any) -> bool:
        """Use the result of an earlier search, if the store has it and its model is there."""
        from hypernets.core.trial import Trial

        hit = self._stored(sample)
        if hit is None:
            return False
        trial = Trial(sample, number, hit.reward, hit.elapsed, hit.model_file, hit.succeeded)
        trial.memo = dict(hit.memo or {})
        trial.iteration_scores = dict(hit.iteration_scores or {})
        improved = self._append(trial)
        self._update_searcher(sample, hit.reward)
        self._record_skip(number, sample, "hit_trial_store", hit.reward)
        self._fire(
            "on_skip_trial", sample, number, "hit_trial_store", hit.reward, improved, hit.elapsed
        )
        return True

    def _stored(self, sample: Any) -> Any:
        from hypernets.utils import fs

        if self._trial_store is None:
            return None
        try:
            hit = self._trial_store.get(self._dataset_id, sample)
            return hit if hit and hit.model_file and fs.exists(hit.model_file) else None
        except Exception:  # a store is user's code; the sample can still be trained
            logger.exception("The trial store failed to look a sample up")
            return None

    def _store(self, trial: Any) -> None:
        if self._trial_store is not None:
            try:
                self._trial_store.put(self._dataset_id, trial)
            except Exception:
                logger.exception("The trial store failed to take trial %s", trial.trial_no)

    def _tell(self, outcome: Outcome) -> None:
        asked = self._asked.pop(outcome.number)
        del self._in_flight[asked.vectors]
        trial = self._trial(asked.sample, outcome)
        self._inform_searcher(trial)
        improved = self._append(trial)
        self._told(_row(asked.sample, outcome), outcome.failure)
        if trial.succeeded:
            self._fire(
                "on_trial_end", trial.space_sample, trial.trial_no, trial.reward, improved,
                trial.elapsed,
            )  # fmt: skip
            self._store(trial)
        else:
            self._fire("on_trial_error", trial.space_sample, trial.trial_no)
        for number, sample in asked.twins:
            self._skip_known(number, sample, trial)

    def _trial(self, sample: Any, outcome: Outcome) -> Any:
        from hypernets.core.trial import Trial

        succeeded = outcome.status == SUCCEEDED
        trial = Trial(
            sample,
            outcome.number,
            outcome.reward,
            outcome.elapsed,
            model_file=outcome.model_file,
            succeeded=succeeded,
        )
        trial.memo = outcome.memo
        trial.iteration_scores = outcome.iteration_scores
        if succeeded:
            trial.context = self._hyper_model.context
        return trial

    def _inform_searcher(self, trial: Any) -> None:
        """A failed sample counts as the worst one so far, as in process."""
        if trial.succeeded:
            self._update_searcher(trial.space_sample, trial.reward)
            return
        worst = self._hyper_model.history.get_worst()
        if worst is not None:
            self._update_searcher(trial.space_sample, worst.reward)

    def _update_searcher(self, sample: Any, reward: Any) -> None:
        from hypernets.core.callbacks import EarlyStoppingError

        try:
            self._hyper_model.searcher.update_result(sample, reward)
        except EarlyStoppingError:
            raise
        except Exception:
            logger.exception("The searcher failed to take a result; the search goes on")

    def _append(self, trial: Any) -> bool:
        """Into the history; one that raises, as a script's own may, has the trial already."""
        try:
            return bool(self._hyper_model.history.append(trial))
        except Exception:
            logger.debug("The history failed on trial %s", trial.trial_no, exc_info=True)
            return False

    def _skip_known(self, number: int, sample: Any, trial: Any) -> None:
        self._record_skip(number, sample, f"same sample as trial {trial.trial_no}", trial.reward)
        self._fire(
            "on_skip_trial", sample, number, "trial_existed", trial.reward, False, trial.elapsed
        )

    def _record_skip(self, number: int, sample: Any, reason: str, reward: Any) -> None:
        row = Row(
            number, SKIPPED, _rewards(reward), None, "", None, None, None, reason,
            hyperparameters(sample),
        )  # fmt: skip
        self._told(row, None)

    def _lose(self, number: int, error: Exception) -> None:
        """The searcher gave no sample: the number is spent, as in process, and recorded."""
        failure = failure_of(error)
        logger.error("Trial %d got no sample: %s", number, failure.summary)
        row = Row(number, FAILED, (), None, "", None, None, None, failure.summary, {})
        self._told(row, failure)

    def _fire(self, event: str, *args: Any) -> None:
        """Call ``event`` of each callback; only an EarlyStoppingError may end the search."""
        from hypernets.core.callbacks import EarlyStoppingError

        for callback in self._hyper_model.callbacks:
            try:
                getattr(callback, event)(self._hyper_model, *args)
            except EarlyStoppingError:
                raise
            except Exception:
                logger.exception("%s.%s failed", type(callback).__name__, event)


def _row(sample: Any, outcome: Outcome) -> Row:
    return Row(
        trial=outcome.number,
        status=outcome.status,
        rewards=_rewards(outcome.reward) if outcome.status == SUCCEEDED else (),
        elapsed=outcome.elapsed,
        worker=outcome.worker,
        started=outcome.started,
        ended=outcome.ended,
        model=outcome.model,
        detail=outcome.failure.summary if outcome.failure else "",
        hyperparameters=hyperparameters(sample),
    )


def _rewards(reward: Any) -> tuple[float, ...]:
    values = reward if isinstance(reward, (list, tuple)) else [reward]
    return tuple(float(value) for value in values if value is not None)
