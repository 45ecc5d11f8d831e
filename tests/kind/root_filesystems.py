"""Images that are nothing but Debian, made from its packages: what others begin with."""

from __future__ import annotations

import hashlib

from tests.kind import docker
from tests.kind.pins import Pins, cache
from tests.kind.shell import run, say
from tests.kind.turns import turn

_LEFT_OUT = ("man", "doc", "locale", "info")


def root_filesystem(pins: Pins, name: str) -> str:
    """The image of the Debian ``name`` of ``pins``; its own name tells what is in it."""
    release, packages = pins.debian[name].release, pins.debian[name].packages
    told = hashlib.sha256(" ".join([release, *packages]).encode()).hexdigest()[:8]
    image = f"hyn-k8s-offline/{name}:{told}"
    with turn(f"{name}-root"):
        if not docker.has_image(image):
            say(f"making {image} from Debian {release}")
            archive = cache() / f"{name}.tar"
            left_out = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _LEFT_OUT]
            included = f"--include={','.join(packages)}"
            run("mmdebstrap", "--variant=minbase", *left_out, included, release, archive)
            run("docker", "import", archive, image)
            archive.unlink()
    return image
