"""Mount namespaces for tests: a worker or a program that sees another file system than the rest."""

from __future__ import annotations

import os
import pathlib

MOUNT_NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "-r", "--mount")
"""A command to run another one in a mount namespace of its own, for root and for anyone else."""


def elsewhere(root: pathlib.Path) -> tuple[str, ...]:
    """Start a worker under this, and ``root`` is another directory for it."""
    root.mkdir(exist_ok=True)
    mount = 'mount -t tmpfs none "$0" && exec "$@"'
    return (*MOUNT_NAMESPACE, "sh", "-c", mount, str(root))
