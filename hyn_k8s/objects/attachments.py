"""What a container and its pod are given in addition: variables, volumes, and where these are.

A storage, a script and a user's settings each are one, and they are put together by key: one
variable of a name, one volume of a name, one mount at a path. Who wins is said each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hyn_k8s.api.schema import Manifest


@dataclass(frozen=True)
class Attachment:
    """Variables of a container, volumes of its pod, and their mounts."""

    env: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()

    def __add__(self, other: Attachment) -> Attachment:
        """Both; where they have something of one key, this one's."""
        return Attachment(
            env=tuple(by_key("name", self.env, other.env)),
            volumes=tuple(by_key("name", self.volumes, other.volumes)),
            mounts=tuple(by_key("mountPath", self.mounts, other.mounts)),
        )


def by_key(key: str, *parts: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    """All items of all parts in order; of those with one ``key``, the first only."""
    found: dict[str, Manifest] = {}
    for part in parts:
        for item in part:
            found.setdefault(item[key], dict(item))
    return list(found.values())


def variable(name: str, value: str) -> Manifest:
    """A variable that is just ``value``: Kubernetes would replace ``$(NAME)`` in it."""
    return {"name": name, "value": value.replace("$", "$$")}


def secret_variable(name: str, secret: str, key: str) -> Manifest:
    """A variable that the kubelet takes from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def config_map_volume(
    name: str, config_map: str, path: str, items: Mapping[str, str] | None = None
) -> Attachment:
    """A ConfigMap as files below ``path``; with ``items``, only these keys, as these files."""
    source: Manifest = {"name": config_map}
    if items is not None:
        source["items"] = [{"key": key, "path": file} for key, file in items.items()]
    return Attachment(
        volumes=({"name": name, "configMap": source},),
        mounts=({"name": name, "mountPath": path, "readOnly": True},),
    )
