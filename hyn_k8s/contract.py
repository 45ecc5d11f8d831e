"""Every name that crosses a border of hyn-k8s: environment variables, file names, exit codes.

The search half, the command line and whatever starts a driver elsewhere agree on these and on
nothing else, so this module imports the standard library only and decides nothing. A name that
is written to storage, read from an environment or returned to a shell is spelled here once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """One environment variable of the contract, as the documentation shows it."""

    name: str
    """The variable's name."""
    accepted: str
    """What may stand in it, in words a user reads after a mistake."""
    default: str
    """What holds when it is unset or empty, in words."""
    meaning: str
    """One line of what it decides."""
    flag: str | None = None
    """The option of ``hyn-k8s run`` that wins over it."""

    @property
    def label(self) -> str:
        """How an error names it: the variable, with the flag that may have set it."""
        return f"{self.name} ({self.flag})" if self.flag else self.name


BACKEND = Variable(
    "HYN_SEARCH_BACKEND",
    "dask or standalone",
    "`dask`",
    "where trials run: on a Dask cluster, or one at a time in the script's own process",
    "--backend",
)
EXECUTORS = Variable(
    "HYN_SEARCH_EXECUTORS",
    "a whole number of 1 or more",
    "3",
    "trials in flight",
    "--executors",
)
SCHEDULER = Variable(
    "DASK_SCHEDULER_ADDRESS",
    "an address such as tcp://scheduler:8786 or tls://scheduler:8786",
    "an embedded cluster",
    "the Dask scheduler; a live `Client` of the script wins over it",
    "--scheduler",
)
STORAGE_TYPE = Variable(
    "HYN_STORAGE_TYPE", "file or s3", "`file`", "what the shared storage is", "--storage-type"
)
STORAGE_ROOT = Variable(
    "HYN_STORAGE_ROOT",
    "a directory path for file, /bucket or /bucket/prefix for s3",
    "`./workdir` (file)",
    "where runs are kept; the same path on every node",
    "--storage-root",
)
STORAGE_OPTIONS = Variable(
    "HYN_STORAGE_OPTIONS",
    'a JSON object of s3fs options, such as {"endpoint_url": "http://minio:9000"}',
    "`{}`",
    "how s3fs reaches the bucket",
)
STORAGE_ACCESS_KEY = Variable(
    "HYN_STORAGE_ACCESS_KEY",
    "an access key id, together with HYN_STORAGE_SECRET_KEY",
    "–",
    "the access key; wins over one in the options",
)
STORAGE_SECRET_KEY = Variable(
    "HYN_STORAGE_SECRET_KEY",
    "a secret access key, together with HYN_STORAGE_ACCESS_KEY",
    "–",
    "the secret key; wins over one in the options",
)
STORAGE_PATIENCE = Variable(
    "HYN_STORAGE_PATIENCE",
    "a number of seconds, 0 or more",
    "120",
    "how long a storage that is away or full is tried again before the search gives up",
)
RUN_ID = Variable(
    "HYN_RUN_ID",
    "letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 63",
    "the script's unfinished run, else its name and a new number",
    "the run's name: its directory below the storage root; a run that is there is continued",
    "--run",
)
TRIAL_ATTEMPTS = Variable(
    "HYN_SEARCH_TRIAL_ATTEMPTS",
    "a whole number of 1 or more",
    "5",
    "workers that may be lost under one trial before it counts as failed",
)
TRIAL_TIMEOUT = Variable(
    "HYN_SEARCH_TRIAL_TIMEOUT",
    "a number of seconds above 0",
    "–",
    "how long a trial may run on a worker before it is stopped and counts as failed",
    "--trial-timeout",
)
GRACE = Variable(
    "HYN_SEARCH_GRACE",
    "a number of seconds, 0 or more",
    "20",
    "how long running trials may go on after SIGTERM, before the run is left to be continued",
    "--grace",
)
ORDERED = Variable(
    "HYN_SEARCH_ORDERED",
    "1 or 0",
    "0",
    "tell the searcher in the order of the trials, whichever ends first: with a seed, the same "
    "trials every time",
    "--ordered",
)
SEED = Variable(
    "HYN_SEARCH_SEED",
    "a whole number from 0 to 4294967295",
    "–",
    "what Hypernets', numpy's and Python's random numbers begin with, in the script and in each "
    "trial on a worker",
    "--seed",
)

VARIABLES = (
    BACKEND,
    EXECUTORS,
    SCHEDULER,
    STORAGE_TYPE,
    STORAGE_ROOT,
    STORAGE_OPTIONS,
    STORAGE_ACCESS_KEY,
    STORAGE_SECRET_KEY,
    STORAGE_PATIENCE,
    RUN_ID,
    TRIAL_ATTEMPTS,
    TRIAL_TIMEOUT,
    GRACE,
    ORDERED,
    SEED,
)

PREFIXES = ("HYN_SEARCH_", "HYN_STORAGE_", "HYN_RUN_")
"""A variable that begins so and is none of VARIABLES is taken for a slip of the pen."""


class ExitCode:
    """What ``hyn-k8s`` returns to the shell; a script's own exit code passes through."""

    OK = 0
    FAILED = 1
    """The script raised, no trial succeeded, or storage, scheduler or a worker was unusable."""
    USAGE = 2
    """A flag, a variable or the script's path is wrong; nothing was started."""
    LATER = 75
    """The run is not finished and can be continued by the same call: after SIGTERM, after storage
    or scheduler were away for too long, or because another driver has taken the run over."""
    INTERRUPTED = 130
    """Ctrl-C; the results so far are on the storage, and the run can be continued."""


class DriverExit:
    """What a driver's pod returns to the Job that runs it."""

    OK = 0
    FAILED = 65
    """Another driver would come to the same: the script, a setting or the storage is wrong."""
    LATER = 75
    """Another driver goes on where this one was."""

    RETRIED = (75, 137, 143)
    """Those after which the Job starts another driver: LATER, SIGKILL (for want of memory, or
    with its node), SIGTERM."""


class PodPaths:
    """What is mounted where in the pods of a search, beside its storage."""

    CONFIG = "/etc/hyn-k8s/run"
    """The driver's ConfigMap."""
    RUN_CONFIG = f"{CONFIG}/run.json"
    """The RunConfig."""
    INLINE_SCRIPT = f"{CONFIG}/search.py"
    """The script that a SearchJob has in itself."""
    SCRIPTS = "/opt/script"
    """The ConfigMap with the script and the modules beside it."""
    AUTHORITIES = "/etc/hyn-k8s/ca"
    """The certificates of who signed the S3 endpoint's."""
    TERMINATION_MESSAGE = "/dev/termination-log"
    """Where a driver leaves its Outcome for the operator."""


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
