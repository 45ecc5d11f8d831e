"""Where a SearchJob keeps its runs: one shared volume, or a bucket. Also the operator's default.

Every pod of a search sees the same storage, at the same path or by the same options; which keys
open a bucket stands in a Secret, whose content neither the SearchJob nor the operator ever holds.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hyn_k8s.api.schema import ApiModel, Quantity, Rule, at_most_one, exactly_one
from hyn_k8s.api.values import (
    SYSTEM_PATHS,
    Key,
    ObjectName,
    Path,
    cel_is_below,
    is_below,
)

_SECRETS = (
    *("key", "secret", "token", "username", "password"),
    *("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
)
"""Options of s3fs, and arguments of the client in its option client_kwargs, that are keys."""

_NOWHERE_BELOW = tuple(path for path in SYSTEM_PATHS if path not in ("/opt", "/run", "/var"))
"""Where not even a directory of its own would be safe."""


VolumeRoot = Annotated[
    str,
    StringConstraints(max_length=512, pattern=r"^([^/.:][^/:]*(/[^/.:][^/:]*)*)?$"),
]
"""A directory of a volume, which may be the volume itself."""


class ClaimTemplate(ApiModel):
    """A claim that the operator makes once, and never takes away: what is on it is the user's."""

    storage_class_name: ObjectName | None = None
    """A class of volumes that several nodes can write at once; the cluster's default if missing."""
    size: Quantity
    """How much it holds, such as 10Gi."""


class FileStorage(ApiModel):
    """A volume that driver and workers mount at the same path, on whatever nodes they run."""

    rules = (
        exactly_one("claim_name", "claim_template"),
        Rule(
            f"!(self.mountPath in {list(SYSTEM_PATHS)}) && "
            f"!{cel_is_below('self.mountPath', _NOWHERE_BELOW)}",
            f"mountPath must be none of {', '.join(SYSTEM_PATHS)}, and not below "
            f"{', '.join(_NOWHERE_BELOW)}: the pods need what is there",
            lambda self: (
                self.mount_path not in SYSTEM_PATHS
                and not is_below(self.mount_path, _NOWHERE_BELOW)
            ),
            "mountPath",
        ),
    )

    mount_path: Path = "/opt/share"
    """Where the volume is mounted in every pod."""
    root: VolumeRoot = "hypernets"
    """The directory of the volume in which runs are kept; empty for the volume itself."""
    claim_name: ObjectName | None = None
    """A PersistentVolumeClaim of the namespace with access mode ReadWriteMany."""
    claim_template: ClaimTemplate | None = None
    """A claim to make, named like the SearchJob. It stays when the SearchJob is deleted."""


class CertificateAuthorities(ApiModel):
    """The authorities that signed the endpoint's certificate, in a ConfigMap of the namespace."""

    config_map_name: ObjectName
    """The ConfigMap's name."""
    key: Key = "ca.crt"
    """The key with the certificates, in PEM."""


def _places(storage: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options, and those for botocore's client in them."""
    options = storage.options or {}
    arguments = options.get("client_kwargs")
    return options, arguments if isinstance(arguments, dict) else {}


def _are_open(storage: Any) -> bool:
    return not any(name in place for place in _places(storage) for name in _SECRETS)


def _are_said_once(storage: Any) -> bool:
    options, arguments = _places(storage)
    endpoint = "endpoint_url" in options or "endpoint_url" in arguments
    region = "region_name" in arguments
    return not (storage.endpoint and endpoint) and not (storage.region and region)


_TEXT = {"type": "string"}
_SEALED = {name: _TEXT | {"description": "Belongs in a Secret."} for name in _SECRETS}
_URL = {"endpoint_url": _TEXT | {"description": "The server's URL."}}
_ARGUMENTS = {
    "type": "object",
    "description": "Arguments of botocore's client.",
    "x-kubernetes-preserve-unknown-fields": True,
    "properties": _SEALED
    | _URL
    | {"region_name": _TEXT | {"description": "The region that the server expects."}},
}
_OPTIONS = {
    "x-kubernetes-preserve-unknown-fields": True,
    "properties": _SEALED | _URL | {"client_kwargs": _ARGUMENTS},
}
"""Open, but for what rules ask: CEL sees only what is declared."""


class S3Storage(ApiModel):
    """A bucket of any server that speaks S3."""

    rules = (
        Rule(
            "has(self.accessKeyField) == has(self.secretKeyField)",
            "set accessKeyField and secretKeyField together",
            lambda self: (self.access_key_field is None) == (self.secret_key_field is None),
        ),
        at_most_one("access_key_field", "options_field"),
        Rule(
            "has(self.secretName) == (has(self.accessKeyField) || has(self.optionsField))",
            "with secretName say what is in it, by accessKeyField and secretKeyField or by "
            "optionsField; without secretName, by neither",
            lambda self: (
                (self.secret_name is not None)
                == (self.access_key_field is not None or self.options_field is not None)
            ),
        ),
        Rule(
            "!has(self.optionsField) || !(has(self.endpoint) || has(self.region) || "
            "has(self.options))",
            "with optionsField the Secret has all options; endpoint, region and options go there",
            lambda self: (
                self.options_field is None
                or (self.endpoint is None and self.region is None and self.options is None)
            ),
        ),
        Rule(
            "!has(self.options) || !("
            + " || ".join(f"has(self.options.{name})" for name in _SECRETS)
            + ") && (!has(self.options.client_kwargs) || !("
            + " || ".join(f"has(self.options.client_kwargs.{name})" for name in _SECRETS)
            + "))",
            "keys do not belong in options but in a Secret; name it in secretName",
            _are_open,
            "options",
        ),
        Rule(
            None,
            "client_kwargs in options must be an object",
            lambda self: isinstance((self.options or {}).get("client_kwargs", {}), dict),
        ),
        Rule(
            "!has(self.options) || !(has(self.endpoint) && (has(self.options.endpoint_url) || "
            "has(self.options.client_kwargs) && has(self.options.client_kwargs.endpoint_url)) || "
            "has(self.region) && has(self.options.client_kwargs) && "
            "has(self.options.client_kwargs.region_name))",
            "say endpoint and region once: in these fields or in options",
            _are_said_once,
        ),
    )

    root: Annotated[
        str,
        StringConstraints(
            max_length=512, pattern=r"^/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/.][^/]*)*$"
        ),
    ]
    """The bucket, made if it is missing, and a prefix in it: /bucket/prefix."""
    endpoint: (
        Annotated[str, StringConstraints(max_length=512, pattern=r"^https?://[^/@\s]+/?$")] | None
    ) = None
    """The server's URL; that of AWS if missing."""
    region: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """The region that the server expects."""
    secret_name: ObjectName | None = None
    """The Secret of the namespace with the keys; without one the pods' own environment has them."""
    access_key_field: Key | None = None
    """The Secret's key that holds the access key."""
    secret_key_field: Key | None = None
    """The Secret's key that holds the secret key."""
    options_field: Key | None = None
    """The Secret's key that holds all options of s3fs as a JSON object, keys included."""
    options: Annotated[dict[str, Any], Field(json_schema_extra=_OPTIONS)] | None = None
    """Further options of s3fs, none of them a secret."""
    ca_bundle: CertificateAuthorities | None = None
    """Who signed the endpoint's certificate, where no public authority did."""


class Storage(ApiModel):
    """Where runs are kept."""

    rules = (exactly_one("file", "s3"),)

    file: FileStorage | None = None
    """A shared volume."""
    s3: S3Storage | None = None
    """A bucket."""
