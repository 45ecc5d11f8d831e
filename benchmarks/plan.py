"""Which runs the rows need: blocks of orders that take turns on one cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.order import (
    ALONE,
    BARE,
    EVOLUTION,
    HISTORY,
    HYN,
    OPTUNA,
    UPSTREAM,
    Order,
)

IN_FLIGHT = (2, 8, 32)
WORKERS = 4
LONG_TRIALS = 10_000
UPSTREAM_TRIALS = 150
"""Of Hypernets' own dispatcher, each of whose trials takes longer than the one before."""

NOOP = {in_flight: f"no-op, {in_flight} in flight" for in_flight in IN_FLIGHT}
LONG = "ten thousand trials"
MEMORY = "history alone"
SLEEP = "1 s, 32 in flight"
DATA = "200 MB of data"
DISTANT = "journal on distant S3"
META = "evolution with meta-learner"
PEER = "0.1 s, 16 in flight"


@dataclass(frozen=True)
class Block:
    """Orders that take turns, each as often as is said of it."""

    name: str
    turns: tuple[tuple[Order, int], ...]

    @property
    def orders(self) -> tuple[Order, ...]:
        """All that are in it."""
        return tuple(order for order, _ in self.turns)

    def quick(self) -> Block:
        """The same of little, each once."""
        return Block(self.name, tuple((order.quick(), 1) for order in self.orders))

    @property
    def topology(self) -> tuple[int, int]:
        """Workers, and threads of each: they share a cluster."""
        (topology,) = {order.topology for order in self.orders}
        return topology

    def in_turns(self) -> Iterator[Order]:
        """One of each, as long as any is left."""
        for turn in range(max(turns for _, turns in self.turns)):
            for order, turns in self.turns:
                if turn < turns:
                    yield order


def blocks() -> list[Block]:
    """What the table is made of; a quarter of an hour on two cores."""
    return [*(_noop(each) for each in IN_FLIGHT), *_long(), _sleep(), _data(), _distant(), _meta()]


def peer() -> Block:
    """Ray Tune's documented benchmark, at a tenth of its trials' length."""
    return Block(PEER, ((Order(HYN, 10_000, 16, WORKERS, 4, seconds=0.1), 1),))


def _noop(in_flight: int) -> Block:
    order = Order(BARE, 1000, in_flight, WORKERS, max(1, in_flight // WORKERS))
    turns = [(order, 3), (_by(HYN, order), 3), (_by(OPTUNA, order), 3)]
    turns.append((_by(UPSTREAM, order, trials=UPSTREAM_TRIALS), 1))
    if in_flight == IN_FLIGHT[0]:
        turns.append((_by(ALONE, order, trials=200), 1))
    return Block(NOOP[in_flight], tuple(turns))


def _long() -> list[Block]:
    order = Order(HYN, LONG_TRIALS, 8, WORKERS, 2)
    return [Block(LONG, ((order, 1),)), Block(MEMORY, ((_by(HISTORY, order), 1),))]


def _sleep() -> Block:
    order = Order(BARE, 640, 32, WORKERS, 8, seconds=1.0)
    return Block(SLEEP, ((order, 2), (_by(HYN, order), 2)))


def _data() -> Block:
    order = Order(BARE, 20, 2, 2, 1, megabytes=200)
    return Block(DATA, ((order, 1), (_by(HYN, order), 1), (_by(UPSTREAM, order), 1)))


def _distant() -> Block:
    order = Order(HYN, 160, 8, WORKERS, 2, seconds=1.0)
    return Block(DISTANT, ((order, 2), (dataclasses.replace(order, storage="s3"), 2)))


def _meta() -> Block:
    order = Order(HYN, 500, 8, WORKERS, 2, seconds=1.0)
    return Block(META, ((order, 1), (dataclasses.replace(order, searcher=EVOLUTION), 1)))


def _by(system: str, order: Order, trials: int | None = None) -> Order:
    """The same of another system."""
    return dataclasses.replace(order, system=system, trials=trials or order.trials)
