"""Which way to a cluster there is on this machine, decided from what it has and what was asked."""

from __future__ import annotations

import enum
import os
import shutil
from collections.abc import Mapping

from tests.kind import docker
from tests.kind.pins import Pins
from tests.kind.shell import say, succeeds


class Way(enum.StrEnum):
    """How a cluster comes about."""

    EXISTING = "existing"
    KIND = "kind"
    OFFLINE = "offline"


class ChoiceError(Exception):
    """What was asked for cannot be had here; the sentence says what could."""


def choose(pins: Pins, environ: Mapping[str, str] = os.environ) -> Way:
    """The way to a cluster: the one that ``environ`` asks for, or the first that there is.

    Raises:
        ChoiceError: ``HYN_E2E_CLUSTER`` names none, or nothing is left.
    """
    asked = environ.get("HYN_E2E_CLUSTER")
    if asked is not None and asked not in set(Way):
        accepted = ", ".join(Way)
        raise ChoiceError(f"HYN_E2E_CLUSTER is {asked!r}; accepted are {accepted}")
    if asked == Way.EXISTING or (asked is None and "HYN_E2E_KUBECONFIG" in environ):
        missing = [name for name in EXISTING_NEEDS if not environ.get(name)]
        if missing:
            raise ChoiceError(f"an existing cluster is tested with {' and '.join(missing)} set")
        return Way.EXISTING
    if asked is not None:
        return Way(asked)
    if docker.answers() and not docker.is_ours() and _pulls(pins):
        return Way.KIND
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ChoiceError(
            "no Docker answers here that can pull images, and a cluster without one is built as "
            "root on Debian only; start Docker, or set HYN_E2E_KUBECONFIG"
        )
    return Way.OFFLINE


EXISTING_NEEDS = ("HYN_E2E_KUBECONFIG", "HYN_E2E_REGISTRY", "HYN_E2E_STORAGE_CLASS")
"""The cluster, where it pulls the images from, and its class of ReadWriteMany volumes."""


def official_node(pins: Pins, environ: Mapping[str, str] = os.environ) -> str:
    """kind's node image: that of ``versions.toml``, or one of another Kubernetes."""
    return environ.get("HYN_E2E_NODE_IMAGE", pins.images["node"])


def _pulls(pins: Pins) -> bool:
    """Whether Docker gets kind's own node image, which it then has."""
    image = official_node(pins)
    if docker.has_image(image):
        return True
    say(f"pulling {image}")
    return succeeds("docker", "pull", "--quiet", image)
