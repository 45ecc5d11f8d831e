"""What is read of a search: which storage it is kept on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hyn_k8s.api.storage import Storage
from hyn_k8s.kube import CLAIM, CONFIG_MAP, JOB
from hyn_k8s.names import STORAGE_ANNOTATION
from tests.operator.life import Life
from tests.operator.objects import NAMESPACE, S3, SETTINGS, SHARED, claim

CONFIG = CONFIG_MAP.ref(NAMESPACE, "s-run")

ANOTHER = {"s3": {"root": "/another"}}


def default(life: Life, storage: dict[str, Any] | None) -> None:
    """The operator is installed again, with this default."""
    found = None if storage is None else Storage.model_validate(storage)
    life.settings = dataclasses.replace(SETTINGS, storage=found)


def storage_type(life: Life) -> str:
    """What the driver is told."""
    container = life.kube.objects[JOB.ref(NAMESPACE, "s-driver")]["spec"]["template"]["spec"]
    (env,) = [each["env"] for each in container["containers"]]
    (found,) = [each["value"] for each in env if each["name"] == "HYN_STORAGE_TYPE"]
    return str(found)


def record(life: Life, text: str | None) -> None:
    """Have ``text`` in the record's place."""
    life.kube.change(CONFIG, {"metadata": {"annotations": {STORAGE_ANNOTATION: text}}})


class TestStorage:
    """Of a search that names none."""

    @pytest.fixture
    def life(self) -> Life:
        """One that has begun on the operator's default, a claim."""
        life = Life()
        life.kube.put(claim())
        default(life, SHARED)
        life.apply(storage=None)
        life.go_on()
        return life

    def resumed(self, life: Life, storage: dict[str, Any] | None) -> Life:
        """With another default since it was suspended."""
        life.apply(storage=None, suspend=True)
        life.go_on()
        default(life, storage)
        life.go_on()
        life.apply(storage=None)
        life.go_on()
        return life

    @pytest.mark.parametrize("since", [ANOTHER, None])
    def test_it_goes_on_where_it_has_begun(self, life: Life, since: dict[str, Any] | None) -> None:
        assert storage_type(life) == "file"
        self.resumed(life, since)
        assert storage_type(life) == "file"

    @pytest.mark.parametrize("since", [ANOTHER, None])
    def test_while_it_runs_another_default_changes_nothing(
        self, life: Life, since: dict[str, Any] | None
    ) -> None:
        default(life, since)
        life.kube.let_go(JOB.ref(NAMESPACE, "s-driver"))
        life.go_on()
        assert storage_type(life) == "file"
        assert "Failed" not in life.conditions()

    def test_one_that_has_not_begun_takes_the_default_of_its_beginning(self) -> None:
        life = Life()
        default(life, SHARED)
        life.apply(storage=None)
        life.go_on()
        assert life.conditions()["StorageReady"] == "False ClaimMissing"
        default(life, ANOTHER)
        life.go_on()
        assert storage_type(life) == "s3"

    def test_one_that_was_begun_by_an_operator_without_records_takes_the_default(
        self, life: Life
    ) -> None:
        record(life, None)
        self.resumed(life, ANOTHER)
        assert storage_type(life) == "s3"

    def test_a_record_of_a_newer_operator_is_read_as_far_as_it_is_known(self, life: Life) -> None:
        record(life, '{"file": {"claimName": "shared", "mood": "good"}}')
        self.resumed(life, ANOTHER)
        assert storage_type(life) == "file"

    def test_a_record_that_cannot_be_read_is_told_and_no_other_storage_taken(
        self, life: Life
    ) -> None:
        record(life, '{"file": {}}')
        self.resumed(life, ANOTHER)
        assert life.conditions()["ClusterReady"] == "False Refused"
        assert "hyn-k8s.dev/storage of configmap s-run" in life.message("ClusterReady")

    def test_what_is_recorded_of_an_earlier_search_of_the_name_does_not_count(
        self, life: Life
    ) -> None:
        life.kube.change(CONFIG, {"metadata": {"finalizers": ["slow"]}})
        life.delete()
        life.kube.let_go(CLAIM.ref(NAMESPACE, "shared"))
        default(life, ANOTHER)
        life.apply(storage=None)
        life.go_on()
        assert CONFIG in life.kube.objects
        assert life.conditions()["StorageReady"] == "Unknown NotProved"

    def test_the_one_that_it_names_wins(self, life: Life) -> None:
        life.apply(storage=S3)
        life.kube.let_go(JOB.ref(NAMESPACE, "s-driver"))
        life.go_on()
        assert storage_type(life) == "s3"
