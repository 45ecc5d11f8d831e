"""Which conditions of an object hold. They, and not its phase, are what may be branched on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def holding(manifest: Mapping[str, Any]) -> set[str]:
    """The types of the conditions that are True."""
    return {each["type"] for each in conditions(manifest) if each.get("status") == "True"}


def conditions(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the object's controller says of it; nothing where none has looked at it."""
    return list((manifest.get("status") or {}).get("conditions") or [])
