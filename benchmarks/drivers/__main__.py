"""Carries one order out, and writes down what was measured."""

from __future__ import annotations

import dataclasses
import importlib
import pathlib
import sys
from typing import Any

from benchmarks import order as orders
from benchmarks import wire
from benchmarks.order import Measured, Order

MODULES = {
    orders.BARE: "bare_dask",
    orders.OPTUNA: "optuna_on_dask",
    orders.HYN: "hyn",
    orders.ALONE: "hypernets_alone",
    orders.UPSTREAM: "hypernets_on_dask",
    orders.HISTORY: "hypernets_history",
}


def carried_out(order: Order, folder: pathlib.Path, scheduler: str | None) -> Measured:
    """Do it; on a Dask cluster also count what its processes have sent and read."""
    module = importlib.import_module(f"benchmarks.drivers.{MODULES[order.system]}")
    run = module.run
    if scheduler is None:
        measured: Measured = run(order, None, folder)
        return measured
    from distributed import Client

    wire.count()
    client = Client(scheduler)
    before = counted(client)
    measured = run(order, client, folder)
    after = counted(client)
    return dataclasses.replace(measured, sent=after[0] - before[0], read=after[1] - before[1])


def counted(client: Any) -> tuple[int, int]:
    """Bytes that all processes have sent so far, and that workers have read of files."""
    sent = sum(client.run(wire.sent_so_far).values())
    sent += client.run_on_scheduler(wire.sent_so_far)
    return sent + wire.sent_so_far(), sum(client.run(wire.read_so_far).values())


if __name__ == "__main__":
    given, result, place = (pathlib.Path(each) for each in sys.argv[1:4])
    address = sys.argv[4] if len(sys.argv) > 4 else None
    orders.write(result, carried_out(orders.read_order(given), place, address))
