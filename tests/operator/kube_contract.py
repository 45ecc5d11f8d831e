"""What the operator relies on of a ``Kube``: one class, passed by the fake and by the real one."""

from __future__ import annotations

from typing import Any

import pytest

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import CONFIG_MAP, EVENT, Kind, Kube, Ref
from tests.waiting import until


def config_map(namespace: str, name: str = "first", **more: Any) -> Manifest:
    """An object that every cluster knows and no controller touches."""
    metadata = {"name": name, "namespace": namespace, "labels": {"made-by": "contract"}}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata | more,
        "data": {"a": "1", "b": "2"},
    }


THING = Kind("contract.hyn-k8s.dev/v1", "Thing")
"""A kind with a status that no controller of the cluster writes; the operator may run there."""

DEFINITION: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.contract.hyn-k8s.dev"},
    "spec": {
        "group": "contract.hyn-k8s.dev",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def thing(namespace: str, size: int = 1) -> Manifest:
    """An object that has a status."""
    return {
        "apiVersion": THING.api_version,
        "kind": THING.name,
        "metadata": {"name": "contract", "namespace": namespace},
        "spec": {"size": size},
    }


class KubeContract:
    """Inherit it, and give the fixtures ``api``, ``namespace`` and ``other_namespace``."""

    @pytest.fixture
    def first(self, api: Kube, namespace: str) -> Manifest:
        """An object that has been applied."""
        return api.apply(config_map(namespace))

    def test_what_is_not_there_is_none(self, api: Kube, namespace: str) -> None:
        assert api.get(CONFIG_MAP.ref(namespace, "nobody")) is None
        assert api.list(CONFIG_MAP, namespace, {"made-by": "nobody"}) == []

    def test_an_applied_object_is_there_with_what_kubernetes_adds(
        self, api: Kube, namespace: str, first: Manifest
    ) -> None:
        found = api.get(CONFIG_MAP.ref(namespace, "first"))
        assert found is not None
        assert found["data"] == {"a": "1", "b": "2"}
        assert {"uid", "resourceVersion", "creationTimestamp"} <= found["metadata"].keys()
        assert found["metadata"]["uid"] == first["metadata"]["uid"]

    def test_to_apply_the_same_again_changes_nothing(
        self, api: Kube, namespace: str, first: Manifest
    ) -> None:
        again = api.apply(config_map(namespace))
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    def test_what_is_no_longer_applied_goes(self, api: Kube, first: Manifest) -> None:
        less = config_map(first["metadata"]["namespace"])
        del less["data"]["b"]
        assert api.apply(less)["data"] == {"a": "1"}

    def test_objects_are_found_by_their_labels(self, api: Kube, namespace: str) -> None:
        api.apply(config_map(namespace, labels={"search": "s", "role": "x"}))
        api.apply(config_map(namespace, "second", labels={"search": "s"}))
        found = api.list(CONFIG_MAP, namespace, {"search": "s", "role": "x"})
        assert [each["metadata"]["name"] for each in found] == ["first"]

    def test_objects_of_a_list_say_what_they_are(
        self, api: Kube, namespace: str, first: Manifest
    ) -> None:
        (found,) = api.list(CONFIG_MAP, namespace, {"made-by": "contract"})
        assert Ref.to(found) == CONFIG_MAP.ref(namespace, "first")

    def test_objects_are_listed_of_one_namespace_or_of_all(
        self, api: Kube, namespace: str, other_namespace: str
    ) -> None:
        for each in (namespace, other_namespace):
            api.apply(config_map(each, labels={"mark": namespace}))

        def namespaces(of: str | None) -> set[str]:
            found = api.list(CONFIG_MAP, of, {"mark": namespace})
            return {each["metadata"]["namespace"] for each in found}

        assert namespaces(namespace) == {namespace}
        assert namespaces(None) == {namespace, other_namespace}

    def test_a_patch_adds_changes_and_removes(
        self, api: Kube, namespace: str, first: Manifest
    ) -> None:
        ref = Ref.to(first)
        api.patch(ref, {"data": {"a": "9", "b": None, "c": "3"}})
        found = api.get(ref)
        assert found is not None
        assert found["data"] == {"a": "9", "c": "3"}
        assert found["metadata"]["labels"] == {"made-by": "contract"}

    def test_whoever_is_gone_may_be_changed_and_deleted(self, api: Kube, namespace: str) -> None:
        api.patch(CONFIG_MAP.ref(namespace, "nobody"), {"data": {"a": "1"}})
        api.replace_status(THING.ref(namespace, "nobody"), {"phase": "Pending"})
        api.delete(CONFIG_MAP.ref(namespace, "nobody"))
        api.delete(CONFIG_MAP.ref(namespace, "nobody"), uid="no-such-uid")

    def test_a_status_is_replaced_as_a_whole(self, api: Kube, namespace: str) -> None:
        ref = Ref.to(api.apply(thing(namespace)))
        api.replace_status(ref, {"phase": "Starting", "eta": "5s"})
        api.replace_status(ref, {"phase": "Running"})
        found = api.get(ref)
        assert found is not None
        assert found["status"] == {"phase": "Running"}
        assert found["metadata"]["generation"] == 1

    def test_a_status_is_not_written_to_another_object_of_the_name(
        self, api: Kube, namespace: str
    ) -> None:
        made = api.apply(thing(namespace))
        ref = Ref.to(made)
        api.replace_status(ref, {"phase": "Running"}, uid=made["metadata"]["uid"])
        api.replace_status(ref, {"phase": "Complete"}, uid="0-0-0-an-earlier-one")
        found = api.get(ref)
        assert found is not None
        assert found["status"] == {"phase": "Running"}

    def test_a_status_stays_when_the_spec_is_applied(self, api: Kube, namespace: str) -> None:
        ref = Ref.to(api.apply(thing(namespace)))
        api.replace_status(ref, {"phase": "Suspended"})
        found = api.apply(thing(namespace, size=2))
        assert found["status"] == {"phase": "Suspended"}
        assert found["metadata"]["generation"] == 2

    def test_a_deletion_meets_no_other_object_of_the_name(
        self, api: Kube, namespace: str, first: Manifest
    ) -> None:
        ref = Ref.to(first)
        api.delete(ref, uid="0-0-0-an-earlier-one")
        assert api.get(ref) is not None
        api.delete(ref, uid=first["metadata"]["uid"])
        until(lambda: api.get(ref) is None, "the object is gone")

    def test_what_is_owned_goes_in_time(self, api: Kube, namespace: str, first: Manifest) -> None:
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "first",
            "uid": first["metadata"]["uid"],
        }
        owned = Ref.to(api.apply(config_map(namespace, "second", ownerReferences=[owner])))
        api.delete(Ref.to(first))
        until(lambda: api.get(owned) is None, "the owned object is gone")

    def test_a_finalizer_keeps_an_object(self, api: Kube, namespace: str) -> None:
        ref = Ref.to(api.apply(config_map(namespace, finalizers=["hyn-k8s.dev/contract"])))
        api.delete(ref)
        found = api.get(ref)
        assert found is not None
        assert "deletionTimestamp" in found["metadata"]
        api.patch(ref, {"metadata": {"finalizers": None}})
        until(lambda: api.get(ref) is None, "the object is gone")

    def test_an_event_is_found_by_its_type(
        self, api: Kube, namespace: str, first: Manifest
    ) -> None:
        api.post_event(first, "Normal", "Ready", "it is ready")
        api.post_event(first, "Warning", "Quota", "there is no room")
        (found,) = api.list(EVENT, namespace, fields={"type": "Warning"})
        assert (found["reason"], found["message"]) == ("Quota", "there is no room")
        assert found["involvedObject"]["uid"] == first["metadata"]["uid"]

    def test_a_refusal_is_for_good_and_says_so_in_one_line(self, api: Kube, namespace: str) -> None:
        wrong = config_map(namespace) | {"data": {"no key/" + "x" * 2000: "1"}}
        with pytest.raises(ClusterError) as refused:
            api.apply(wrong)
        assert not refused.value.retry
        assert "configmap" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 1000
