"""What Helm makes of the chart and some values."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

CHART = pathlib.Path(__file__).parents[2] / "charts" / "hyn-k8s"
NAMESPACE = "hyn-system"
KUBERNETES = "1.35.0"

Object = dict[str, Any]
Values = dict[str, Any]


def objects_of(text: str) -> list[Object]:
    """The objects in YAML, by libyaml: the definitions take seconds in Python."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        """Those of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def get(self, kind: str, name: str) -> Object:
        """The one of that kind and name."""
        (found,) = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        return found

    def has(self, kind: str, name: str) -> bool:
        """Whether there is one."""
        return any(each["metadata"]["name"] == name for each in self.all(kind))

    def controller(self, component: str) -> Object:
        """The pod of a controller of the release ``hyn-k8s``."""
        return dict(self.get("Deployment", f"hyn-k8s-{component}")["spec"]["template"]["spec"])

    def operator_env(self) -> dict[str, str]:
        """The operator's environment."""
        (container,) = self.controller("operator")["containers"]
        return {each["name"]: each["value"] for each in container["env"]}

    def pods(self) -> Iterator[Object]:
        """The spec of every pod, those of hooks and tests included."""
        for each in self.objects:
            if each["kind"] == "Pod":
                yield each["spec"]
            elif each["kind"] in ("Deployment", "Job"):
                yield each["spec"]["template"]["spec"]


Render = Callable[..., Rendered]


class Refused(AssertionError):
    """Helm does not take the values; what it says."""


def render(helm: str, values: Values | None = None, release: str = "hyn-k8s") -> Rendered:
    """The objects that Helm would apply.

    Raises:
        Refused: it would apply nothing.
    """
    command = [helm, "template", release, str(CHART), "--namespace", NAMESPACE]
    command += ["--kube-version", KUBERNETES, "--values", "-"]
    given = yaml.safe_dump(values or {})
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    return Rendered(tuple(objects_of(done.stdout)))
