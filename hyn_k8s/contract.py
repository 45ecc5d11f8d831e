"""Every name that crosses a border of hyn-k8s: environment variables, exit codes, mounts.

The search half, the command line and whatever starts a driver elsewhere agree on these and on
nothing else, so this module imports the standard library only and decides nothing. A name that
is read from an environment, returned to a shell or mounted into a pod is spelled here once;
``paths`` has those that are written to storage.
"""

from __future__ import annotations

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
    "how often a trial may lose its worker, or its process may end under it, before it counts as "
    "failed",
)
TRIAL_TIMEOUT = Variable(
    "HYN_SEARCH_TRIAL_TIMEOUT",
    "a number of seconds above 0",
    "–",
    "how long a trial may run on a worker before it is stopped and counts as failed",
    "--trial-timeout",
)
MEMORY = Variable(
    "HYN_SEARCH_MEMORY",
    "a size of 300 MB or more, such as 2GB or 1500MiB",
    "the machine's memory over the executors; a worker's own limit over its threads",
    "how much memory a trial may take on a worker before it is stopped",
    "--memory",
)
CLUSTER_PATIENCE = Variable(
    "HYN_SEARCH_CLUSTER_PATIENCE",
    "a number of seconds, 0 or more, or unlimited",
    "300",
    "how long trials wait while there is no Dask worker, or no scheduler, before the search gives "
    "up",
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
    MEMORY,
    CLUSTER_PATIENCE,
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

    RETRIED = (75, 128, 137, 143)
    """Those after which the Job starts another driver: LATER; 128, by which a node says that it
    could not start the container, where another one may; SIGKILL (for want of memory, or with its
    node), SIGTERM."""


class DriverPod:
    """The variables by which a driver's pod knows itself; its Outcome has both."""

    POD = "HYN_DRIVER_POD"
    """The pod's uid."""
    JOB = "HYN_DRIVER_JOB"
    """Its Job's uid."""


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
