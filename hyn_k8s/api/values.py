"""Plain values of the API: names, keys, texts and paths, each with its bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import StringConstraints

ObjectName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
]
"""The name of a Kubernetes object."""

Key = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=253, pattern=r"^([-_a-zA-Z0-9]|\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$"
    ),
]
"""A key of a ConfigMap or Secret."""

LABEL_KEY = r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317, pattern=f"^{LABEL_KEY}$")]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"),
]
RunName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
]
"""The name of a run, as HYN_RUN_ID has it."""

_PART = r"([^/:.]|\.[^/:.])[^/:]*"
Path = Annotated[str, StringConstraints(min_length=2, max_length=1024, pattern=rf"^(/{_PART})+$")]
"""An absolute path that is not the root and has no part that is empty, ``.`` or ``..``."""

InnerPath = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=rf"^{_PART}(/{_PART})*$")
]
"""A relative path that does not lead out of where it begins."""

Text = Annotated[str, StringConstraints(max_length=32768)]
Short = Annotated[str, StringConstraints(max_length=253)]

SYSTEM_PATHS = (
    *("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/opt/hyn-k8s", "/opt/script"),
    *("/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var"),  # noqa: S108
)
"""Directories of the image, and of what a search mounts anyway, that no volume may replace."""

OWN_PATHS = ("/etc/hyn-k8s", "/opt/hyn-k8s", "/opt/script", "/proc", "/sys")
"""Those below which no volume may be mounted either."""


def is_below(path: str, directories: Iterable[str]) -> bool:
    """Whether ``path`` is in one of ``directories``, at any depth."""
    return any(path.startswith(f"{each}/") for each in directories)


def cel_is_below(path: str, directories: Iterable[str]) -> str:
    """The same of the expression ``path``, as CEL."""
    return "(" + " || ".join(f"{path}.startsWith('{each}/')" for each in directories) + ")"
