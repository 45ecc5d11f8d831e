"""Every error hyn-k8s raises on purpose, and the sentence each one says.

::

    HynError
    ├── SettingsError    a HYN_ variable or its flag is wrong   variable, found, expected
    ├── ScriptError      the user's script cannot be loaded     script, problem, lasting
    ├── RunError         a run cannot be opened or read         run, problem, cure
    │   └── RunTakenError  another driver drives the run        run, problem, cure
    ├── StorageError     the shared storage cannot be used      url, problem, lasting
    ├── SchedulerError   the scheduler is unreachable or gone   address, problem
    ├── WorkerError      a Dask worker does not fit this run    worker, problem, lasting, of_storage
    ├── SearchError      no trial of a search succeeded         search, trials, last_error
    ├── SpecError        a SearchJob is wrong                   search_job, problem
    ├── ClusterError     Kubernetes refuses or is away          verb, ref, status, problem
    └── ReleaseError     an installation cannot go on           release, problem

Of these RunTakenError, SchedulerError, ClusterError unless Kubernetes has said no for good, and
ScriptError, StorageError and WorkerError unless they are lasting (no such file, keys that never
worked, other versions), have ``retry``: the same call may succeed later, and then continues what
had begun.

An error carries fields and writes its own sentence: which object, what was found, what is
accepted or what to do. Callers never format one. Fields hold no secrets, so an error may be
logged, pickled and shown anywhere; all of them cross process borders (workers raise them).
"""

from __future__ import annotations


class HynError(Exception):
    """Base of all of ours; ``except HynError`` catches what a user can act on.

    The positional arguments are the fields, in order, which is what lets pickle rebuild one.
    """

    retry = False
    """Whether the same call may succeed later without anybody mending anything."""


class SettingsError(HynError):
    """A variable of the HYN_ contract, or the flag that stands for it, has a wrong value."""

    def __init__(self, variable: str, found: str, expected: str) -> None:
        super().__init__(variable, found, expected)
        self.variable = variable
        self.found = found
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.variable}: found {self.found}; accepted: {self.expected}"


class ScriptError(HynError):
    """The user's script does not exist, is no Python, or cannot be read."""

    def __init__(self, script: str, problem: str, lasting: bool = True) -> None:
        super().__init__(script, problem, lasting)
        self.script = script
        self.problem = problem
        self.lasting = lasting
        """False where the volume that has it is away, and not the script."""
        self.retry = not lasting

    def __str__(self) -> str:
        return f"{self.script}: {self.problem}"


class RunError(HynError):
    """A run does not exist, has nothing to show, or its name is taken.

    ``cure`` is what somebody at a command line can do; whoever shows the error elsewhere may say
    something else in its place.
    """

    def __init__(self, run: str, problem: str, cure: str = "") -> None:
        super().__init__(run, problem, cure)
        self.run = run
        self.problem = problem
        self.cure = cure

    def __str__(self) -> str:
        return f"run {self.run}: {self.problem}" + (f"; {self.cure}" if self.cure else "")


class RunTakenError(RunError):
    """Another driver drives the run; this one stops and leaves the run as it is."""

    retry = True


class StorageError(HynError):
    """The shared storage cannot be reached, written or trusted. ``url`` has no credentials."""

    worker: str | None = None
    """The address of the worker on which it failed, where it was under a trial."""

    def __init__(self, url: str, problem: str, lasting: bool = False) -> None:
        super().__init__(url, problem, lasting)
        self.url = url
        self.problem = problem
        self.lasting = lasting
        self.retry = not lasting

    def __str__(self) -> str:
        return f"storage {self.url}: {self.problem}"


class SchedulerError(HynError):
    """The Dask scheduler did not answer, or went away while trials were running."""

    retry = True

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(address, problem)
        self.address = address
        self.problem = problem

    def __str__(self) -> str:
        return f"Dask scheduler {self.address}: {self.problem}"


class WorkerError(HynError):
    """A Dask worker runs other versions than the driver, or does not see the run's storage."""

    address: str | None = None
    """The worker's, where it joined the run before."""

    def __init__(
        self, worker: str, problem: str, lasting: bool = True, of_storage: bool = False
    ) -> None:
        super().__init__(worker, problem, lasting, of_storage)
        self.worker = worker
        self.problem = problem
        self.lasting = lasting
        self.of_storage = of_storage
        """Whether it is the worker's storage that does not fit."""
        self.retry = not lasting

    def __str__(self) -> str:
        return f"Dask worker {self.worker}: {self.problem}"


class SearchError(HynError):
    """A search ended without one succeeded trial. ``last_error`` is one line."""

    def __init__(self, search: str, trials: int, last_error: str) -> None:
        super().__init__(search, trials, last_error)
        self.search = search
        self.trials = trials
        self.last_error = last_error

    def __str__(self) -> str:
        return (
            f"{self.search}: none of its {self.trials} trials succeeded; "
            f"the last error: {self.last_error}"
        )


class SpecError(HynError):
    """A SearchJob cannot be read or says something that cannot be done."""

    def __init__(self, search_job: str, problem: str) -> None:
        super().__init__(search_job, problem)
        self.search_job = search_job
        """Its namespace and name, or the file it stands in."""
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.search_job}: {self.problem}"


class ClusterError(HynError):
    """The API server refused a request, or did not answer."""

    def __init__(self, verb: str, ref: str, status: int | None, problem: str) -> None:
        super().__init__(verb, ref, status, problem)
        self.verb = verb
        self.ref = ref
        self.status = status
        """HTTP's; None where there was no answer."""
        self.problem = problem
        self.retry = status not in (400, 403, 405, 413, 422)

    def __str__(self) -> str:
        answer = "no answer" if self.status is None else f"HTTP {self.status}"
        return f"{self.verb} {self.ref}: {answer}: {self.problem}"


class ReleaseError(HynError):
    """Something keeps a release of the chart from being installed, tested or taken away."""

    def __init__(self, release: str, problem: str) -> None:
        super().__init__(release, problem)
        self.release = release
        """The release's name, or what of it there is trouble with."""
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.release}: {self.problem}"
