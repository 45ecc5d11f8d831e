"""Every path of a run on the shared storage: what its files are called, and what is in each.

Relative to the storage root. Drivers and workers, and runs of earlier versions, agree on these,
so they are spelled here once; like ``contract`` this imports the standard library only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunPaths:
    """Every path of one run, relative to the storage root; nobody else joins such paths."""

    run: str
    """The run's name."""

    @property
    def manifest(self) -> str:
        """JSON: who began the run, and when. Creating it claims the name."""
        return f"{self.run}/run.json"

    @property
    def drivers(self) -> str:
        """The directory of the drivers that the run has had, one after the other."""
        return f"{self.run}/drivers"

    def driver(self, epoch: int) -> str:
        """JSON: the run's ``epoch``-th driver, counted from 1. Creating it claims the run."""
        return f"{self.drivers}/{epoch:06d}.json"

    @property
    def proof(self) -> str:
        """The directory in which workers prove their storage; there only while the run goes on."""
        return f"{self.run}/storage-proof"

    def token(self, epoch: int) -> str:
        """What a worker must read to prove that it sees the storage of the ``epoch``-th driver."""
        return f"{self.proof}/{epoch:06d}/driver"

    def worker_token(self, epoch: int, worker_id: str) -> str:
        """What a worker writes, and takes away again, to prove that it may write."""
        return f"{self.proof}/{epoch:06d}/{worker_id}"

    @property
    def outcome(self) -> str:
        """JSON: the Outcome of the run's last driver in a cluster."""
        return f"{self.run}/outcome.json"

    def search(self, ordinal: int, generation: int = 1) -> SearchPaths:
        """The paths of the run's ``ordinal``-th search, begun for the ``generation``-th time."""
        return SearchPaths(self.run, ordinal, generation)

    def search_named(self, name: str) -> SearchPaths | None:
        """The paths of the search whose directory is ``name``; None for any other name."""
        match = re.fullmatch(r"search-([0-9]+)(?:\.([0-9]+))?", name)
        return None if match is None else self.search(int(match[1]), int(match[2] or 1))

    def owns(self, path: str) -> bool:
        """Whether a file at ``path`` is one that this run writes; any other is somebody else's."""
        directory, slash, below = path.partition("/")
        if directory != self.run or not slash:
            return False
        if _OF_RUN.fullmatch(below):
            return True
        name, _, below = below.partition("/")
        return self.search_named(name) is not None and bool(_OF_SEARCH.fullmatch(below))


@dataclass(frozen=True)
class SearchPaths:
    """Every path of one ``search()`` call, relative to the storage root."""

    run: str
    ordinal: int
    """Which ``search()`` call of the script it is; the first is 1."""
    generation: int = 1
    """How often it was begun anew, this time included: earlier ones are kept aside."""

    @property
    def name(self) -> str:
        """Its directory's name, as results show it: ``search-1``, begun anew ``search-1.2``."""
        again = f".{self.generation}" if self.generation > 1 else ""
        return f"search-{self.ordinal}{again}"

    def identity(self, epoch: int) -> str:
        """JSON: what makes it this search and no other one; each driver writes it first."""
        return f"{self.directory}/search-{epoch:06d}.json"

    @property
    def journal(self) -> str:
        """The directory of everything that was asked and told, and of the searcher's state."""
        return f"{self.directory}/journal"

    def segment(self, epoch: int, number: int) -> str:
        """The ``number``-th piece, counted from 1, that the ``epoch``-th driver journaled."""
        return f"{self.journal}/{epoch:06d}-{number:08d}.seg"

    def part(self, epoch: int, first: int, last: int) -> str:
        """The segments ``first`` to ``last`` of the ``epoch``-th driver in one file."""
        return f"{self.journal}/{epoch:06d}-{first:08d}-{last:08d}.part"

    def checkpoint(self, epoch: int, position: int) -> str:
        """The searcher's state after the first ``position`` events, the last the driver's of
        ``epoch``."""
        return f"{self.journal}/{epoch:06d}-{position:010d}.state"

    def result(self, number: int, execution: str) -> str:
        """What a trial came to, if that is too large to stand in a segment."""
        return f"{self.directory}/results/{number:05d}_{execution}.pkl"

    @property
    def all_values(self) -> str:
        """The directory of ``values``."""
        return f"{self.directory}/values"

    def values(self, number: int, execution: str) -> str:
        """The large values of the memo of one execution of a trial."""
        return f"{self.all_values}/{number:05d}_{execution}.pkl"

    @property
    def outcomes(self) -> str:
        """The directory of outcomes that workers store; there only until the search ends."""
        return f"{self.directory}/outcomes"

    def outcome(self, number: int, sample: bytes) -> str:
        """The outcome of a trial of the pickled ``sample``, stored by whichever worker ran it, for
        a driver that did not hear of it."""
        return f"{self.outcomes}/{number:05d}_{hashlib.sha256(sample).hexdigest()[:12]}.pkl"

    @property
    def directory(self) -> str:
        return f"{self.run}/{self.name}"

    @property
    def models(self) -> str:
        """The directory of the trials' models."""
        return f"{self.directory}/models"

    def model(self, number: int, execution: str) -> str:
        """Where one execution of a trial saves its model; no two executions share a path."""
        return f"{self.models}/{number:05d}_{execution}.pkl"

    @property
    def logs(self) -> str:
        """The directory of what trials printed."""
        return f"{self.directory}/logs"

    def log(self, number: int) -> str:
        """Text: what a trial printed, in all its attempts; absent when it printed nothing."""
        return f"{self.logs}/{number:05d}.txt"

    @property
    def trials(self) -> str:
        """CSV, a row a trial."""
        return f"{self.directory}/trials.csv"

    @property
    def failures(self) -> str:
        """Text, the whole traceback of each failed trial; absent when none failed."""
        return f"{self.directory}/failures.txt"

    @property
    def summary(self) -> str:
        """JSON: counts, best trial, settings of the search; written last."""
        return f"{self.directory}/summary.json"

    def hyper_model(self, epoch: int) -> str:
        """The stripped hyper model of the ``epoch``-th driver: what its workers run trials with,
        and ``load_best`` loads models by."""
        return f"{self.directory}/hyper-model-{epoch:06d}.pkl"

    @property
    def pipeline(self) -> str:
        """What an experiment ended in, beside the last of its searches; absent for other ones."""
        return f"{self.directory}/pipeline.pkl"

    def passing(self, epoch: int) -> str:
        """The directory of what only the trials of the ``epoch``-th driver read; there only while
        it runs the search."""
        return f"{self.directory}/driver-{epoch:06d}"

    def data(self, epoch: int) -> str:
        """The data of the search, without their large arrays."""
        return f"{self.passing(epoch)}/data.pkl"

    def arrays(self, sha256: str) -> str:
        """The large arrays of the data, one file for all drivers whose data have this digest."""
        return f"{self.directory}/data-{sha256[:32]}.bin"

    def context_state(self, epoch: int, number: int) -> str:
        """The ``number``-th state, counted from 0, of the hyper model's context."""
        return f"{self.passing(epoch)}/context-{number:05d}.pkl"

    def told_part(self, epoch: int, number: int) -> str:
        """The ``number``-th few trials, counted from 0, that a discriminator compares with."""
        return f"{self.passing(epoch)}/trials-{number:05d}.pkl"

    def latest_identity(self, names: Iterable[str]) -> str | None:
        """The ``identity`` of the latest driver that wrote one, of the directory's ``names``."""
        return self._latest(r"search(?:-([0-9]{6,}))?\.json", names)

    def latest_hyper_model(self, names: Iterable[str]) -> str | None:
        """The ``hyper_model`` of the latest driver that wrote one, of the directory's ``names``."""
        return self._latest(r"hyper-model(?:-([0-9]{6,}))?\.pkl", names)

    def _latest(self, pattern: str, names: Iterable[str]) -> str | None:
        matches = [match for name in names if (match := re.fullmatch(pattern, name))]
        latest = max(matches, key=lambda match: int(match[1] or 0), default=None)
        return None if latest is None else f"{self.directory}/{latest[0]}"


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL)


_EXECUTION = r"[0-9]{5,}_[0-9a-f]{12}\.pkl"

_OF_RUN = _any_of(
    r"run\.json",
    r"outcome\.json",
    r"drivers/[0-9]{6,}\.json",
    r"storage-proof/[0-9]{6,}/[A-Za-z0-9._-]+",
    r"storage-proof/[A-Za-z0-9._-]+",  # before epochs stood in paths
)

_OF_SEARCH = _any_of(
    r"search(-[0-9]{6,})?\.json",
    r"hyper-model(-[0-9]{6,})?\.pkl",
    r"trials\.csv",
    r"failures\.txt",
    r"summary\.json",
    r"pipeline\.pkl",
    r"logs/[0-9]{5,}\.txt",
    r"journal/[0-9]{6,}-[0-9]{8,}\.seg",
    r"journal/[0-9]{6,}-[0-9]{8,}-[0-9]{8,}\.part",
    r"journal/[0-9]{6,}-[0-9]{10,}\.state",
    rf"(results|values|outcomes)/{_EXECUTION}",
    rf"models/{_EXECUTION}.*",  # an estimator may save more than one file
    r"driver-[0-9]{6,}/(data|(context|trials)-[0-9]{5,})\.pkl",
    r"data-[0-9a-f]{32}\.bin",
    r"data\.pkl",  # before epochs stood in paths
    r"known/(context|trials)-[0-9]{5,}\.pkl",
)
