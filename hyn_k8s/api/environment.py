"""Environment variables of a container, as in Kubernetes (core/v1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from hyn_k8s.api.schema import ApiModel, at_most_one, exactly_one
from hyn_k8s.api.values import Key, ObjectName, Short, Text

_FIELD_PATH = (
    r"^(metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|"
    r"spec\.(nodeName|serviceAccountName)|status\.(hostIP|podIP)s?)$"
)


class KeyReference(ApiModel):
    """A key of a ConfigMap or Secret of the namespace."""

    name: ObjectName
    """The object's name."""
    key: Key
    """The key in it."""
    optional: bool | None = None
    """Whether the object or the key may be missing."""


class FieldReference(ApiModel):
    """A field of the pod itself."""

    field_path: Annotated[str, StringConstraints(max_length=512, pattern=_FIELD_PATH)]
    """Its path, such as metadata.name."""


class EnvVarSource(ApiModel):
    """Where the value of an environment variable comes from."""

    rules = (exactly_one("config_map_key_ref", "secret_key_ref", "field_ref"),)

    config_map_key_ref: KeyReference | None = None
    """A key of a ConfigMap."""
    secret_key_ref: KeyReference | None = None
    """A key of a Secret."""
    field_ref: FieldReference | None = None
    """A field of the pod."""


class EnvVar(ApiModel):
    """An environment variable."""

    rules = (at_most_one("value", "value_from"),)

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$"),
    ]
    """Its name."""
    value: Text | None = None
    """Its value."""
    value_from: EnvVarSource | None = None
    """Where its value comes from."""


class SourceName(ApiModel):
    """A ConfigMap or Secret of the namespace, all keys of which become variables."""

    name: ObjectName
    """The object's name."""
    optional: bool | None = None
    """Whether the object may be missing."""


class EnvFromSource(ApiModel):
    """A source of several environment variables."""

    rules = (exactly_one("config_map_ref", "secret_ref"),)

    prefix: Short | None = None
    """What is put before each key."""
    config_map_ref: SourceName | None = None
    """A ConfigMap."""
    secret_ref: SourceName | None = None
    """A Secret."""
