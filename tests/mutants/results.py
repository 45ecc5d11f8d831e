"""What came of each mutant, as mutmut has left it in ``mutants/``, and the least that must."""

from __future__ import annotations

import json
import pathlib
import tomllib
from dataclasses import dataclass

UNTESTED = (5, 33)
"""What mutmut notes of a mutant that no test reaches."""


@dataclass(frozen=True)
class Floor:
    """How many mutants of a module were caught when that was last written down."""

    mutants: int
    killed: int


@dataclass(frozen=True)
class Results:
    """What came of the mutants of one module."""

    module: str
    killed: int
    survivors: tuple[str, ...]
    """By the names under which ``mutmut show`` has them."""
    seconds: float

    @property
    def mutants(self) -> int:
        return self.killed + len(self.survivors)

    def reaches(self, floor: Floor) -> bool:
        """Whether no smaller share was caught. Of the same code that is: no fewer."""
        return self.mutants > 0 and self.killed * floor.mutants >= floor.killed * self.mutants


def read_floors(file: pathlib.Path) -> dict[str, Floor]:
    """The floors by the module's path."""
    return {module: Floor(**floor) for module, floor in tomllib.loads(file.read_text()).items()}


def read_results(mutants: pathlib.Path, module: str) -> Results:
    """What came of the mutants of ``module``, a path.

    A mutant under which the tests hang, or Python itself fails, is caught, too.
    """
    left = json.loads((mutants / f"{module}.meta").read_text())
    codes: dict[str, int | None] = left["exit_code_by_key"]
    unfinished = [name for name, code in codes.items() if code is None]
    if unfinished:
        raise ValueError(f"{len(unfinished)} mutants of {module} were not tested")
    survivors = tuple(name for name, code in codes.items() if code in (0, *UNTESTED))
    seconds = sum(left["durations_by_key"].values())
    return Results(module, len(codes) - len(survivors), survivors, seconds)
