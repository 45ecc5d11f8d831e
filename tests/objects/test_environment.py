"""The environment of driver and workers, as a driver reads it."""

from __future__ import annotations

from hyn_k8s.api.search_job import OPERATOR_VARIABLES, SearchJobSpec
from hyn_k8s.objects.environment import environment, environment_sources
from hyn_k8s.search.settings import Settings
from tests.objects.searches import FILE, FULL, RUN, S3, search, values


def test_a_driver_understands_it() -> None:
    settings = Settings.from_env(values(environment(search(**FULL))), "/")
    assert settings.scheduler == "tcp://iris-scheduler:8786"
    assert (settings.run, settings.executors) == (RUN, 8)
    assert (settings.trial_attempts, settings.trial_timeout) == (3, 3600)
    assert settings.grace == 60


def test_without_a_timeout_trials_run_as_long_as_they_take() -> None:
    assert Settings.from_env(values(environment(search())), "/").trial_timeout is None


def test_whatever_the_operator_sets_is_set_so_that_envfrom_cannot() -> None:
    dasks = {"DASK_WORKER_NAME"}  # its controller sets it, on workers
    for storage in (FILE, S3):
        names = {each["name"] for each in environment(search(storage))}
        assert set(OPERATOR_VARIABLES) - names == dasks


def test_the_users_variables_come_after_ours_and_may_refer_to_them() -> None:
    env = environment(search(env=[{"name": "OUT", "value": "/x/$(HYN_RUN_ID)"}]))
    names = [each["name"] for each in env]
    assert names.index("HYN_RUN_ID") < names.index("OUT")
    assert values(env)["OUT"] == "/x/$(HYN_RUN_ID)"


def test_the_user_may_have_another_home() -> None:
    env = environment(search(env=[{"name": "HOME", "value": "/data/home"}]))
    assert [each["value"] for each in env if each["name"] == "HOME"] == ["/data/home"]


def test_a_variable_of_ours_stays_ours_whatever_got_past_the_api_server() -> None:
    env = environment(search(env=[{"name": "HYN_RUN_ID", "value": "theirs"}]))
    assert [each["value"] for each in env if each["name"] == "HYN_RUN_ID"] == [RUN]


def test_sources_are_the_users() -> None:
    assert environment_sources(search(**FULL)) == FULL["envFrom"]
    assert environment_sources(search()) == []


def test_every_field_of_the_spec_is_for_the_builders_or_for_the_operator() -> None:
    built = set(FULL) | {"image", "storage", "run"}
    operated = {"suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}
    fields = {each.alias for each in SearchJobSpec.model_fields.values()}
    assert fields == built | operated


def test_the_run_is_its_own_or_the_one_that_it_resumes() -> None:
    assert values(environment(search()))["HYN_RUN_ID"] == RUN
    assert values(environment(search(run="old-0c1f6a52")))["HYN_RUN_ID"] == "old-0c1f6a52"
