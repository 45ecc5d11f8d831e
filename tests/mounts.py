"""Mount namespaces for tests: a worker or a program that sees another file system than the rest."""

from __future__ import annotations

import os

MOUNT_NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "-r", "--mount")
"""A command to run another one in a mount namespace of its own, for root and for anyone else."""
