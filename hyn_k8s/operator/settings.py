"""What an installation decides for all searches, read once from the operator's environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from hyn_k8s.api.schema import first_problem
from hyn_k8s.api.storage import Storage
from hyn_k8s.errors import SettingsError

IMAGE = "HYN_OPERATOR_IMAGE"
STORAGE = "HYN_OPERATOR_STORAGE"
NAMESPACES = "HYN_OPERATOR_NAMESPACES"


@dataclass(frozen=True)
class OperatorSettings:
    """Of one operator."""

    image: str
    """HYN_OPERATOR_IMAGE: what searches run in that name no image of their own."""
    storage: Storage | None = None
    """HYN_OPERATOR_STORAGE: a SearchJob's spec.storage as JSON, for those without one."""
    namespaces: tuple[str, ...] = ()
    """HYN_OPERATOR_NAMESPACES: whose searches it runs, with commas between; empty for all."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read them from ``environ``.

        Raises:
            SettingsError: the image is missing, or the storage is none.
        """
        image = environ.get(IMAGE, "").strip()
        if not image:
            raise SettingsError(IMAGE, "nothing", "the runtime image of hyn-k8s")
        namespaces = [each.strip() for each in environ.get(NAMESPACES, "").split(",")]
        storage = environ.get(STORAGE, "").strip()
        return cls(
            image,
            _storage(storage) if storage else None,
            tuple(each for each in namespaces if each),
        )


def read_operator_settings() -> OperatorSettings:
    """Those of this process's environment.

    Raises:
        SettingsError: the image is missing, or the storage is none.
    """
    return OperatorSettings.from_env(os.environ)


def _storage(text: str) -> Storage:
    try:
        return Storage.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise SettingsError(STORAGE, f"no JSON ({error})", "a spec.storage as JSON") from None
    except ValidationError as error:
        raise SettingsError(STORAGE, first_problem(error), "a spec.storage as JSON") from None
