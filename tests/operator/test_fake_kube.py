"""The fake passes the contract; and does what only a fake does: fail when it is told to."""

from __future__ import annotations

import pytest

from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import CONFIG_MAP, Kube
from tests.operator.fake_kube import FakeKube
from tests.operator.kube_contract import KubeContract, config_map


class TestFakeKube(KubeContract):
    @pytest.fixture
    def api(self) -> Kube:
        return FakeKube()

    @pytest.fixture
    def namespace(self) -> str:
        return "default"

    @pytest.fixture
    def other_namespace(self) -> str:
        return "elsewhere"


def test_it_fails_as_it_is_told_to() -> None:
    kube = FakeKube()
    kube.failures["apply"] += [None, ClusterError("apply", "it", 409, "conflict")]
    kube.apply(config_map("default"))
    with pytest.raises(ClusterError):
        kube.apply(config_map("default"))
    kube.apply(config_map("default"))


def test_what_it_gives_away_is_a_copy() -> None:
    kube = FakeKube()
    kube.apply(config_map("default"))["data"]["a"] = "changed"
    found = kube.get(CONFIG_MAP.ref("default", "first"))
    assert found is not None
    assert found["data"]["a"] == "1"


def test_a_driver_that_does_not_answer_is_a_cluster_error() -> None:
    kube = FakeKube()
    with pytest.raises(ClusterError):
        kube.read_progress("default", "s-driver-x", "10.0.0.1")
    kube.progress["default", "s-driver-x"] = b"{}"
    assert kube.read_progress("default", "s-driver-x", "10.0.0.1") == b"{}"
