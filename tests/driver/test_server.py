"""What is served: the document as it is, health, and metrics that follow it."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hyn_k8s.documents import BestTrial, Cause, Problem, Progress, Stage, Standing, TrialCounts
from hyn_k8s.driver.server import serving

PROGRESS = Progress(
    Stage.SEARCH,
    Standing(
        trials=TrialCounts(10, succeeded=3, failed=1, running=2),
        best=BestTrial(3, (0.75, 2.0), {"x": "ü"}),
    ),
    eta_seconds=12.5,
    workers_wanted=3,
    idle_workers=("w-1",),
    problem=Problem(Cause.STORAGE, "it is away"),
)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def samples(text: str) -> dict[str, float]:
    families = text_string_to_metric_families(text)
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_progress_and_health() -> None:
    with serving(lambda: PROGRESS, 0) as port:
        assert Progress.from_json(get(port, "/progress")) == PROGRESS
        assert get(port, "/progress?x=1") == get(port, "/progress")
        assert get(port, "/healthz") == "ok\n"
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(port, "/secrets")
        assert caught.value.code == 404
        caught.value.close()


def test_metrics() -> None:
    with serving(lambda: PROGRESS, 0) as port:
        found = samples(get(port, "/metrics"))
    assert found["hyn_trials/succeeded"] == 3
    assert found["hyn_trials/running"] == 2
    assert found["hyn_trials_total_planned"] == 10
    assert found["hyn_workers_wanted"] == 3
    assert found["hyn_workers_idle"] == 1
    assert found["hyn_eta_seconds"] == 12.5
    assert found["hyn_best_reward"] == 0.75
    assert found["hyn_stage/search"] == 1
    assert found["hyn_stage/ended"] == 0
    assert found["hyn_problem/storage"] == 1


def test_what_is_unknown_is_no_sample() -> None:
    with serving(lambda: Progress(Stage.SCHEDULER), 0) as port:
        found = samples(get(port, "/metrics"))
    assert not {"hyn_eta_seconds", "hyn_best_reward", "hyn_problem/storage"} & set(found)
    assert found["hyn_trials/failed"] == 0


def test_a_port_that_is_taken_is_an_error() -> None:
    with serving(lambda: PROGRESS, 0) as port, pytest.raises(OSError):
        with serving(lambda: PROGRESS, port):
            pass
