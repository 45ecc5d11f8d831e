"""Manifests as the text of a file."""

from __future__ import annotations

from typing import Any

import yaml

from hyn_k8s.api.schema import Manifest


class _Dumper(yaml.SafeDumper):
    """Writes a value that stands in two places twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_text(*manifests: Manifest) -> str:
    """The manifests as YAML, a document each."""
    return yaml.dump_all(manifests, Dumper=_Dumper, sort_keys=False, width=100)
