"""What an installation decides for all searches, read once from the operator's environment.

A value that could be no good for any search is refused at the start, where whoever installs looks,
and not later on each SearchJob by the API server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from hyn_k8s.api.chart import PullPolicy
from hyn_k8s.api.peers import NetworkPolicyPeer
from hyn_k8s.api.schema import first_problem
from hyn_k8s.api.storage import Storage
from hyn_k8s.api.values import ObjectName
from hyn_k8s.errors import SettingsError

IMAGE = "HYN_OPERATOR_IMAGE"
IMAGE_PULL_POLICY = "HYN_OPERATOR_IMAGE_PULL_POLICY"
IMAGE_PULL_SECRETS = "HYN_OPERATOR_IMAGE_PULL_SECRETS"
STORAGE = "HYN_OPERATOR_STORAGE"
NAMESPACES = "HYN_OPERATOR_NAMESPACES"
NETWORK_POLICY = "HYN_OPERATOR_NETWORK_POLICY"

_SECRET_NAME: TypeAdapter[str] = TypeAdapter(ObjectName)
_STORAGE = TypeAdapter(Storage)
_PEERS = TypeAdapter(list[NetworkPolicyPeer])

T = TypeVar("T")


@dataclass(frozen=True)
class OperatorSettings:
    """Of one operator."""

    image: str
    """HYN_OPERATOR_IMAGE: what searches run in that name no image of their own."""
    storage: Storage | None = None
    """HYN_OPERATOR_STORAGE: a SearchJob's spec.storage as JSON, for those without one."""
    namespaces: tuple[str, ...] = ()
    """HYN_OPERATOR_NAMESPACES: whose searches it runs, with commas between; empty for all."""
    image_pull_policy: str | None = None
    """HYN_OPERATOR_IMAGE_PULL_POLICY: of all containers; None leaves it to Kubernetes."""
    image_pull_secrets: tuple[str, ...] = ()
    """HYN_OPERATOR_IMAGE_PULL_SECRETS: Secrets in the searches' namespaces, with commas between,
    for the roles that a SearchJob gives none."""
    network_policy: tuple[NetworkPolicyPeer, ...] | None = None
    """HYN_OPERATOR_NETWORK_POLICY: who may reach a search beside its own pods, as JSON; None makes
    no NetworkPolicies."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read them from ``environ``.

        Raises:
            SettingsError: the image is missing, or another one has a wrong value.
        """
        image = environ.get(IMAGE, "").strip()
        if not image:
            raise SettingsError(IMAGE, "nothing", "the runtime image of hyn-k8s")
        storage = environ.get(STORAGE, "").strip()
        return cls(
            image,
            _parsed(STORAGE, storage, _STORAGE, "a spec.storage as JSON") if storage else None,
            _listed(environ.get(NAMESPACES, "")),
            _pull_policy(environ.get(IMAGE_PULL_POLICY, "").strip()),
            _pull_secrets(environ.get(IMAGE_PULL_SECRETS, "")),
            _network_policy(environ.get(NETWORK_POLICY, "").strip()),
        )


def read_operator_settings() -> OperatorSettings:
    """Those of this process's environment.

    Raises:
        SettingsError: the image is missing, or another one has a wrong value.
    """
    return OperatorSettings.from_env(os.environ)


def _listed(text: str) -> tuple[str, ...]:
    """The words between commas, each once: Kubernetes refuses a list that has one twice."""
    words = [each.strip() for each in text.split(",")]
    return tuple(dict.fromkeys(each for each in words if each))


def _pull_policy(text: str) -> str | None:
    if text and text not in set(PullPolicy):
        raise SettingsError(IMAGE_PULL_POLICY, text, "Always, IfNotPresent or Never")
    return text or None


def _pull_secrets(text: str) -> tuple[str, ...]:
    names = _listed(text)
    for name in names:
        try:
            _SECRET_NAME.validate_python(name)
        except ValidationError:
            accepted = "names of Secrets with commas between"
            raise SettingsError(IMAGE_PULL_SECRETS, name, accepted) from None
    return names


def _network_policy(text: str) -> tuple[NetworkPolicyPeer, ...] | None:
    if not text:
        return None
    peers = _parsed(NETWORK_POLICY, text, _PEERS, "a list of NetworkPolicyPeers as JSON")
    return tuple(peers)


def _parsed(variable: str, text: str, type_: TypeAdapter[T], accepted: str) -> T:
    try:
        return type_.validate_python(json.loads(text))
    except json.JSONDecodeError as error:
        raise SettingsError(variable, f"no JSON ({error})", accepted) from None
    except ValidationError as error:
        raise SettingsError(variable, first_problem(error), accepted) from None
