"""What a user says of pods, put into them by key."""

from __future__ import annotations

import dataclasses

from hyn_k8s.api.pods import PodSettings
from hyn_k8s.objects.attachments import Attachment, by_key, variable
from hyn_k8s.objects.pods import Container, pod_metadata, pod_spec
from tests.objects.searches import LABELS, search


def container(*attachments: Attachment) -> Container:
    attachment = sum(attachments, Attachment())
    return Container("worker", ["true"], attachment, {"requests": {"cpu": "1", "memory": "1Gi"}})


def test_of_two_items_of_one_key_the_first_wins_in_its_place() -> None:
    first = [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    second = [{"name": "b", "value": "3"}, {"name": "c", "value": "4"}]
    assert by_key("name", first, second) == [*first, {"name": "c", "value": "4"}]


def test_attachments_are_put_together_by_key() -> None:
    ours = Attachment((variable("A", "1"),), ({"name": "v"},), ({"name": "v", "mountPath": "/v"},))
    theirs = Attachment(
        (variable("A", "2"), variable("B", "3")),
        ({"name": "v", "emptyDir": {}}, {"name": "w"}),
        ({"name": "w", "mountPath": "/v"}, {"name": "v", "mountPath": "/w"}),
    )
    assert ours + theirs == Attachment(
        (variable("A", "1"), variable("B", "3")),
        ({"name": "v"}, {"name": "w"}),
        ({"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/w"}),
    )


def test_a_users_mount_does_not_displace_what_is_at_its_path() -> None:
    storage = Attachment(mounts=({"name": "hyn-storage", "mountPath": "/opt/share"},))
    settings = PodSettings.model_validate(
        {
            "volumes": [{"name": "mine", "emptyDir": {}}],
            "volumeMounts": [{"name": "mine", "mountPath": "/opt/share"}],
        }
    )
    (built,) = pod_spec(search(), container(storage), settings)["containers"]
    assert [each["name"] for each in built["volumeMounts"]] == ["hyn-storage", "hyn-tmp"]


def test_the_users_resources_replace_ours_as_a_whole() -> None:
    settings = PodSettings.model_validate({"resources": {"limits": {"memory": "300Mi"}}})
    (built,) = pod_spec(search(), container(), settings)["containers"]
    assert built["resources"] == {"limits": {"memory": "300Mi"}}


def test_the_installations_pull_secrets_are_for_roles_without_their_own() -> None:
    given = dataclasses.replace(search(), image_pull_secrets=("registry", "mirror"))
    registry, mirror = {"name": "registry"}, {"name": "mirror"}
    mine = PodSettings.model_validate({"imagePullSecrets": [{"name": "mine"}]})
    for each, settings, secrets in (
        (given, None, [registry, mirror]),
        (given, PodSettings(), [registry, mirror]),
        (given, mine, [{"name": "mine"}]),
        (search(), None, None),
    ):
        assert pod_spec(each, container(), settings).get("imagePullSecrets") == secrets


def test_the_users_labels_do_not_displace_ours() -> None:
    mine = {"team": "a", "app.kubernetes.io/name": "mine", "app.kubernetes.io/component": "mine"}
    settings = PodSettings.model_validate({"labels": mine, "annotations": {"note": "x"}})
    role = {"hyn-k8s.dev/role": "driver", "app.kubernetes.io/component": "driver"}
    assert pod_metadata(search(), "driver", settings) == {
        "labels": {"team": "a", **LABELS, **role},
        "annotations": {"note": "x"},
    }
    assert pod_metadata(search(), "driver", None) == {"labels": LABELS | role}
