"""A driver from its config to its Outcome, against real schedulers and workers."""

from __future__ import annotations

import json
import pathlib
import uuid

import pytest

from hyn_k8s.documents import Cause, Problem, Stage, TrialCounts
from tests.driver.pods import FAILED, LATER, Pods
from tests.faults.evidence import Bucket
from tests.faults.scripts import SCRIPT
from tests.mounts import elsewhere
from tests.processes import DaskCluster, S3Server, dask_cluster, free_port
from tests.waiting import last_for, until

pytestmark = pytest.mark.processes


def test_a_run_is_served_while_it_goes_on_and_left_when_it_is_over(
    pods: Pods, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = {"HYN_DRIVER_POD": "pod-uid", "HYN_DRIVER_JOB": "job-uid"}
    pod = pods.begin("--trials 14 --seconds 0.6 --fail 2", cluster.address, env=uids)
    live = pod.await_progress(
        lambda p: p.stage is Stage.SEARCH and p.standing.trials.done > 3, "trials", 60
    )
    assert live.standing.results == str(pods.folder.parent / "root" / "it")
    assert (live.standing.ordinal, live.standing.search) == (1, "search-1")
    assert live.standing.trials.total == 14
    assert 1 <= live.standing.trials.running <= 3
    assert live.standing.best is not None
    assert set(live.standing.best.hyperparameters) == {"m.x", "m.depth", "m.kind"}
    assert live.eta_seconds is not None
    assert (live.workers_wanted, live.idle_workers, live.problem) == (3, (), None)
    assert pod.get("/healthz") == "ok\n"
    metrics = pod.get("/metrics")
    assert "hyn_trials_total_planned 14.0" in metrics
    assert 'hyn_stage{stage="search"} 1.0' in metrics
    assert pod.ended() == 0, pod.said
    outcome = pod.outcome()
    assert (outcome.exit_code, outcome.problem) == (0, None)
    assert (outcome.pod, outcome.job) == ("pod-uid", "job-uid")
    assert outcome.standing.trials == TrialCounts(14, succeeded=13, failed=1)
    best = outcome.standing.best
    assert best is not None
    summary = pods.run.summary()["best"]
    assert best.trial == summary["trial"]
    assert list(best.rewards) == summary["rewards"]
    assert best.hyperparameters == summary["hyperparameters"]
    assert best.model == summary["model"]
    assert outcome.standing.pareto is None
    kept = pods.place.files()["it/outcome.json"].decode()
    assert kept == pod.message.read_text()
    pods.check(monkeypatch, trials=14, failed=[2])

    again = pods.begin("--trials 14 --seconds 0.6 --fail 2", cluster.address, env=uids)
    assert again.ended() == 0, again.said
    assert again.outcome() == outcome


def test_sigterm_ends_it_in_time_and_the_next_one_goes_on(
    pods: Pods, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "--trials 12 --seconds 0.8"
    pod = pods.begin(script, cluster.address)
    pods.await_told(4)
    pod.terminate()
    assert pod.ended(25) == LATER, pod.said
    outcome = pod.outcome()
    assert outcome.exit_code == LATER
    assert outcome.problem is not None
    assert outcome.problem.cause is Cause.RUN
    assert "SIGTERM" in outcome.problem.message
    assert 4 <= outcome.standing.trials.done < 12
    assert "Traceback" not in pod.said
    following = pods.begin(script, cluster.address)
    assert following.ended() == 0, following.said
    assert following.outcome().standing.trials.done == 12
    pods.check(monkeypatch, trials=12)


BEFORE, _, REST = SCRIPT.partition("model.search(")
SEARCHING = f"model.search({REST.splitlines()[0]}"


def test_a_script_that_swallows_everything_does_not_hide_sigterm(
    pods: Pods, cluster: DaskCluster
) -> None:
    swallowing = f"    try:\n        {SEARCHING}\n    except:\n        print('whatever it was')\n"
    pods.write_script(f"{BEFORE}for _ in range(2):\n{swallowing}")
    pod = pods.begin("--trials 12 --seconds 0.8", cluster.address)
    pods.await_told(4)
    pod.terminate()
    assert pod.ended(25) == LATER, pod.said
    assert pod.said.count("whatever it was") == 2, "nor does the second search go on"
    problem = pod.outcome().problem
    assert problem is not None
    assert "SIGTERM" in problem.message


def test_nor_does_it_hide_sigterm_where_nothing_is_searched(pods: Pods) -> None:
    waiting = "try:\n    time.sleep(60)\nexcept BaseException:\n    sys.exit(1)\n"
    pods.write_script(f"import sys, time\nprint('it waits', flush=True)\n{waiting}")
    pod = pods.begin()
    until(lambda: "it waits" in pod.said, "the script", 30)
    pod.terminate()
    assert pod.ended(10) == LATER, pod.said
    again = pods.begin()  # what the first one left is no obstacle
    until(lambda: "it waits" in again.said, "the script", 30)
    again.terminate()
    assert again.ended(10) == LATER, again.said


def test_a_directory_of_the_users_gets_no_outcome(pods: Pods) -> None:
    """Its name is that of the run, which is refused."""
    root = pods.folder.parent / "root"
    theirs = root / pods.run.name
    theirs.mkdir(parents=True)
    (theirs / "outcome.json").write_text("theirs")
    (theirs / "clients.csv").write_text("theirs")
    pods.write_script("print('it begins')\n")
    pod = pods.begin()
    assert pod.ended(30) == 65, pod.said
    assert "is there and is no run: it holds clients.csv" in pod.said
    assert (theirs / "outcome.json").read_text() == "theirs"


def test_a_script_that_swallows_it_does_not_hide_that_the_storage_went_away(
    pods: Pods, cluster: DaskCluster
) -> None:
    swallowing = f"try:\n    {SEARCHING}\nexcept Exception:\n    print('whatever it was')\n"
    pods.write_script(f"{BEFORE}{swallowing}")
    patience = {"HYN_STORAGE_PATIENCE": "1"}
    pod = pods.begin("--trials 60 --seconds 0.5", cluster.address, env=patience)
    pods.await_told(3)
    root = pods.folder.parent / "root"
    root.rename(root.with_name("away"))
    root.write_text("no directory any more")
    assert pod.ended(60) == LATER, pod.said
    assert "whatever it was" in pod.said
    problem = pod.outcome().problem
    assert problem is not None
    assert problem.cause is Cause.STORAGE


def test_options_of_hypernets_reach_it(pods: Pods, cluster: DaskCluster) -> None:
    options = "from hypernets.conf._configuration import _conf"
    pods.write_script(f"{options}\nprint('its level is', _conf.log_level)\n")
    pod = pods.begin("--log-level=ERROR", cluster.address)
    assert pod.ended() == 0, pod.said
    assert "its level is 40" in pod.said
    pod = pods.begin("--log-level=7", cluster.address)
    assert pod.ended() == FAILED, pod.said
    problem = pod.outcome().problem
    assert problem is not None
    assert problem.cause is Cause.SCRIPT
    assert "Hypernets did not take its arguments" in problem.message


class TestWaiting:
    def test_a_scheduler_that_comes_late(self, pods: Pods, tmp_path: pathlib.Path) -> None:
        address = f"tcp://127.0.0.1:{free_port()}"
        pod = pods.begin("--trials 3 --seconds 0.01", address)
        waiting = pod.await_progress(lambda p: p.problem, "the driver's waiting")
        assert waiting.stage is Stage.SCHEDULER
        assert waiting.problem is not None
        assert "Connection refused" in waiting.problem.message
        assert waiting.workers_wanted == 3
        last_for(3)
        with dask_cluster(tmp_path, workers=0, port=int(address.rpartition(":")[2])) as late:
            waiting = pod.await_progress(lambda p: p.stage is Stage.WORKER, "waiting for a worker")
            assert waiting.problem is not None
            assert waiting.problem.cause is Cause.WORKER
            late.add_worker("late")
            assert pod.ended() == 0, pod.said
        assert pod.outcome().standing.trials.done == 3

    def test_a_name_that_is_not_known_at_the_deadline(self, pods: Pods) -> None:
        pod = pods.begin("", "tcp://it-scheduler.invalid:8786", startup=1)
        assert pod.ended(20) == LATER, pod.said
        outcome = pod.outcome()
        assert outcome.problem is not None
        assert outcome.problem.cause is Cause.SCHEDULER
        assert "it-scheduler.invalid" in outcome.problem.message
        assert pods.place.files() == {}

    def test_no_worker_at_the_deadline(self, pods: Pods, tmp_path: pathlib.Path) -> None:
        with dask_cluster(tmp_path, workers=0) as empty:
            pod = pods.begin("", empty.address, startup=2)
            assert pod.ended(20) == LATER, pod.said
        problem = pod.outcome().problem
        assert problem is not None
        assert problem.cause is Cause.WORKER
        assert "none was connected within 2 s" in problem.message
        assert "Traceback" not in pod.said

    def test_sigterm_ends_it_at_once(self, pods: Pods, tmp_path: pathlib.Path) -> None:
        pod = pods.begin("", f"tcp://127.0.0.1:{free_port()}")
        pod.await_progress(lambda p: p.problem, "the driver's waiting")
        pod.terminate()
        assert pod.ended(3) == LATER, pod.said
        with dask_cluster(tmp_path, workers=0) as empty:
            pod = pods.begin("", empty.address)
            pod.await_progress(lambda p: p.stage is Stage.WORKER, "waiting for a worker")
            pod.terminate()
            assert pod.ended(5) == LATER, pod.said
        problem = pod.outcome().problem
        assert problem is not None
        assert "SIGTERM" in problem.message


SCRIPT_LINES = "import sys\n\n"


class TestFailing:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("raise ValueError('no\\nrows')", "ValueError: no rows ({script}, line 3)"),
            ("sys.exit(3)", "the script ended with exit code 3"),
        ],
    )
    def test_a_script_that_fails(self, pods: Pods, line: str, message: str) -> None:
        pods.write_script(SCRIPT_LINES + line)
        pod = pods.begin()
        assert pod.ended() == FAILED, pod.said
        problem = Problem(Cause.SCRIPT, message.format(script=pods.script))
        assert pod.outcome().problem == problem
        assert json.loads(pods.place.files()["it/outcome.json"])["exit_code"] == FAILED

    def test_a_script_that_is_no_python(self, pods: Pods, cluster: DaskCluster) -> None:
        pods.write_script("def broken(:\n")
        pod = pods.begin("", f"tcp://127.0.0.1:{free_port()}")
        assert pod.ended(20) == FAILED, pod.said
        problem = pod.outcome().problem
        assert problem is not None
        assert problem.cause is Cause.SCRIPT
        assert "it is no valid Python" in problem.message

    def test_every_trial_fails(self, pods: Pods, cluster: DaskCluster) -> None:
        pods.write_script(SCRIPT.replace("if self.number == options.fail", "if True"))
        pod = pods.begin("--trials 3", cluster.address)
        assert pod.ended() == FAILED, pod.said
        outcome = pod.outcome()
        assert outcome.problem is not None
        assert outcome.problem.cause is Cause.SEARCH
        assert "none of its 3 trials succeeded" in outcome.problem.message
        assert outcome.standing.trials == TrialCounts(3, failed=3)

    @pytest.mark.parametrize(
        ("env", "cause", "message"),
        [
            ({"HYN_SEARCH_BACKEND": "dusk"}, Cause.SETTINGS, "HYN_SEARCH_BACKEND"),
            ({"HYN_STORAGE_ROOT": "/etc/passwd/x"}, Cause.STORAGE, "Not a directory"),
        ],
    )
    def test_what_the_environment_says_is_wrong(
        self, pods: Pods, env: dict[str, str], cause: Cause, message: str
    ) -> None:
        pods.write_script("")
        pod = pods.begin(env=env)
        code = pod.ended(20)
        outcome = pod.outcome()
        assert outcome.exit_code == code
        assert outcome.problem is not None
        assert outcome.problem.cause is cause
        assert message in outcome.problem.message
        assert "Traceback" not in pod.said

    def test_there_is_no_config(self, pods: Pods) -> None:
        pod = pods.execute("run", "--config", str(pods.folder / "none.json"))
        assert pod.ended(20) == FAILED, pod.said
        problem = pod.outcome().problem
        assert problem is not None
        assert problem.cause is Cause.SETTINGS
        assert "No such file or directory" in problem.message


def test_a_search_with_a_front_on_s3_tells_no_secret(
    s3: S3Server, tmp_path: pathlib.Path, cluster: DaskCluster
) -> None:
    with Pods(tmp_path / "scene", Bucket(s3, s3, f"runs-{uuid.uuid4().hex}")) as pods:
        script = "--trials 12 --seconds 0.5 --searcher nsga2"
        leak = "raise ValueError(f\"keys {os.environ['HYN_STORAGE_SECRET_KEY']}\")\n"
        pods.write_script(SCRIPT + leak)
        pod = pods.begin(script, cluster.address)
        pod.await_progress(lambda p: p.standing.trials.done > 2, "trials")
        served = pod.get("/progress") + pod.get("/metrics")
        assert pod.ended() == FAILED, pod.said
        outcome = pod.outcome()
        assert outcome.problem is not None
        assert outcome.problem.message.startswith("ValueError: keys *** (")
        assert outcome.standing.trials.done == 12
        assert outcome.standing.results is not None
        assert outcome.standing.results.startswith("s3://runs-")
        told = [served, pod.message.read_text(), pods.place.files()["it/outcome.json"].decode()]
        pods.write_script(SCRIPT)
        pod = pods.begin(script, cluster.address)
        assert pod.ended() == 0, pod.said
        assert pod.outcome().standing.pareto == len(pods.run.summary()["pareto"]) >= 1
        told += [pod.said, pod.message.read_text()]
        report = pods.execute("report")
        assert report.ended(20) == 0, report.said
        assert report.message.read_text() == pod.message.read_text()
        told.append(report.said)
        for text in told:
            assert s3.secret_key not in text
            assert s3.access_key not in text


def test_a_worker_elsewhere_is_a_problem_of_the_storage(pods: Pods, tmp_path: pathlib.Path) -> None:
    with dask_cluster(tmp_path, workers=0) as strange:
        strange.add_worker("stray", prefix=elsewhere(tmp_path / "root"))
        pod = pods.begin("--trials 3", strange.address)
        assert pod.ended() == FAILED, pod.said
    problem = pod.outcome().problem
    assert problem is not None
    assert problem.cause is Cause.STORAGE
    assert "stray" in problem.message
    assert "is not the driver's storage there" in problem.message
