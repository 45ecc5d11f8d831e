"""A pod of a search: one container, nothing that Pod Security ``restricted`` refuses.

What a user says of the pods of a role is put into it by key and never displaces what the search
needs. Resources are the user's as a whole: a request of ours beside a smaller limit of theirs
would be refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hyn_k8s.api.pods import PodSettings
from hyn_k8s.api.schema import Manifest
from hyn_k8s.objects.attachments import Attachment
from hyn_k8s.objects.search import Search

USER = 1000
"""The images' user, and its group."""


@dataclass(frozen=True)
class Container:
    """What a role's container does, apart from what all have in common."""

    role: str
    """Also its name."""
    args: Sequence[str]
    attachment: Attachment
    resources: Mapping[str, Mapping[str, str]]
    """Where the user says nothing."""
    env_from: Sequence[Manifest] = ()
    more: Mapping[str, object] = field(default_factory=dict)
    """Further fields: ports, probes."""


def pod_spec(search: Search, container: Container, settings: PodSettings | None) -> Manifest:
    """The spec of a pod with this container."""
    given = (settings or PodSettings()).to_manifest()
    user = Attachment(
        volumes=tuple(given.get("volumes", ())), mounts=tuple(given.get("volumeMounts", ()))
    )
    attached = container.attachment + _temporary() + user
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",  # a volume of millions of files is not walked
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(search, container, attached, given)],
        "volumes": list(attached.volumes),
    }
    return spec | _pull_secrets(search) | {key: given[key] for key in _OF_THE_POD if key in given}


def _pull_secrets(search: Search) -> Manifest:
    """Those of the installation; a role that says which has its own instead."""
    secrets = [{"name": each} for each in search.image_pull_secrets]
    return {"imagePullSecrets": secrets} if secrets else {}


def _temporary() -> Attachment:
    return Attachment(
        volumes=({"name": "hyn-tmp", "emptyDir": {}},),
        mounts=({"name": "hyn-tmp", "mountPath": "/tmp"},),  # noqa: S108
    )


def pod_metadata(search: Search, role: str, settings: PodSettings | None) -> Manifest:
    """The metadata of a role's pods; the user's labels do not displace ours."""
    labels = (settings.labels if settings else None) or {}
    annotations = (settings.annotations if settings else None) or {}
    return {"labels": {**labels, **search.pod_labels(role)}} | (
        {"annotations": dict(annotations)} if annotations else {}
    )


_OF_THE_POD = (
    *("nodeSelector", "tolerations", "affinity", "priorityClassName"),
    *("imagePullSecrets", "runtimeClassName"),
)
"""Settings that are a field of the pod, under the same name."""


def _container(
    search: Search, container: Container, attached: Attachment, given: Manifest
) -> Manifest:
    default = {key: dict(value) for key, value in container.resources.items()}
    found: Manifest = {
        "name": container.role,
        "image": search.image,
        "args": list(container.args),
        "env": list(attached.env),
        "resources": given.get("resources", default),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": list(attached.mounts),
    }
    if search.image_pull_policy is not None:
        found["imagePullPolicy"] = search.image_pull_policy
    if container.env_from:
        found["envFrom"] = list(container.env_from)
    return found | dict(container.more)
