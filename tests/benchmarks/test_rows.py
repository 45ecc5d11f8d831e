"""What measurements come to: ratios in one run, medians over turns, and what falls short."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from benchmarks import plan
from benchmarks.order import BARE, EVOLUTION, HISTORY, HYN, UPSTREAM
from benchmarks.plan import DATA, DISTANT, LONG, MEMORY, META, NOOP, SLEEP
from benchmarks.rows import FAILED, REACHED, SHORT, Row, Runs, peer_sentence, rows
from tests.benchmarks.measurements import SWIFT, all_at, changed, slower, steady

GOOD = all_at({(NOOP[each], UPSTREAM): 4.0 for each in plan.IN_FLIGHT}, 100.0)


def row(what: str, runs: Runs) -> Row:
    """The first row that begins like that."""
    return next(row for row in rows(runs, SWIFT) if row.what.startswith(what))


def test_all_is_reached_by_one_as_fast_as_the_others() -> None:
    found = rows(GOOD, SWIFT)
    assert {row.verdict for row in found} == {REACHED}
    assert len({row.what for row in found}) == len(found) == 14


def test_rows_are_those_of_what_was_measured() -> None:
    only = [(block, run) for block, run in GOOD if block.name == SLEEP]
    assert [row.what for row in rows(only, None)] == [row("trials of 1 s", GOOD).what]
    assert rows([], None) == []


@pytest.mark.parametrize(
    ("per_second", "verdict"), [(91.0, REACHED), (85.0, SHORT), (79.0, FAILED)]
)
def test_a_trial_that_costs_much_beside_bare_dask_falls_short(
    per_second: float, verdict: str
) -> None:
    runs = all_at({(NOOP[8], HYN): per_second, (NOOP[8], UPSTREAM): 4.0}, 100.0)
    found = row(NOOP[8], runs)
    assert found.found == pytest.approx(per_second / 100)
    assert found.verdict == verdict


def test_the_median_of_the_turns_counts() -> None:
    places = [
        place
        for place, (block, run) in enumerate(GOOD)
        if block.name == NOOP[8] and run.order.system == HYN
    ]
    once = changed(GOOD, places[0], steady(GOOD[places[0]][1].order, 10.0))
    assert row(NOOP[8], once).found == 1.0
    twice = changed(once, places[1], steady(GOOD[places[1]][1].order, 10.0))
    assert row(NOOP[8], twice).verdict == FAILED


def test_hypernets_own_dispatcher_is_compared_over_as_many_trials() -> None:
    runs = list(GOOD)
    for place, (block, run) in enumerate(runs):
        if block.name == NOOP[2] and run.order.system == HYN:
            assert run.order.trials > plan.UPSTREAM_TRIALS
            runs = changed(runs, place, slower(run, plan.UPSTREAM_TRIALS, 100.0))
    found = row(f"{NOOP[2]}, the first 150 trials", runs)
    assert found.found == pytest.approx(25.0)
    assert found.verdict == REACHED


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, REACHED), (1.2, SHORT)])
def test_a_rate_that_falls_with_the_history(factor: float, verdict: str) -> None:
    runs = list(GOOD)
    for place, (block, run) in enumerate(runs):
        if block.name == LONG:
            runs = changed(runs, place, slower(run, 6000, factor))
    found = row("rate at trial 10 000", runs)
    assert found.found == pytest.approx(1 / factor)
    assert found.verdict == verdict
    assert "(100/s, 2.0 ms of the driver, 3.0 of a worker; then " in found.shown


@pytest.mark.parametrize(("dearer", "verdict"), [(1.0, SHORT), (1.2, REACHED)])
def test_a_machine_that_became_slower_is_not_a_rate_that_falls(dearer: float, verdict: str) -> None:
    """Then the same trial costs its worker more, too."""
    runs = list(GOOD)
    for place, (block, run) in enumerate(runs):
        if block.name == LONG:
            busy = run.measured.workers_busy
            late = [*busy[:11], *(busy[11] + dearer * (each - busy[11]) for each in busy[11:])]
            measured = dataclasses.replace(run.measured, workers_busy=late)
            on_it = dataclasses.replace(run, measured=measured)
            runs = changed(runs, place, slower(on_it, 6000, 1.2))
    assert row("rate at trial 10 000", runs).verdict == verdict


def test_workers_that_seem_to_have_computed_nothing_change_nothing() -> None:
    runs = list(GOOD)
    for place, (block, run) in enumerate(runs):
        if block.name == LONG:
            idle = dataclasses.replace(run.measured, workers_busy=[0.0] * 20)
            runs = changed(runs, place, dataclasses.replace(run, measured=idle))
    assert row("rate at trial 10 000", runs).found == pytest.approx(1.0)


def test_memory_is_what_comes_on_top_of_the_history() -> None:
    place = next(place for place, (_, run) in enumerate(GOOD) if run.order.system == HISTORY)
    assert GOOD[place][0].name == MEMORY
    found = row("driver's memory", GOOD)
    assert (found.found, found.shown) == (0, "6.0 kB; Hypernets' history alone 6.0 kB")
    history = GOOD[place][1]
    none = dataclasses.replace(history.measured, memory=[50_000_000] * len(history.measured.memory))
    found = row(
        "driver's memory", changed(GOOD, place, dataclasses.replace(history, measured=none))
    )
    assert found.found == pytest.approx(6000)
    assert found.verdict == SHORT


@pytest.mark.parametrize(
    ("block", "field", "value", "what", "target"),
    [
        (SLEEP, "system", HYN, "trials of 1 s, 32", 0.98),
        (DISTANT, "storage", "s3", "journal on S3", 0.97),
        (META, "searcher", EVOLUTION, "evolution", 0.97),
    ],
)
def test_one_that_waits_falls_short(
    block: str, field: str, value: str, what: str, target: float
) -> None:
    for factor, verdict in ((1 / target - 0.001, REACHED), (1 / target + 0.001, SHORT)):
        runs = list(GOOD)
        for place, (where, run) in enumerate(runs):
            if where.name == block and getattr(run.order, field) == value:
                runs = changed(runs, place, steady(run.order, 100.0 / factor))
        assert row(what, runs).verdict == verdict


def test_data_that_travels_more_than_it_has_to() -> None:
    place = next(
        place
        for place, (block, run) in enumerate(GOOD)
        if (block.name, run.order.system) == (DATA, HYN)
    )
    run = GOOD[place][1]
    for sent, verdict in ((1100, REACHED), (1101, SHORT)):
        measured = dataclasses.replace(run.measured, sent=sent)
        runs = changed(GOOD, place, dataclasses.replace(run, measured=measured))
        assert row("bytes on the wire", runs).verdict == verdict


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (dataclasses.replace(SWIFT, help=0.31), "hyn-k8s --help"),
        (dataclasses.replace(SWIFT, first_trial=4.1), "hyn-k8s run"),
    ],
)
def test_a_slow_start(start: object, what: str) -> None:
    found = rows([], start)  # type: ignore[arg-type]
    assert [row.verdict for row in found if row.what.startswith(what)] == [SHORT]
    assert [row.verdict for row in found if not row.what.startswith(what)] == [REACHED]


def test_beside_ray_tune_it_is_the_least_possible_time_that_counts() -> None:
    block = plan.peer()
    order = block.orders[0]
    run = steady(order, 125.0)
    sentence = peer_sentence([(block, run)])
    assert (
        "10000 trials of 0.1 s, 16 in flight: 80.0 s, 1.280 x the least possible 62.5 s" in sentence
    )
    assert "1.144 x the least possible 625 s" in sentence


def test_systems_take_turns() -> None:
    for block in plan.blocks():
        order = list(block.in_turns())
        assert len(order) == sum(turns for _, turns in block.turns)
        if len({*order}) > 1:
            assert all(one != other for one, other in itertools.pairwise(order))
        assert len({each.topology for each in order}) == 1


def test_every_window_has_four_worker_processes() -> None:
    orders = [order for block in plan.blocks() for order in block.orders if block.name != DATA]
    assert {order.workers for order in orders} == {4}
    assert all(
        order.workers * order.threads >= order.in_flight for order in orders if order.seconds
    )
    assert {order.system for order in orders} >= {BARE, HYN, UPSTREAM}
