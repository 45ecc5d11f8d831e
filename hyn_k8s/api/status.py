"""The status of a SearchJob: how the search goes, as the operator writes it.

All of it is bounded in size. For people there are a phase and counts; scripts branch on the
conditions, whose types and reasons ``conditions`` has.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hyn_k8s.api.schema import ApiModel, listed_by
from hyn_k8s.api.values import Short


class Phase(enum.StrEnum):
    """The state of a SearchJob in a word, for people; derived, and never branched on."""

    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


class ConditionStatus(enum.StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One thing about the search."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """What it is about."""
    status: ConditionStatus
    """Whether it holds."""
    reason: Annotated[str, StringConstraints(max_length=1024)]
    """Why, in a word that scripts may branch on."""
    message: Annotated[str, StringConstraints(max_length=4096)]
    """Why, in a sentence for people."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When status changed last."""
    observed_generation: int
    """The generation of the SearchJob that this speaks of."""


class SearchInfo(ApiModel):
    """The search that the script is at."""

    ordinal: int
    """Which search of the script it is, counted from 1."""
    name: Short
    """Its directory below the run's."""


class TrialCounts(ApiModel):
    """How many trials came to what."""

    total: int
    """Of all searches that have begun."""
    done: int
    """Of these, how many have come to something."""
    succeeded: int
    """With a reward."""
    failed: int
    """With an error."""
    pruned: int
    """Stopped by a discriminator."""
    skipped: int
    """Drawn before, or found in a trial store."""
    running: int
    """Being trained."""


class BestTrial(ApiModel):
    """The best trial of the latest search, by the first reward."""

    trial: int
    """Its number."""
    rewards: Annotated[list[float], Field(max_length=16)]
    """Its rewards."""
    hyperparameters: (
        Annotated[
            dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
        ]
        | None
    ) = None
    """Its hyper-parameters; the first ones only where there are very many."""
    model: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """Its model's path below the storage's root."""


class Pareto(ApiModel):
    """The trials of several rewards that no other one beats."""

    size: int
    """How many there are."""


class SearchJobStatus(ApiModel):
    """How the search goes."""

    phase: Phase | None = None
    """Its state in a word; for scripts there are the conditions."""
    observed_generation: int | None = None
    """The generation of the SearchJob that the status speaks of."""
    conditions: list[Condition] | None = listed_by("type", max_length=16)
    """What is known of storage, cluster, driver and end."""
    search: SearchInfo | None = None
    """The search that the script is at."""
    trials: TrialCounts | None = None
    """How many trials came to what."""
    best: BestTrial | None = None
    """The best trial so far."""
    pareto: Pareto | None = None
    """With several rewards, the trials that no other one beats."""
    eta: Short | None = None
    """How long the latest search will take from now on, at its rate so far."""
    start_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When it began, or was resumed."""
    completion_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When it ended."""
    run: Short | None = None
    """The run on the storage, by the name that spec.run of another SearchJob takes."""
    results_path: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """Where the results are: a path in the pods, or s3://bucket/prefix."""
    cluster_name: Short | None = None
    """The DaskCluster."""
    driver_name: Short | None = None
    """The driver's Job."""
