"""Searches that an installation has closed, from apply to its upgrade with other controllers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hyn_k8s.api.peers import NetworkPolicyPeer
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import NETWORK_POLICY, SEARCH_JOB
from hyn_k8s.operator.settings import OperatorSettings
from tests.operator.life import Life
from tests.operator.objects import NAME, NAMESPACE, SETTINGS, outcome
from tests.operator.test_plan import begin

POLICY = NETWORK_POLICY.ref(NAMESPACE, "s-network")

OPERATOR = {"podSelector": {"matchLabels": {"app": "operator"}}}
ANOTHER = {"namespaceSelector": {"matchLabels": {"team": "platform"}}}


def closed(*peers: dict[str, Any]) -> OperatorSettings:
    """An installation whose searches are reached by these."""
    found = tuple(NetworkPolicyPeer.model_validate(each) for each in peers)
    return dataclasses.replace(SETTINGS, network_policy=found)


@pytest.fixture
def life() -> Life:
    return Life(closed(OPERATOR))


@pytest.fixture
def running(life: Life) -> Life:
    """A search in its middle."""
    return begin(life)


def controllers(life: Life) -> Any:
    """Who may ask, as the policy says."""
    return life.kube.objects[POLICY]["spec"]["ingress"][1]["from"]


def applied(life: Life) -> list[str]:
    return [what.split()[0] for verb, what in life.kube.writes if verb == "apply"]


def test_it_is_there_before_there_is_anything_with_pods(life: Life) -> None:
    life.apply()
    life.kube.calls.clear()
    life.go_on()
    assert applied(life)[0] == "networkpolicy"
    assert controllers(life) == [OPERATOR]


def test_without_it_nothing_is_made_that_has_pods(life: Life) -> None:
    life.apply()
    no = ClusterError("apply", "networkpolicy team/s-network", 403, "User x cannot patch")
    life.kube.refused[NETWORK_POLICY] = no
    with pytest.raises(ClusterError):
        life.look()
    assert life.conditions()["ClusterReady"] == "False Refused"
    assert life.there() == set()
    life.kube.refused.clear()
    life.go_on()
    assert "Job s-driver" in life.there()


def test_an_installation_that_closes_nothing_does_not_even_ask_for_it() -> None:
    life = Life()
    life.kube.refused[NETWORK_POLICY] = ClusterError("get", "it", 403, "User x cannot get")
    begin(life)
    assert life.status()["phase"] == "Running"
    assert POLICY not in life.kube.objects


def test_a_search_that_has_settled_has_only_its_driver_asked(running: Life) -> None:
    running.kube.calls.clear()
    settled = running.look().settled
    assert settled is not None
    assert running.kube.writes == []
    assert ("get", "networkpolicy team/s-network") in running.kube.calls
    running.kube.calls.clear()
    assert running.look(settled=settled).settled is not None
    assert [verb for verb, _ in running.kube.calls] == ["read_progress"]


class TestOneThatIsNotAsItShouldBe:
    def made_again(self, life: Life) -> None:
        life.kube.calls.clear()
        assert life.look().settled is None
        assert applied(life) == ["networkpolicy"]
        life.kube.calls.clear()
        assert life.look().settled is not None
        assert life.kube.writes == []

    def test_of_an_installation_with_other_controllers(self, running: Life) -> None:
        running.settings = closed(OPERATOR, ANOTHER)
        self.made_again(running)
        assert controllers(running) == [OPERATOR, ANOTHER]

    def test_of_none_which_has_closed_nothing(self) -> None:
        life = begin(Life())
        life.settings = closed(OPERATOR)
        self.made_again(life)
        assert controllers(life) == [OPERATOR]

    def test_that_somebody_has_opened(self, running: Life) -> None:
        running.kube.change(POLICY, {"spec": {"ingress": [{}]}})
        self.made_again(running)
        assert controllers(running) == [OPERATOR]

    def test_that_is_lost(self, running: Life) -> None:
        running.kube.let_go(POLICY)
        self.made_again(running)

    def test_it_is_mended_when_a_suspended_search_goes_on(self, running: Life) -> None:
        running.apply(suspend=True)
        running.go_on()
        running.settings = closed(ANOTHER)
        running.go_on()
        assert controllers(running) == [OPERATOR]
        running.apply()
        running.go_on()
        assert controllers(running) == [ANOTHER]


class TestItsName:
    def test_somebody_elses_policy_of_the_name_is_left_alone(self, life: Life) -> None:
        spec: dict[str, Any] = {"podSelector": {}}
        metadata = {"name": POLICY.name, "namespace": NAMESPACE}
        thing = {"apiVersion": POLICY.kind.api_version, "kind": POLICY.kind.name}
        life.kube.put(thing | {"metadata": metadata, "spec": spec})
        life.apply()
        life.go_on()
        assert life.conditions()["ClusterReady"] == "False NameTaken"
        assert "NetworkPolicy s-network is there" in life.message("ClusterReady")
        assert life.there() == {"NetworkPolicy s-network"}
        assert life.kube.objects[POLICY]["spec"] == spec

    def test_that_of_an_earlier_search_of_the_name_is_waited_for(self, running: Life) -> None:
        running.kube.change(POLICY, {"metadata": {"finalizers": ["slow"]}})
        running.delete()
        running.others()
        running.apply()
        running.go_on()
        assert running.there() == {"NetworkPolicy s-network"}
        assert running.conditions()["ClusterReady"] == "False Starting"
        running.kube.change(POLICY, {"metadata": {"finalizers": None}})
        running.go_on()
        assert "Job s-driver" in running.there()
        uid = running.kube.objects[SEARCH_JOB.ref(NAMESPACE, NAME)]["metadata"]["uid"]
        selector = running.kube.objects[POLICY]["spec"]["podSelector"]
        assert selector == {"matchLabels": {"hyn-k8s.dev/search-uid": uid}}


class TestItStaysAsLongAsTheSearchJob:
    def test_while_that_is_suspended(self, running: Life) -> None:
        running.apply(suspend=True)
        running.go_on()
        assert running.conditions()["Suspended"] == "True Suspended"
        assert running.there() == {"ConfigMap s-run", "NetworkPolicy s-network"}

    def test_after_the_end(self, running: Life) -> None:
        running.driver_ends(outcome(0), job="Complete")
        running.go_on()
        left = {each.split()[0] for each in running.there()}
        assert left == {"ConfigMap", "Job", "Pod", "NetworkPolicy"}

    def test_and_goes_with_it(self, running: Life) -> None:
        running.delete()
        running.others()
        running.others()
        assert running.there() == set()
