"""The life of a SearchJob, from apply to its end, in a cluster that is played."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hyn_k8s.documents import Cause, Outcome, Stage
from hyn_k8s.kube import (
    CLAIM,
    CONFIG_MAP,
    DASK_CLUSTER,
    DEPLOYMENT,
    EVENT,
    JOB,
    POD,
    SEARCH_JOB,
    SERVICE,
    Ref,
)
from hyn_k8s.names import DONE_ANNOTATION
from hyn_k8s.operator.plan import PROGRESS_SECONDS
from hyn_k8s.operator.resting import STUCK_SECONDS, WAITING_SECONDS
from tests.operator.life import Life
from tests.operator.objects import (
    NAME,
    NAMESPACE,
    SETTINGS,
    SHARED,
    TEMPLATE,
    claim,
    outcome,
    progress,
    standing,
)


@pytest.fixture
def life() -> Life:
    return Life()


@pytest.fixture
def running(life: Life) -> Life:
    """A search in its middle."""
    return begin(life)


def begin(life: Life, **spec: Any) -> Life:
    life.apply(**spec)
    life.go_on()
    run(life)
    return life


def run(life: Life) -> None:
    life.start_pods()
    life.driver_says(progress())
    life.go_on()


class TestFromApplyToComplete:
    def test_it_gets_what_it_needs_and_no_more(self, life: Life) -> None:
        life.apply()
        life.go_on()
        things = [each for each in life.there() if not each.startswith(("Pod", "Deployment"))]
        assert sorted(things) == [
            "ConfigMap s-run",
            "DaskCluster s",
            "DaskWorkerGroup s-default",
            "Job s-driver",
            "Service s-scheduler",
        ]
        assert life.status()["phase"] == "Starting"
        assert life.conditions() == {
            "StorageReady": "Unknown NotProved",
            "ClusterReady": "False Starting",
            "DriverRunning": "False Starting",
        }

    def test_it_runs_and_shows_how_far_it_is(self, running: Life) -> None:
        assert running.status()["phase"] == "Running"
        assert running.conditions() == {
            "StorageReady": "True Proved",
            "ClusterReady": "True Ready",
            "DriverRunning": "True Running",
        }
        assert running.status()["trials"]["done"] == 5
        assert running.status()["best"]["rewards"] == [0.9]

    def test_it_ends_with_the_results_and_frees_the_cluster(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.go_on()
        assert running.status()["phase"] == "Complete"
        assert running.conditions()["Complete"] == "True Succeeded"
        assert running.status()["trials"] == {
            "total": 20, "done": 20, "succeeded": 20, "failed": 0, "pruned": 0, "skipped": 0,
            "running": 0,
        }  # fmt: skip
        left = {each.split()[0] for each in running.there()}
        assert left == {"ConfigMap", "Job", "Pod"}  # the driver's log can still be read
        assert "completionTime" in running.status()

    def test_what_came_of_it_is_written_before_anything_is_taken_away(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        assert running.look().again_in == 0
        assert running.status()["phase"] == "Complete"
        assert "DaskCluster s" in running.there()

    def test_it_is_looked_at_for_as_long_as_there_is_something_to_do(self, life: Life) -> None:
        life.apply()
        life.go_on()
        assert life.look().again_in == WAITING_SECONDS
        run(life)
        assert life.look().again_in == PROGRESS_SECONDS
        life.driver_ends(outcome(0), job="Complete")
        life.look()
        assert life.look().again_in == WAITING_SECONDS
        life.go_on()
        assert life.look().again_in is None

    def test_one_that_ends_before_it_was_asked_how_far_it_is_has_its_counts(
        self, life: Life
    ) -> None:
        life.apply()
        life.go_on()
        life.start_pods()
        life.driver_ends(outcome(0), job="Complete")
        life.go_on()
        assert life.status()["trials"]["done"] == 20
        assert life.conditions()["StorageReady"] == "True Proved"
        assert life.message("StorageReady") == "driver and workers have written and read it"

    def test_between_the_end_of_the_pod_and_of_the_job_no_start_is_told(
        self, running: Life
    ) -> None:
        running.driver_ends(outcome(65, Cause.SCRIPT))
        running.look()
        assert running.conditions()["DriverRunning"] == "False Ended"
        assert running.status()["phase"] == "Running"

    def test_a_look_at_a_search_that_rests_in_itself_asks_for_nothing(self, running: Life) -> None:
        running.kube.calls.clear()
        running.look()
        assert running.kube.writes == []

    def test_each_thing_is_told_once(self, running: Life) -> None:
        for _ in range(5):
            running.go_on(seconds=10)
        running.driver_ends(outcome(0), job="Complete")
        for _ in range(5):
            running.go_on(seconds=10)
        assert len(running.kube.told) == len(set(running.kube.told))
        assert ("Normal", "Succeeded") in running.kube.events

    def test_a_script_that_fails_fails_the_search(self, running: Life) -> None:
        left = outcome(65, Cause.SCRIPT, "ValueError: no column 'age'")
        running.driver_ends(left, job="Failed:PodFailurePolicy")
        running.go_on()
        assert running.conditions()["Failed"] == "True ScriptFailed"
        assert running.message("Failed") == "ValueError: no column 'age'"
        assert ("Warning", "ScriptFailed") in running.kube.events
        assert running.status()["phase"] == "Failed"

    def test_a_spec_that_is_edited_after_the_end_is_observed(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.go_on()
        running.apply(ttlSecondsAfterFinished=1000)
        running.go_on()
        assert running.status()["observedGeneration"] == 2
        assert {each["observedGeneration"] for each in running.status()["conditions"]} == {2}


class TestResultsThatThePodTookAlong:
    def test_they_are_read_from_the_storage(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.kube.let_go(Ref.to(running.driver_pod()))
        running.go_on()
        assert "Job s-report" in running.there()
        assert "Complete" not in running.conditions()
        running.driver_ends(outcome(0), job="Complete", role="report")
        running.go_on()
        assert running.conditions()["Complete"] == "True Succeeded"
        assert running.status()["trials"]["done"] == 20
        assert "Job s-report" not in running.there()

    def test_what_an_earlier_driver_left_is_not_taken_for_them(self, running: Life) -> None:
        running.driver_ends(outcome(75, Cause.STORAGE))
        running.go_on()
        run(running)
        running.driver_ends(outcome(0), job="Complete")
        running.kube.let_go(Ref.to(running.driver_pod()))
        running.go_on()
        assert "Job s-report" in running.there()

    def test_what_an_earlier_driver_left_does_not_take_back_what_is_known(
        self, running: Life
    ) -> None:
        running.driver_ends(Outcome(75, standing(done=4, running=0, reward=0.5)))
        running.go_on()
        run(running)
        running.driver_ends(None, code=139, job="Failed:PodFailurePolicy")
        running.go_on()
        assert running.conditions()["Failed"] == "True ScriptFailed"
        assert running.status()["trials"]["done"] == 5
        assert running.status()["best"]["rewards"] == [0.9]

    def test_it_ends_without_them_when_they_cannot_be_read(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.kube.let_go(Ref.to(running.driver_pod()))
        for _ in range(4):
            running.go_on(seconds=60)
        assert running.conditions()["Complete"] == "True Succeeded"
        assert running.status()["trials"]["done"] == 5
        assert running.status()["trials"]["running"] == 0


class TestSuspend:
    def suspended(self, life: Life) -> Life:
        life.apply(suspend=True)
        life.go_on()
        return life

    def test_it_frees_every_pod_and_keeps_the_counts(self, running: Life) -> None:
        self.suspended(running)
        assert running.there() == {"ConfigMap s-run"}
        assert running.conditions()["Suspended"] == "True Suspended"
        what = "it has no pods, and resumes when spec.suspend is false"
        assert running.message("Suspended") == what
        assert running.status()["phase"] == "Suspended"
        assert (running.status()["trials"]["done"], running.status()["trials"]["running"]) == (5, 0)

    def test_it_keeps_what_the_driver_has_said_since_the_last_look(self, running: Life) -> None:
        running.driver_says(progress(standing=standing(done=8)))
        self.suspended(running)
        assert running.status()["trials"]["done"] == 8

    def test_it_keeps_what_a_driver_has_left_that_has_ended(self, running: Life) -> None:
        running.driver_ends(Outcome(75, standing(done=9, running=0)))
        self.suspended(running)
        assert running.status()["trials"]["done"] == 9

    def test_it_frees_the_pod_that_reads_the_results(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.kube.let_go(Ref.to(running.driver_pod()))
        running.go_on()
        assert "Job s-report" in running.there()
        self.suspended(running)
        assert running.there() == {"ConfigMap s-run"}

    def test_workers_stay_until_the_driver_has_gone(self, running: Life) -> None:
        running.pods_may_go = False
        self.suspended(running)
        assert "DaskCluster s" in running.there()
        assert "Suspended" not in running.conditions()
        assert running.conditions()["DriverRunning"] == "False Suspended"
        assert running.look().again_in == WAITING_SECONDS
        running.pods_may_go = True
        running.go_on()
        assert running.there() == {"ConfigMap s-run"}

    def test_it_is_resumed_with_all_its_deadlines_before_it(self, life: Life) -> None:
        begin(life, activeDeadlineSeconds=1000)
        life.apply(suspend=True, activeDeadlineSeconds=1000)
        life.go_on(seconds=100_000)
        life.apply(activeDeadlineSeconds=1000)
        life.go_on()
        assert life.conditions()["Suspended"] == "False Resumed"
        assert life.message("Suspended") == "it resumes where it stopped"
        assert "Failed" not in life.conditions()
        run(life)
        assert life.status()["phase"] == "Running"

    def test_no_second_driver_while_the_first_one_lives(self, running: Life) -> None:
        running.pods_may_go = False
        self.suspended(running)
        running.apply()
        running.go_on()
        drivers = [each for each in running.there() if each.startswith("Pod s-driver")]
        assert len(drivers) == 1
        assert "Job s-driver" not in running.there()
        running.pods_may_go = True
        running.go_on()
        assert "Job s-driver" in running.there()

    def test_a_new_cluster_waits_for_the_old_one_to_have_gone(self, running: Life) -> None:
        self.suspended(running)
        old = {"name": "s-scheduler", "namespace": NAMESPACE, "finalizers": ["slow"]}
        labels = {"hyn-k8s.dev/search": NAME, "hyn-k8s.dev/search-uid": "x"}
        labels["dask.org/component"] = "scheduler"
        for kind in (SERVICE, DEPLOYMENT):
            thing = {"apiVersion": kind.api_version, "kind": kind.name, "spec": {}}
            running.kube.put(thing | {"metadata": old | {"labels": labels}})
        running.apply()
        running.go_on()
        assert "DaskCluster s" not in running.there()
        for kind in (SERVICE, DEPLOYMENT):
            ref = kind.ref(NAMESPACE, "s-scheduler")
            running.kube.change(ref, {"metadata": {"finalizers": None}})
        running.go_on()
        assert "DaskCluster s" in running.there()

    def test_a_search_that_ends_before_it_is_suspended_has_ended(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        self.suspended(running)
        assert running.status()["phase"] == "Complete"

    def test_it_may_be_suspended_from_the_start(self, life: Life) -> None:
        self.suspended(life)
        assert life.there() == set()
        assert life.conditions()["Suspended"] == "True Suspended"
        life.apply()
        life.go_on()
        assert "Job s-driver" in life.there()

    def test_somebody_elses_cluster_of_the_name_does_not_count(self, life: Life) -> None:
        foreign(life)
        self.suspended(life)
        assert life.conditions()["Suspended"] == "True Suspended"


def foreign(life: Life) -> None:
    """A DaskCluster of the search's name that a user has made."""
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": {}}
    thing = {"apiVersion": DASK_CLUSTER.api_version, "kind": DASK_CLUSTER.name}
    life.kube.put(thing | {"metadata": metadata, "spec": {"worker": {"replicas": 1}}})


class TestNames:
    def test_somebody_elses_object_of_the_name_is_left_alone(self, life: Life) -> None:
        foreign(life)
        life.dask_is_up = False
        life.apply()
        life.go_on()
        assert life.conditions()["ClusterReady"] == "False NameTaken"
        assert "DaskCluster s is there" in life.message("ClusterReady")
        assert life.there() == {"DaskCluster s"}

    def test_so_is_a_job_of_the_name_though_the_cluster_is_ready(self, running: Life) -> None:
        running.kube.let_go(JOB.ref(NAMESPACE, "s-driver"))
        metadata = {"name": "s-driver", "namespace": NAMESPACE, "labels": {}, "uid": "x"}
        running.kube.put({"apiVersion": JOB.api_version, "kind": "Job", "metadata": metadata})
        running.look()
        assert running.conditions()["ClusterReady"] == "False NameTaken"
        assert "Job s-driver is there" in running.message("ClusterReady")

    def test_objects_of_an_earlier_search_of_the_name_are_waited_for(self, running: Life) -> None:
        running.dask_is_up = False
        running.delete()
        running.apply()
        running.go_on()
        cluster = running.kube.objects[DASK_CLUSTER.ref(NAMESPACE, NAME)]
        assert "deletionTimestamp" in cluster["metadata"]
        assert "Job s-driver" not in running.there()
        assert running.conditions()["ClusterReady"] == "False Starting"
        running.dask_is_up = True
        running.go_on()
        assert "Job s-driver" in running.there()

    def test_the_same_name_in_another_namespace_is_another_search(self, running: Life) -> None:
        running.apply(namespace="other")
        running.go_on(namespace="other")
        running.go_on()
        assert running.status(namespace="other")["phase"] == "Starting"
        assert running.status()["phase"] == "Running"
        running.kube.let_go(SEARCH_JOB.ref("other", NAME))
        running.others()
        running.others()
        left = {ref.namespace for ref in running.kube.objects if ref.kind != EVENT}
        assert left == {NAMESPACE}
        assert running.look().again_in is not None
        assert running.status()["phase"] == "Running"


def test_nothing_is_left_of_a_deleted_search(running: Life) -> None:
    running.delete()
    running.others()
    running.look()
    running.others()
    assert running.there() == set()


class TestStorage:
    def test_without_any_it_fails_at_once(self, life: Life) -> None:
        life.apply(storage=None)
        life.go_on()
        assert life.conditions()["Failed"] == "True NoStorage"
        assert life.conditions()["StorageReady"] == "False NoStorage"
        assert life.message("Failed") == (
            "spec.storage is missing, and the operator has no default; name a claim or a bucket"
        )
        assert life.there() == set()

    def test_a_claim_that_is_missing_is_waited_for(self, life: Life) -> None:
        life.apply(storage=SHARED)
        life.go_on()
        assert life.conditions()["StorageReady"] == "False ClaimMissing"
        assert "shared" in life.message("StorageReady")
        assert life.there() == set()
        life.kube.put(claim())
        life.go_on()
        assert "Job s-driver" in life.there()

    def test_a_claim_of_one_node_is_refused(self, life: Life) -> None:
        life.kube.put(claim(mode="ReadWriteOnce"))
        life.apply(storage=SHARED)
        life.go_on()
        assert life.conditions()["StorageReady"] == "False ClaimNotShared"
        assert "Job s-driver" not in life.there()

    def test_a_claim_that_is_bound_with_the_first_pod_gets_one(self, life: Life) -> None:
        life.kube.put(claim(phase="Pending"))
        life.apply(storage=SHARED)
        life.go_on()
        assert life.conditions()["StorageReady"] == "False ClaimPending"
        assert "Job s-driver" in life.there()

    def test_a_claim_is_made_of_a_template_and_stays(self, life: Life) -> None:
        life.apply(storage=TEMPLATE)
        life.go_on()
        made = life.kube.objects[CLAIM.ref(NAMESPACE, NAME)]
        assert made["spec"]["accessModes"] == ["ReadWriteMany"]
        assert "Job s-driver" in life.there()
        assert life.conditions()["StorageReady"] == "Unknown NotProved"
        assert ("Warning", "ClaimPending") not in life.kube.events
        assert ("Warning", "ClaimMissing") not in life.kube.events
        life.delete()
        life.others()
        life.others()
        assert life.there() == {"PersistentVolumeClaim s"}


class TestDeadlines:
    def test_a_script_that_does_not_begin_in_time_says_what_it_waited_for(self, life: Life) -> None:
        life.apply(storage=SHARED, startupTimeoutSeconds=60)
        life.go_on(seconds=61)
        life.go_on()
        assert life.conditions()["Failed"] == "True StartupTimeout"
        assert "there is no PersistentVolumeClaim shared" in life.message("Failed")

    def test_a_search_that_takes_too_long_is_ended(self, life: Life) -> None:
        begin(life, activeDeadlineSeconds=30)
        life.clock.pass_by(31)
        life.go_on()
        assert life.conditions()["Failed"] == "True DeadlineExceeded"
        assert life.there() == {"ConfigMap s-run"}
        assert life.status()["trials"]["running"] == 0

    def test_a_finished_search_is_deleted_after_its_time(self, life: Life) -> None:
        begin(life, ttlSecondsAfterFinished=100)
        life.driver_ends(outcome(0), job="Complete")
        life.go_on()
        left = life.look().again_in or 0
        assert 90 < left < 100
        life.clock.pass_by(left - 0.5)
        life.look()
        assert SEARCH_JOB.ref(NAMESPACE, NAME) in life.kube.objects
        life.clock.pass_by(1)
        life.look()
        assert SEARCH_JOB.ref(NAMESPACE, NAME) not in life.kube.objects


class TestADeadNode:
    """Its pods are told to go, and nobody says that they have gone."""

    @pytest.fixture
    def running(self, running: Life) -> Life:
        running.pods_may_go = False
        return running

    @pytest.mark.parametrize("role", ["driver", "scheduler", "worker"])
    def test_a_pod_on_it_is_let_go_after_its_time(self, running: Life, role: str) -> None:
        pod = Ref.to(running.driver_pod(role))
        running.kube.let_go(pod)
        running.clock.pass_by(STUCK_SECONDS - 1)
        running.look()
        assert pod in running.kube.objects
        running.clock.pass_by(2)
        running.look()
        assert pod not in running.kube.objects

    def test_it_keeps_no_search_from_being_suspended(self, running: Life) -> None:
        running.apply(suspend=True)
        for _ in range(3):
            running.go_on(seconds=STUCK_SECONDS + 1)
        assert running.there() == {"ConfigMap s-run"}
        assert running.conditions()["Suspended"] == "True Suspended"

    def test_nothing_is_left_on_it_after_the_end(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.go_on(seconds=STUCK_SECONDS + 1)
        running.go_on()
        left = {each.split()[0] for each in running.there()}
        assert left == {"ConfigMap", "Job", "Pod"}
        assert len(running.kube.of_kind(POD)) == 1  # the driver's, with its log


def test_a_driver_that_is_too_busy_to_answer_leaves_the_status_as_it_is(running: Life) -> None:
    running.driver_says(progress(eta_seconds=95))
    running.go_on()
    before = running.status()
    assert before["eta"] == "1m30s"
    running.kube.progress.clear()
    running.go_on()
    after = running.status()
    told = after.pop("conditions"), before.pop("conditions")
    assert after == before
    assert [each["status"] for each in told[0]] == [each["status"] for each in told[1]]


class TestRetries:
    def test_a_driver_that_ended_before_its_time_is_followed_by_another(
        self, running: Life
    ) -> None:
        running.driver_ends(outcome(75, Cause.STORAGE, "bucket is away"))
        running.look()
        assert running.conditions()["DriverRunning"] == "False Retrying"
        assert "bucket is away" in running.message("DriverRunning")
        running.go_on()
        run(running)
        assert running.conditions()["DriverRunning"] == "True Running"
        assert running.conditions()["StorageReady"] == "True Proved"

    def test_what_passes_ends_no_search_that_has_begun(self, running: Life) -> None:
        """All retries are used up while the storage is away; after a minute there are new ones."""
        first = running.kube.objects[JOB.ref(NAMESPACE, "s-driver")]["metadata"]["uid"]
        left = outcome(75, Cause.STORAGE, "bucket is away")
        running.driver_ends(left, job="Failed:BackoffLimitExceeded")
        running.go_on(seconds=55)
        assert "Failed" not in running.conditions()
        assert running.conditions()["DriverRunning"] == "False Retrying"
        assert "bucket is away" in running.message("DriverRunning")
        running.go_on(seconds=10)
        running.go_on()
        second = running.kube.objects[JOB.ref(NAMESPACE, "s-driver")]["metadata"]
        assert second["uid"] != first
        assert second["annotations"][DONE_ANNOTATION] == str(running.status()["trials"]["done"])
        run(running)
        assert running.conditions()["DriverRunning"] == "True Running"

    def test_drivers_that_get_nowhere_end_it(self, running: Life) -> None:
        for _ in range(2):
            running.driver_ends(outcome(143), job="Failed:BackoffLimitExceeded")
            running.go_on(seconds=61)
            running.go_on()
            running.start_pods()
        assert running.conditions()["Failed"] == "True RetriesExhausted"

    def test_a_lost_driver_job_is_made_again(self, running: Life) -> None:
        running.kube.let_go(JOB.ref(NAMESPACE, "s-driver"))
        running.go_on()
        run(running)
        assert running.status()["phase"] == "Running"

    def test_a_lost_cluster_is_made_again(self, running: Life) -> None:
        running.kube.let_go(DASK_CLUSTER.ref(NAMESPACE, NAME))
        running.go_on()
        workers = [each for each in running.there() if each.startswith("Deployment s-default")]
        assert len(workers) == 3


def test_the_workers_follow_what_the_driver_wants(running: Life) -> None:
    names = [
        ref.name for ref in running.kube.objects if ref.kind == DEPLOYMENT and "worker" in ref.name
    ]
    idle = (names[0], names[2])
    running.clock.pass_by(60)
    running.driver_says(progress(wanted=1, idle_workers=idle))
    running.go_on()
    assert f"Deployment {names[1]}" in running.there()
    cluster = running.kube.objects[DASK_CLUSTER.ref(NAMESPACE, NAME)]
    assert cluster["spec"]["worker"]["replicas"] == 1
    running.driver_says(progress(wanted=3))
    running.go_on()
    assert len([each for each in running.there() if each.startswith("Deployment s-d")]) == 3


def test_the_script_runs_before_its_first_search_has_begun(life: Life) -> None:
    life.apply()
    life.go_on()
    life.start_pods()
    life.driver_says(progress(Stage.SCRIPT, standing=standing(0, 0)))
    life.go_on()
    assert life.conditions()["DriverRunning"] == "True Running"


def test_the_image_is_the_searchs_own_or_that_of_the_installation(life: Life) -> None:
    for name, spec, image in (("s", {}, SETTINGS.image), ("t", {"image": "mine:1"}, "mine:1")):
        life.apply(name, **spec)
        life.go_on(name=name)
        job = life.kube.objects[JOB.ref(NAMESPACE, f"{name}-driver")]["spec"]["template"]
        assert job["spec"]["containers"][0]["image"] == image


def test_images_are_pulled_as_the_installation_says() -> None:
    life = Life(
        dataclasses.replace(SETTINGS, image_pull_policy="Always", image_pull_secrets=("registry",))
    )
    life.apply(worker={"imagePullSecrets": [{"name": "mine"}]})
    life.go_on()
    cluster = life.kube.objects[DASK_CLUSTER.ref(NAMESPACE, NAME)]["spec"]
    job = life.kube.objects[JOB.ref(NAMESPACE, "s-driver")]["spec"]["template"]
    pods = [job["spec"], cluster["scheduler"]["spec"], cluster["worker"]["spec"]]
    assert {pod["containers"][0]["imagePullPolicy"] for pod in pods} == {"Always"}
    secrets = [pod["imagePullSecrets"] for pod in pods]
    assert secrets == [[{"name": "registry"}], [{"name": "registry"}], [{"name": "mine"}]]


def test_pods_and_config_of_the_search_are_labelled_as_its_own(running: Life) -> None:
    uid = running.kube.objects[SEARCH_JOB.ref(NAMESPACE, NAME)]["metadata"]["uid"]
    for kind in (POD, CONFIG_MAP, JOB, DEPLOYMENT):
        for each in running.kube.of_kind(kind):
            assert each["metadata"]["labels"]["hyn-k8s.dev/search-uid"] == uid
