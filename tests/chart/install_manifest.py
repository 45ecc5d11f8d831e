"""``manifests/install.yaml``: the chart for those who install without Helm.

The definitions, a namespace, and what Helm makes of the default values. The chart's hooks are left
out: nothing looks for a second controller then, and definitions are applied like all the rest.
"""

from __future__ import annotations

import subprocess
import sys

from hyn_k8s.api.text import yaml_text
from hyn_k8s.release.definitions import read_definitions
from tests.chart.rendering import CHART, KUBERNETES
from tests.kind.go_programs import helm_program

NAMESPACE = "hyn-k8s"

_HEAD = """\
# The operator, dask's controller and the kinds that they look after, for all namespaces:
#   kubectl apply --server-side -f manifests/install.yaml
# Made of charts/hyn-k8s with its default values by `make manifests`; the images are those of
# `make images`.
"""


def install_manifest(helm: str) -> str:
    """The file's content."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": labels}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    objects = [*read_definitions(with_dask=True), namespace]
    plain = yaml_text(*objects)
    command = [helm, "template", "hyn-k8s", str(CHART), "--namespace", NAMESPACE]
    command += ["--kube-version", KUBERNETES, "--no-hooks"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return f"{_HEAD}{plain}{rendered}"


if __name__ == "__main__":
    sys.stdout.write(install_manifest(helm_program()))
