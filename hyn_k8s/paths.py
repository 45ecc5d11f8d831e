"""Every path of a run on the shared storage: what its files are called, and what is in each.

Relative to the storage root. Drivers and workers, and runs of earlier versions, agree on these,
so they are spelled here once; like ``contract`` this imports the standard library only.
"""

from __future__ import annotations

import re
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

    @property
    def token(self) -> str:
        """What a worker must read to prove that it sees the same storage."""
        return f"{self.proof}/driver"

    def worker_token(self, worker_id: str) -> str:
        """What a worker writes, and takes away again, to prove that it may write."""
        return f"{self.proof}/{worker_id}"

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

    @property
    def identity(self) -> str:
        """JSON: what makes it this search and no other one; written first."""
        return f"{self.directory}/search.json"

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

    @property
    def hyper_model(self) -> str:
        """The stripped hyper model: what workers run trials with and ``load_best`` loads by."""
        return f"{self.directory}/hyper-model.pkl"

    @property
    def pipeline(self) -> str:
        """What an experiment ended in, beside the last of its searches; absent for other ones."""
        return f"{self.directory}/pipeline.pkl"

    @property
    def data(self) -> str:
        """The data of the search; there only while it runs."""
        return f"{self.directory}/data.pkl"

    @property
    def known(self) -> str:
        """The directory of what trials may ask of their search; there only while it runs."""
        return f"{self.directory}/known"

    def context_state(self, number: int) -> str:
        """The ``number``-th state, counted from 0, of the hyper model's context."""
        return f"{self.known}/context-{number:05d}.pkl"

    def told_part(self, number: int) -> str:
        """The ``number``-th few trials, counted from 0, that a discriminator compares with."""
        return f"{self.known}/trials-{number:05d}.pkl"
