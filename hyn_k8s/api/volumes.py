"""Volumes of a pod and their mounts: only kinds that Pod Security ``restricted`` takes."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field, StringConstraints

from hyn_k8s.api.schema import ApiModel, Quantity, Rule, exactly_one
from hyn_k8s.api.values import (
    OWN_PATHS,
    SYSTEM_PATHS,
    InnerPath,
    Key,
    ObjectName,
    Path,
    cel_is_below,
    is_below,
)


class ItemPath(ApiModel):
    """A key, and the file it becomes."""

    key: Key
    """The key."""
    path: InnerPath
    """The file's path in the volume."""


class ConfigMapVolume(ApiModel):
    """A ConfigMap as files."""

    name: ObjectName
    """The ConfigMap's name."""
    items: Annotated[list[ItemPath] | None, Field(max_length=128)] = None
    """Only these of its keys."""
    optional: bool | None = None
    """Whether it may be missing."""


class SecretVolume(ApiModel):
    """A Secret as files."""

    secret_name: ObjectName
    """The Secret's name."""
    items: Annotated[list[ItemPath] | None, Field(max_length=128)] = None
    """Only these of its keys."""
    optional: bool | None = None
    """Whether it may be missing."""


class ClaimVolume(ApiModel):
    """A PersistentVolumeClaim."""

    claim_name: ObjectName
    """The claim's name."""
    read_only: bool | None = None
    """Whether it is mounted for reading only."""


class EmptyDirMedium(enum.StrEnum):
    """What an emptyDir is kept on."""

    MEMORY = "Memory"


class EmptyDirVolume(ApiModel):
    """A directory that is empty at first and goes with the pod."""

    medium: EmptyDirMedium | None = None
    """Memory, or the node's disk where it is missing."""
    size_limit: Quantity | None = None
    """The most it may hold."""


VolumeName = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


OWN_VOLUMES = "hyn-"
"""How the names of the volumes begin that a search has anyway."""


class Volume(ApiModel):
    """A volume, in addition to those that the search has anyway."""

    rules = (
        exactly_one("config_map", "secret", "persistent_volume_claim", "empty_dir"),
        Rule(
            f"!self.name.startsWith('{OWN_VOLUMES}')",
            f"names of volumes that begin with {OWN_VOLUMES} are taken",
            lambda self: not self.name.startswith(OWN_VOLUMES),
            "name",
        ),
    )

    name: VolumeName
    """Its name, by which volumeMounts refer to it."""
    config_map: ConfigMapVolume | None = None
    """A ConfigMap as files."""
    secret: SecretVolume | None = None
    """A Secret as files."""
    persistent_volume_claim: ClaimVolume | None = None
    """A claim."""
    empty_dir: EmptyDirVolume | None = None
    """An empty directory."""


class VolumeMount(ApiModel):
    """Where a volume is mounted."""

    rules = (
        Rule(
            f"!(self.mountPath in {list(SYSTEM_PATHS)}) && "
            f"!(self.mountPath == '{OWN_PATHS[0]}' || {cel_is_below('self.mountPath', OWN_PATHS)})",
            f"mountPath must be none of {', '.join(SYSTEM_PATHS)}, and not below "
            f"{', '.join(OWN_PATHS)}: the pods need what is there",
            lambda self: (
                self.mount_path not in (*SYSTEM_PATHS, *OWN_PATHS)
                and not is_below(self.mount_path, OWN_PATHS)
            ),
            "mountPath",
        ),
    )

    name: VolumeName
    """The volume's name."""
    mount_path: Path
    """Where it is mounted."""
    sub_path: InnerPath | None = None
    """The part of the volume that is mounted."""
    read_only: bool | None = None
    """Whether it is mounted for reading only."""
