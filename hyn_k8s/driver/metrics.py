"""A driver's metrics for Prometheus, made of its progress whenever they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hyn_k8s.documents import Progress, Stage


class ProgressCollector(Collector):
    """The gauges of what ``read`` returns; None is no sample."""

    def __init__(self, read: Callable[[], Progress]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Every gauge, with the values of this moment."""
        progress = self._read()
        trials, best = progress.standing.trials, progress.standing.best
        by_status = {
            name: getattr(trials, name)
            for name in ("succeeded", "failed", "pruned", "skipped", "running")
        }
        stages = {str(stage): int(stage is progress.stage) for stage in Stage}
        rewards = best.rewards if best else ()
        yield _by("hyn_trials", "Trials by what they have come to", "status", by_status)
        yield _one("hyn_trials_total_planned", "Trials of all searches begun", trials.total)
        yield _one("hyn_workers_wanted", "Workers that can be kept busy", progress.workers_wanted)
        yield _one("hyn_workers_idle", "Workers that may go", len(progress.idle_workers))
        yield _one("hyn_eta_seconds", "Until the search has all trials", progress.eta_seconds)
        best_reward = next(iter(rewards), None)
        yield _one("hyn_best_reward", "The first reward of the best trial", best_reward)
        yield _by("hyn_stage", "Whether the driver is at this stage", "stage", stages)
        problem = progress.problem
        causes = {str(problem.cause): 1} if problem else {}
        yield _by("hyn_problem", "What the driver waits for or was told of", "cause", causes)


def exposition(registry: CollectorRegistry) -> bytes:
    """The metrics of ``registry`` as Prometheus reads them."""
    return generate_latest(registry)


def registry_of(read: Callable[[], Progress]) -> CollectorRegistry:
    """A registry of its own, with nothing but the gauges of ``read``'s progress."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProgressCollector(read))
    return registry


def _one(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning)
    if value is not None:
        family.add_metric([], value)
    return family


def _by(name: str, meaning: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family
