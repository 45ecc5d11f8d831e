"""``python -m hyn_k8s.api crd | values-schema``: what is made of the types, for a file."""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml

from hyn_k8s.api.chart import values_schema
from hyn_k8s.api.crd import definition


class _Dumper(yaml.SafeDumper):
    """Writes a value that stands in two places twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


match sys.argv[1:]:
    case ["crd"]:
        yaml.dump(definition(), sys.stdout, _Dumper, sort_keys=False, width=100)
    case ["values-schema"]:
        print(json.dumps(values_schema(), indent=2))
    case _:
        sys.exit(f"usage: {__spec__.parent if __spec__ else ''} crd | values-schema")
