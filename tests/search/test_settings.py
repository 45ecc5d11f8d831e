"""The contract read from an environment: defaults, every wrong value, and nothing leaked."""

from __future__ import annotations

import json
import math
import pickle

import pytest

from hyn_k8s import contract
from hyn_k8s.errors import SettingsError
from hyn_k8s.search.settings import Backend, Settings, slips, worker_storage

SECRET = "s3cr3t-value"


def read(**environ: str) -> Settings:
    return Settings.from_env(environ, "/home/ada")


def test_nothing_set_gives_the_documented_defaults() -> None:
    settings = read()
    assert settings.backend is Backend.DASK
    assert settings.executors == 3
    assert settings.scheduler is None
    assert settings.storage.kind == "file"
    assert settings.storage.root == "/home/ada/workdir"
    assert settings.run is None
    assert settings.trial_attempts == 5
    assert settings.cluster_patience == 300.0
    assert settings.ordered is False
    assert settings.seed is None


def test_everything_set_is_read() -> None:
    settings = read(
        HYN_SEARCH_BACKEND="standalone",
        HYN_SEARCH_EXECUTORS="8",
        DASK_SCHEDULER_ADDRESS="tls://scheduler:8786",
        HYN_STORAGE_TYPE="s3",
        HYN_STORAGE_ROOT="/bucket/some/prefix/",
        HYN_STORAGE_OPTIONS='{"client_kwargs": {"endpoint_url": "http://minio:9000"}}',
        HYN_RUN_ID="heart-7",
        HYN_SEARCH_TRIAL_ATTEMPTS="2",
        HYN_SEARCH_CLUSTER_PATIENCE="unlimited",
        HYN_SEARCH_ORDERED="1",
        HYN_SEARCH_SEED="4294967295",
    )
    assert settings.backend is Backend.STANDALONE
    assert settings.executors == 8
    assert settings.scheduler == "tls://scheduler:8786"
    assert (settings.storage.kind, settings.storage.root) == ("s3", "bucket/some/prefix")
    assert settings.storage.endpoint == "http://minio:9000"
    assert settings.run == "heart-7"
    assert settings.trial_attempts == 2
    assert settings.cluster_patience == math.inf
    assert settings.ordered is True
    assert settings.seed == 4294967295


def test_an_empty_variable_counts_as_unset() -> None:
    assert read(**{variable.name: " " for variable in contract.VARIABLES}) == read()


def test_a_relative_root_is_below_the_working_directory_and_home_is_expanded() -> None:
    assert read(HYN_STORAGE_ROOT="runs/../kept").storage.root == "/home/ada/kept"
    assert not read(HYN_STORAGE_ROOT="~/kept").storage.root.startswith("/home/ada/~")


@pytest.mark.parametrize(
    ("environ", "variable", "found"),
    [
        ({"HYN_SEARCH_BACKEND": "dusk"}, contract.BACKEND, "'dusk'"),
        ({"HYN_SEARCH_EXECUTORS": "0"}, contract.EXECUTORS, "'0'"),
        ({"HYN_SEARCH_EXECUTORS": "three"}, contract.EXECUTORS, "'three'"),
        ({"HYN_SEARCH_EXECUTORS": "-2"}, contract.EXECUTORS, "'-2'"),
        ({"HYN_SEARCH_EXECUTORS": "1.5"}, contract.EXECUTORS, "'1.5'"),
        ({"HYN_SEARCH_TRIAL_ATTEMPTS": "none"}, contract.TRIAL_ATTEMPTS, "'none'"),
        ({"HYN_SEARCH_CLUSTER_PATIENCE": "ever"}, contract.CLUSTER_PATIENCE, "'ever'"),
        ({"HYN_SEARCH_ORDERED": "yes"}, contract.ORDERED, "'yes'"),
        ({"HYN_SEARCH_SEED": "-1"}, contract.SEED, "'-1'"),
        ({"HYN_SEARCH_SEED": "4294967296"}, contract.SEED, "'4294967296'"),
        ({"HYN_SEARCH_SEED": "lucky"}, contract.SEED, "'lucky'"),
        ({"DASK_SCHEDULER_ADDRESS": "scheduler:8786"}, contract.SCHEDULER, "'scheduler:8786'"),
        ({"HYN_STORAGE_TYPE": "ftp"}, contract.STORAGE_TYPE, "'ftp'"),
        ({"HYN_STORAGE_ROOT": "s3://bucket"}, contract.STORAGE_ROOT, "HYN_STORAGE_TYPE is file"),
        ({"HYN_STORAGE_TYPE": "s3"}, contract.STORAGE_ROOT, "no bucket"),
        (
            {"HYN_STORAGE_TYPE": "s3", "HYN_STORAGE_ROOT": "/"},
            contract.STORAGE_ROOT,
            "begins with no bucket",
        ),
        (
            {"HYN_STORAGE_TYPE": "s3", "HYN_STORAGE_ROOT": "/Not_A_Bucket/x"},
            contract.STORAGE_ROOT,
            "begins with no bucket",
        ),
        (
            {"HYN_STORAGE_TYPE": "s3", "HYN_STORAGE_ROOT": "/bucket/../other"},
            contract.STORAGE_ROOT,
            "'..' part",
        ),
        ({"HYN_STORAGE_OPTIONS": "{secret"}, contract.STORAGE_OPTIONS, "no JSON at line 1"),
        ({"HYN_STORAGE_OPTIONS": "[1]"}, contract.STORAGE_OPTIONS, "an array"),
        ({"HYN_STORAGE_OPTIONS": '"x"'}, contract.STORAGE_OPTIONS, "a string"),
        (
            {"HYN_STORAGE_OPTIONS": '{"client_kwargs": 3}'},
            contract.STORAGE_OPTIONS,
            "client_kwargs that is a number",
        ),
        (
            {"HYN_STORAGE_OPTIONS": '{"key": "lonely"}'},
            contract.STORAGE_OPTIONS,
            "only one of access key and secret key",
        ),
        ({"HYN_STORAGE_ACCESS_KEY": "lonely"}, contract.STORAGE_ACCESS_KEY, "only one"),
        ({"HYN_STORAGE_SECRET_KEY": SECRET}, contract.STORAGE_SECRET_KEY, "only one"),
        ({"HYN_RUN_ID": "../up"}, contract.RUN_ID, "'../up'"),
        ({"HYN_RUN_ID": "a/b"}, contract.RUN_ID, "'a/b'"),
        ({"HYN_RUN_ID": "x" * 64}, contract.RUN_ID, "xxx"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(
    environ: dict[str, str], variable: contract.Variable, found: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**environ)
    sentence = str(caught.value)
    assert sentence.startswith(variable.name)
    assert found in sentence
    assert variable.accepted in sentence
    assert SECRET not in sentence


def test_malformed_options_are_never_echoed() -> None:
    with pytest.raises(SettingsError) as caught:
        read(HYN_STORAGE_OPTIONS='{"secret": "' + SECRET)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "options",
    [
        {"key": "id", "secret": SECRET},
        {"client_kwargs": {"aws_access_key_id": "id", "aws_secret_access_key": SECRET}},
    ],
)
def test_keys_are_lifted_out_of_the_options(options: dict[str, object]) -> None:
    storage = read(
        HYN_STORAGE_TYPE="s3", HYN_STORAGE_ROOT="/bucket", HYN_STORAGE_OPTIONS=json.dumps(options)
    ).storage
    assert storage.credentials is not None
    assert (storage.credentials.access_key, storage.credentials.secret_key) == ("id", SECRET)
    assert SECRET not in json.dumps(dict(storage.options))


def test_our_own_key_variables_win_over_the_options() -> None:
    storage = read(
        HYN_STORAGE_TYPE="s3",
        HYN_STORAGE_ROOT="/bucket",
        HYN_STORAGE_OPTIONS='{"key": "old", "secret": "old"}',
        HYN_STORAGE_ACCESS_KEY="new",
        HYN_STORAGE_SECRET_KEY=SECRET,
    ).storage
    assert storage.credentials is not None
    assert storage.credentials.access_key == "new"


def test_no_repr_shows_a_secret() -> None:
    settings = read(
        HYN_STORAGE_TYPE="s3",
        HYN_STORAGE_ROOT="/bucket",
        HYN_STORAGE_OPTIONS=json.dumps({"config_kwargs": {"proxies": SECRET}}),
        HYN_STORAGE_ACCESS_KEY="id",
        HYN_STORAGE_SECRET_KEY=SECRET,
    )
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.storage.credentials)


def test_an_error_survives_pickling() -> None:
    with pytest.raises(SettingsError) as caught:
        read(HYN_SEARCH_EXECUTORS="0")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("HYN_SEARCH_EXECUTOR", "HYN_SEARCH_EXECUTORS"),
        ("HYN_SEARCH_BACKENDS", "HYN_SEARCH_BACKEND"),
        ("HYN_STORAGE_OPTION", "HYN_STORAGE_OPTIONS"),
        ("HYN_RUN_NAME", "HYN_RUN_ID"),
    ],
)
def test_a_mistyped_name_is_reported_with_the_nearest_one(name: str, nearest: str) -> None:
    assert slips({name: "1"}) == [
        f"{name} is no setting of hyn-k8s and is ignored; did you mean {nearest}?"
    ]


def test_known_and_foreign_names_are_no_slips() -> None:
    known = {variable.name: "1" for variable in contract.VARIABLES}
    assert slips({**known, "HYNDSIGHT": "1", "HYN_OTHER_TOOL": "1", "PATH": "/bin"}) == []


def test_a_worker_uses_its_own_keys_where_its_environment_has_some() -> None:
    driver = read(
        HYN_STORAGE_TYPE="s3",
        HYN_STORAGE_ROOT="/bucket",
        HYN_STORAGE_OPTIONS='{"endpoint_url": "http://minio:9000"}',
        HYN_STORAGE_ACCESS_KEY="driver",
        HYN_STORAGE_SECRET_KEY=SECRET,
    ).storage
    assert worker_storage(driver, {}, "/") == driver
    own = {"HYN_STORAGE_ACCESS_KEY": "worker", "HYN_STORAGE_SECRET_KEY": "own"}
    worker = worker_storage(driver, own, "/")
    assert worker.credentials is not None
    assert worker.credentials.access_key == "worker"
    assert worker.endpoint == "http://minio:9000"
    aws = {"AWS_ACCESS_KEY_ID": "script's", "AWS_SECRET_ACCESS_KEY": "own"}
    assert worker_storage(driver, aws, "/") == driver
