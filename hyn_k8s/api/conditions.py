"""The conditions of a SearchJob and the reasons they give: what ``kubectl describe`` shows.

A condition is about one thing and has a status of True, False or Unknown. Its reason is one of
these words, so that scripts can branch on it; its message is for people and may change. Nothing
else in the status is meant to be branched on, least of all the phase.
"""

from __future__ import annotations

import enum


class ConditionType(enum.StrEnum):
    """What a condition is about."""

    STORAGE_READY = "StorageReady"
    """The storage is there, and driver and workers have proved that it is one and the same."""
    CLUSTER_READY = "ClusterReady"
    """The Dask scheduler runs, and at least one worker."""
    DRIVER_RUNNING = "DriverRunning"
    """The script is being run."""
    SUSPENDED = "Suspended"
    """The search has been suspended and has no pods."""
    COMPLETE = "Complete"
    """The script has ended well, and the results are on the storage."""
    FAILED = "Failed"
    """The search has ended otherwise. It is retried once somebody suspends and resumes it."""


class Reason(enum.StrEnum):
    """Why a condition is as it is."""

    CLAIM_MISSING = "ClaimMissing"
    """StorageReady=False: the namespace has no claim of that name."""
    CLAIM_PENDING = "ClaimPending"
    """StorageReady=False: the claim has no volume yet; the message has what Kubernetes says."""
    CLAIM_NOT_SHARED = "ClaimNotShared"
    """StorageReady=False: the claim's access modes lack ReadWriteMany."""
    NO_STORAGE = "NoStorage"
    """StorageReady=False, Failed: neither the SearchJob nor the operator names a storage."""
    NOT_PROVED = "NotProved"
    """StorageReady=Unknown: driver and workers have not come so far."""
    PROVED = "Proved"
    """StorageReady=True: the driver and a worker have written and read it."""
    STORAGE_REFUSED = "StorageRefused"
    """StorageReady=False: driver or worker cannot use it; the message names pod, path and cause."""

    STARTING = "Starting"
    """ClusterReady=False, DriverRunning=False: pods have been asked for, and nothing is amiss."""
    IMAGE_PULL = "ImagePull"
    """An image cannot be pulled."""
    UNSCHEDULABLE = "Unschedulable"
    """No node takes a pod; the message is the scheduler's."""
    MOUNT = "Mount"
    """A volume cannot be mounted."""
    QUOTA = "Quota"
    """A quota of the namespace leaves no room for a pod, or for an object of the search."""
    POD_SECURITY = "PodSecurity"
    """The namespace's Pod Security, or another admission check, refuses a pod."""
    MISSING_REFERENCE = "MissingReference"
    """A Secret, ConfigMap, or a key of one, is not there."""
    CRASH_LOOP = "CrashLoop"
    """A container ends again and again."""
    OUT_OF_MEMORY = "OutOfMemory"
    """A container was killed because it took more memory than its limit."""
    DASK_CONTROLLER_SILENT = "DaskControllerSilent"
    """ClusterReady=False: nothing has become of the DaskCluster; dask's controller is down."""
    KIND_MISSING = "KindMissing"
    """ClusterReady=False: there is no kind DaskCluster; dask's CustomResourceDefinitions have to be
    installed."""
    NAME_TAKEN = "NameTaken"
    """An object of a name that the search needs is there and is not the search's."""
    REFUSED = "Refused"
    """The API server does not take what the operator or a controller makes, and says why; or this
    operator cannot read the SearchJob."""
    READY = "Ready"
    """ClusterReady=True: scheduler and at least one worker are available."""

    RUNNING = "Running"
    """DriverRunning=True."""
    RETRYING = "Retrying"
    """DriverRunning=False: the driver ended in a way that another one can go on from."""
    RUN_TAKEN = "RunTaken"
    """DriverRunning=False: another driver has the run, and this one waits until it lets go."""
    ENDED = "Ended"
    """DriverRunning=False, ClusterReady=False: the search is over, its pods are gone."""
    SUSPENDED = "Suspended"
    """Suspended=True, and the others False meanwhile."""
    RESUMED = "Resumed"
    """Suspended=False: it was suspended before."""
    NOT_RETRIED = "NotRetried"
    """Suspended=False: the search is complete, there is nothing to suspend or to retry; or it has
    failed, and its spec was changed otherwise than by suspend true and, once the operator has seen
    that, false."""
    RETRY_PENDING = "RetryPending"
    """Suspended=False: the search had failed and was suspended to be retried; pods are left yet."""
    RETRIED = "Retried"
    """Failed=False: it had failed, and was suspended to be retried; the message has why."""

    SUCCEEDED = "Succeeded"
    """Complete=True."""
    SCRIPT_FAILED = "ScriptFailed"
    """Failed=True: the script raised, ended with an error or cannot be read."""
    SEARCH_FAILED = "SearchFailed"
    """Failed=True: no trial of a search succeeded."""
    SETTINGS_REFUSED = "SettingsRefused"
    """Failed=True: a setting is wrong, or the workers do not fit the driver."""
    RUN_REFUSED = "RunRefused"
    """Failed=True: the run cannot be resumed: it is not on the storage, or is another search's."""
    RETRIES_EXHAUSTED = "RetriesExhausted"
    """Failed=True: drivers ended before their time more often than driverRetries, without a trial
    that came to something."""
    STARTUP_TIMEOUT = "StartupTimeout"
    """Failed=True: the script had not begun startupTimeoutSeconds after the start. A search that
    has begun once is not failed for waiting."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """Failed=True: activeDeadlineSeconds are over."""
