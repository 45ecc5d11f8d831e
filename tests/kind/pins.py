"""Which versions are built, and where the results are kept: ``versions.toml`` and the cache."""

from __future__ import annotations

import os
import pathlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

_HERE = pathlib.Path(__file__).parent

FILES = _HERE / "files"
"""What goes into the images of the offline cluster."""


@dataclass(frozen=True)
class Debian:
    """Packages of Debian."""

    packages: tuple[str, ...]
    release: str = ""
    """Of which release; empty where it is this machine's own."""


@dataclass(frozen=True)
class Pins:
    """``versions.toml``."""

    kind: str
    kubernetes: str
    helm: str
    coredns: str
    etcd: str
    pause: str
    go: str
    modules: Mapping[str, str]
    """Go programs by name: their packages, with versions."""
    images: Mapping[str, str]
    """Images that are pulled where that can be done."""
    debian: Mapping[str, Debian]
    """Systems that are made of packages, and what this machine needs of them."""


def read_pins() -> Pins:
    """The versions of this checkout."""
    pins = tomllib.loads((_HERE / "versions.toml").read_text())
    debian = {
        name: Debian(tuple(each["packages"]), each.get("release", ""))
        for name, each in pins.pop("debian").items()
    }
    return Pins(**pins, debian=debian)


def cache() -> pathlib.Path:
    """The folder of everything that is built once: ``HYN_E2E_CACHE``, or below ``~/.cache``."""
    given = os.environ.get("HYN_E2E_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(given or pathlib.Path(home) / "hyn-k8s").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
