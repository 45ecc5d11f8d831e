"""What ``plan`` can ask to be done to the cluster, as values; ``reconcile`` does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.status import SearchJobStatus
from hyn_k8s.kube import Ref


@dataclass(frozen=True)
class Apply:
    """Have an object as the manifest says."""

    manifest: Manifest


@dataclass(frozen=True)
class Patch:
    """Change a few fields of an object."""

    ref: Ref
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """Delete an object and what it owns."""

    ref: Ref
    uid: str | None = None
    """That very object's; another one of the name stays."""
    at_once: bool = False
    """Without waiting for its processes, which are on a node that is gone."""


Action = Apply | Patch | Delete


@dataclass(frozen=True)
class Plan:
    """What to do now."""

    actions: tuple[Action, ...] = ()
    status: SearchJobStatus | None = None
    """The status to write; None leaves it."""
    again_in: float | None = None
    """After how many seconds to look again even if nothing is heard; None waits for an event."""


@dataclass(frozen=True)
class Told:
    """An Event for those who look at the SearchJob."""

    type: str
    """Normal or Warning."""
    reason: str
    message: str


def deletion(manifest: Manifest, at_once: bool = False) -> Delete:
    """The deletion of that very object."""
    return Delete(Ref.to(manifest), manifest["metadata"].get("uid"), at_once)
