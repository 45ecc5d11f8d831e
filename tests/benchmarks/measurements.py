"""Measurements as drivers hand them in, of systems whose speed is known."""

from __future__ import annotations

import dataclasses

from benchmarks import plan
from benchmarks.order import Measured, Order, Run
from benchmarks.plan import Block
from benchmarks.starting import Start

SWIFT = Start(help=0.1, imports=2.0, first_trial=3.0)


def steady(order: Order, per_second: float) -> Run:
    """A run whose trials end one after the other, its driver growing by 6 kB for each."""
    ends = [100 + number / per_second for number in range(1, order.trials + 1)]
    looks = range(order.look_every, order.trials + 1, order.look_every)
    memory = [50_000_000 + 6000 * look for look in looks]
    busy = [0.002 * look for look in looks]
    workers = [0.003 * look for look in looks]
    return Run(order, Measured(100.0, ends, memory, busy, workers, sent=1000))


def all_at(rates: dict[tuple[str, str], float], per_second: float) -> list[tuple[Block, Run]]:
    """A run for each turn of the plan, at that rate; those at ``rates`` of block and system."""
    return [
        (block, steady(order, rates.get((block.name, order.system), per_second)))
        for block in plan.blocks()
        for order in block.in_turns()
    ]


def changed(runs: list[tuple[Block, Run]], place: int, run: Run) -> list[tuple[Block, Run]]:
    """``runs`` with another one at that place."""
    return [*runs[:place], (runs[place][0], run), *runs[place + 1 :]]


def slower(run: Run, from_trial: int, factor: float) -> Run:
    """``run``, of which each trial from that one on takes ``factor`` times as long."""
    ends = run.measured.ends
    at = ends[from_trial - 1]
    late = [end if end <= at else at + factor * (end - at) for end in ends]
    return Run(run.order, dataclasses.replace(run.measured, ends=late))
