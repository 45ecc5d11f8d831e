"""A trial as people see it, and trials.csv: a row a trial, every hyper-parameter a column.

A search of ten thousand trials writes the file some dozen times while it goes on. So a row is made
into text once, when its trial has come to something: columns for hyper-parameters are added behind
the others as they are first seen, and a row from before then needs no more than empty cells.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import math
import operator
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

LEADING_COLUMNS = ("trial", "status")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[-+]?[0-9]+)?|-?inf|nan")
"""How Python writes numbers; other text may look like one, such as 007."""

TRAILING_COLUMNS = (
    "elapsed_seconds",
    "cpu_seconds",
    "memory_mb",
    "worker",
    "started",
    "ended",
    "model",
    "detail",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One trial as people see it."""

    trial: int
    status: str
    rewards: tuple[float, ...]
    """Empty unless the trial has some."""
    elapsed: float | None
    worker: str
    started: float | None
    ended: float | None
    model: str | None
    """Relative to the storage root."""
    detail: str
    """Why a trial failed or was skipped, in one line."""
    hyperparameters: dict[str, Any]
    cpu: float | None = None
    """Seconds of processor time."""
    peak_memory: int | None = None
    """In bytes."""


class TrialsCsv:
    """The rows of a search as CSV, in the order of their trials."""

    def __init__(self, rewards: Sequence[str]) -> None:
        self._rewards = reward_column_names(rewards)
        self._parameters: dict[str, None] = {}
        """The hyper-parameters seen so far, in the order in which they were."""
        self._lines: list[tuple[int, int, bytes]] = []
        """Of each row its trial, how many hyper-parameters were known by then, and its text."""

    def add(self, row: Row) -> None:
        """Take a row, in whatever order its trial has ended."""
        self._parameters.update(dict.fromkeys(row.hyperparameters))
        rewards = dict(zip(self._rewards, row.rewards, strict=False))
        line = _line(
            [
                row.trial,
                row.status,
                *(rewards.get(name) for name in self._rewards),
                None if row.elapsed is None else f"{row.elapsed:.3f}",
                None if row.cpu is None else f"{row.cpu:.3f}",
                None if row.peak_memory is None else f"{row.peak_memory / 1e6:.1f}",
                row.worker,
                timestamp(row.started) if row.started else None,
                timestamp(row.ended) if row.ended else None,
                row.model,
                row.detail,
                *(plain(row.hyperparameters.get(name)) for name in self._parameters),
            ]
        )
        self._lines.append((row.trial, len(self._parameters), line))

    def encoded(self) -> bytes:
        """The whole file."""
        header = [*LEADING_COLUMNS, *self._rewards, *TRAILING_COLUMNS, *self._parameters]
        lines = [_line(header)]
        for _, known, line in sorted(self._lines, key=operator.itemgetter(0)):
            lines.append(line + b"," * (len(self._parameters) - known))
        return b"\n".join([*lines, b""])


def _line(cells: Iterable[Any]) -> bytes:
    """A line of CSV without its end; text that is not Unicode (a file's name, say) escaped."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # so a cell with either is quoted
    return text.getvalue().removesuffix("\r\n").encode(errors="backslashreplace")


def reward_column_names(rewards: Sequence[str]) -> list[str]:
    """``reward`` where there is one, else ``reward_<name>`` for each."""
    return ["reward"] if len(rewards) == 1 else [f"reward_{name}" for name in rewards]


def plain(value: Any) -> Any:
    """``value`` as JSON and CSV can hold it: numbers, booleans, None and text as they are."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "__name__", None) or str(value)


def finite(value: Any) -> Any:
    """``value`` as JSON can hold it: None for a number that is infinite or none at all."""
    if isinstance(value, dict):
        return {key: finite(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def typed(rows: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Rows of trials.csv as JSON has them: numbers where a whole column is numbers, None for empty.

    Infinite numbers and those that are none are None too.
    """
    columns = list(rows[0]) if rows else []
    numbers = {
        name: read
        for name in columns
        for read in [_number_reader([row[name] for row in rows if row[name]])]
        if read is not None
    }
    return [
        {
            name: None if not row[name] else finite(numbers.get(name, str)(row[name]))
            for name in columns
        }
        for row in rows
    ]


def _number_reader(texts: Sequence[str]) -> Callable[[str], Any] | None:
    """What makes a number of each of ``texts``, None if one is no number."""
    for read, pattern in ((int, _WHOLE), (float, _DECIMAL)):
        if all(pattern.fullmatch(text) for text in texts):
            return read
    return None


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as UTC text, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hyperparameters(space_sample: Any) -> dict[str, Any]:
    """The assigned hyper-parameters of a sample by their names in the space.

    A parameter that others depend on has several names; the last one is the module's it is for.
    All samples share the names' memory.
    """
    named: dict[str, Any] = {}
    for parameter in space_sample.get_assigned_params():
        full = str(parameter.alias or parameter.name)
        name = full.rpartition(",")[2]
        named[sys.intern(full if name in named else name)] = parameter.value
    return named
