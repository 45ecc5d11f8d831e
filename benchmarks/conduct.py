"""Carries orders out, one at a time, each by a process of its own on a cluster that is there.

A cluster is a scheduler and workers as anybody starts them, with Dask's own settings. All runs of a
block share one, since they take turns.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping

from benchmarks import order as orders
from benchmarks.order import Measured, Order, Run
from benchmarks.plan import Block
from tests.processes import BARE_ENVIRONMENT, free_port, listens
from tests.waiting import until

ROOT = pathlib.Path(__file__).parent.parent

LATENCY_SECONDS = 0.05
RUN_SECONDS = 400.0
"""No run takes that long."""
START_SECONDS = 60.0

ON_A_CLUSTER = {orders.BARE, orders.OPTUNA, orders.HYN, orders.UPSTREAM}

Tell = Callable[[str], None]


def carry_out(blocks: list[Block], tell: Tell) -> list[tuple[Block, Run]]:
    """All of it; within a block systems take turns. ``tell`` hears before each run what it is."""
    done = []
    with tempfile.TemporaryDirectory(prefix="hyn-k8s-bench-") as name, contextlib.ExitStack() as s3:
        folder = pathlib.Path(name)
        server: Mapping[str, str] | None = None
        for block in blocks:
            with _cluster(block, folder) as address:
                for order in block.in_turns():
                    tell(f"{block.name}: {order.system}")
                    if order.storage == "s3" and server is None:
                        server = s3.enter_context(_distant_s3())
                    done.append((block, Run(order, _run(order, address, server or {}))))
    return done


def _run(order: Order, scheduler: str | None, s3: Mapping[str, str]) -> Measured:
    """One order, in a driver of its own with a storage of its own."""
    with tempfile.TemporaryDirectory(prefix="hyn-k8s-bench-run-") as name:
        folder = pathlib.Path(name)
        given, result = folder / "order.json", folder / "measured.json"
        orders.write(given, order)
        words = [sys.executable, "-m", "benchmarks.drivers", *map(str, (given, result, folder))]
        if scheduler and order.system in ON_A_CLUSTER:
            words.append(scheduler)
        storage = s3 if order.storage == "s3" else {"HYN_STORAGE_ROOT": str(folder / "root")}
        done = subprocess.run(
            words,
            check=False,
            cwd=ROOT,
            env={**BARE_ENVIRONMENT, **storage, "HYN_RUN_ID": folder.name},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"{order}: {done.stderr[-4000:]}")
        return orders.read_measured(result)


@contextlib.contextmanager
def _cluster(block: Block, folder: pathlib.Path) -> Iterator[str | None]:
    """A scheduler's address, with the workers that the block needs; none if it needs none."""
    if not any(order.system in ON_A_CLUSTER for order in block.orders):
        yield None
        return
    workers, threads = block.topology
    dask = [sys.executable, "-m", "dask"]
    address = f"tcp://127.0.0.1:{free_port()}"
    count = ["--preload", "benchmarks.wire"]
    scheduler = [*dask, "scheduler", "--host", address, "--no-dashboard", *count]
    worker = [*dask, "worker", address, "--nworkers", str(workers), "--nthreads", str(threads)]
    worker += ["--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(folder), *count]
    with _process(scheduler, folder), _process(worker, folder):
        from distributed import Client

        with Client(address, timeout=START_SECONDS) as client:
            client.wait_for_workers(workers, timeout=START_SECONDS)
        yield address


@contextlib.contextmanager
def _process(words: list[str], folder: pathlib.Path) -> Iterator[None]:
    """It runs, with whatever it has started, until it is left."""
    with (folder / "processes.log").open("ab") as log:
        running = subprocess.Popen(
            words, cwd=ROOT, env=BARE_ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextlib.contextmanager
def _distant_s3() -> Iterator[Mapping[str, str]]:
    """The variables of an S3 server that answers LATENCY_SECONDS later than it could."""
    near, far = free_port(), free_port()
    here = [sys.executable, "-m"]
    server = [*here, "moto.server", "--host", "127.0.0.1", "--port", str(near)]
    passing = [*here, "benchmarks.latency", str(far), str(near), str(LATENCY_SECONDS)]
    with (
        tempfile.TemporaryDirectory(prefix="hyn-k8s-bench-s3-") as name,
        _process(server, pathlib.Path(name)),
        _process(passing, pathlib.Path(name)),
    ):
        for port in (near, far):
            until(functools.partial(listens, port), f"somebody at port {port}")
        yield {
            "HYN_STORAGE_TYPE": "s3",
            "HYN_STORAGE_ROOT": "/benchmarks",
            "HYN_STORAGE_OPTIONS": f'{{"client_kwargs": {{"endpoint_url": "http://127.0.0.1:{far}"}}}}',
            "HYN_STORAGE_ACCESS_KEY": "anybody",
            "HYN_STORAGE_SECRET_KEY": "anything",
        }
