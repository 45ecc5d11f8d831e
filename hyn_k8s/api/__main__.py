"""``python -m hyn_k8s.api``: the CustomResourceDefinition, as YAML."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from hyn_k8s.api.crd import definition


class _Dumper(yaml.SafeDumper):
    """Writes a value that stands in two places twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


yaml.dump(definition(), sys.stdout, _Dumper, sort_keys=False, width=100)
