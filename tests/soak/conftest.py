"""Hypernets is imported with its fixes before any test module of this folder imports it."""

from __future__ import annotations

from hyn_k8s.search import compat

compat.apply()
