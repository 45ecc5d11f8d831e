"""The errors: each writes one sentence with all its fields, crosses pickle, and is in the tree."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from hyn_k8s import errors
from hyn_k8s.errors import (
    ClusterError,
    HynError,
    ReleaseError,
    RunError,
    RunTakenError,
    SchedulerError,
    ScriptError,
    SearchError,
    SettingsError,
    SpecError,
    StorageError,
    WorkerError,
)

SENTENCES: list[tuple[HynError, str]] = [
    (
        SettingsError("HYN_SEARCH_EXECUTORS (--executors)", "'0'", "a whole number of 1 or more"),
        "HYN_SEARCH_EXECUTORS (--executors): found '0'; accepted: a whole number of 1 or more",
    ),
    (ScriptError("search.py", "No such file or directory"), "search.py: No such file or directory"),
    (
        RunError("heart-1", "its search-1 has no trial 9"),
        "run heart-1: its search-1 has no trial 9",
    ),
    (
        RunError("heart-1", "its name is taken", "choose another name"),
        "run heart-1: its name is taken; choose another name",
    ),
    (
        RunTakenError("heart-1", "another driver has taken it over"),
        "run heart-1: another driver has taken it over",
    ),
    (
        StorageError("s3://bucket/runs", "the request failed (SlowDown)"),
        "storage s3://bucket/runs: the request failed (SlowDown)",
    ),
    (
        SchedulerError("tcp://scheduler:8786", "it does not answer"),
        "Dask scheduler tcp://scheduler:8786: it does not answer",
    ),
    (
        WorkerError("node-1 (tcp://10.0.0.7:40123)", "it has dask 1; the driver has dask 2"),
        "Dask worker node-1 (tcp://10.0.0.7:40123): it has dask 1; the driver has dask 2",
    ),
    (
        SearchError("heart-1/search-2", 7, "ValueError: no rows (trial 7)"),
        "heart-1/search-2: none of its 7 trials succeeded; "
        "the last error: ValueError: no rows (trial 7)",
    ),
    (
        SpecError("searchjob/team/heart", "spec.executors: it is no number"),
        "searchjob/team/heart: spec.executors: it is no number",
    ),
    (
        ClusterError("apply", "job team/heart-driver", 409, "the object has been modified"),
        "apply job team/heart-driver: HTTP 409: the object has been modified",
    ),
    (
        ReleaseError("hyn-k8s", "another release runs the searches of all namespaces"),
        "hyn-k8s: another release runs the searches of all namespaces",
    ),
]
EACH = pytest.mark.parametrize(
    "error", [error for error, _ in SENTENCES], ids=lambda e: type(e).__name__
)


def classes() -> set[type[HynError]]:
    """Every error class of the module."""
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return {each for each in found if issubclass(each, HynError)}


def fields(error: type[HynError]) -> list[str]:
    """The fields of an error class, in the order in which it takes them."""
    return list(inspect.signature(error.__init__).parameters)[1:]


def test_every_class_is_tried_here() -> None:
    assert {type(error) for error, _ in SENTENCES} | {HynError} == classes()


@pytest.mark.parametrize(("error", "sentence"), SENTENCES, ids=lambda v: type(v).__name__)
def test_an_error_writes_its_own_sentence(error: HynError, sentence: str) -> None:
    assert str(error) == sentence


@EACH
def test_the_sentence_has_every_field(error: HynError) -> None:
    deciding = ("lasting", "of_storage")  # they tell nothing
    named = [name for name in fields(type(error)) if name not in deciding]
    values = [str(getattr(error, name)) for name in named]
    assert len(values) >= 2
    for value in values:
        assert value in str(error)


@EACH
def test_an_error_survives_pickling_with_its_fields(error: HynError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error) != {}
    assert (again.args, str(again)) == (error.args, str(error))


@EACH
def test_except_hyn_error_catches_it(error: HynError) -> None:
    with pytest.raises(HynError) as caught:
        raise error
    assert caught.value is error


def test_the_tree_in_the_docstring_is_the_tree_of_classes_and_fields() -> None:
    assert errors.__doc__ is not None
    root = re.search(r"^ {4}(\w+)$", errors.__doc__, re.MULTILINE)
    branches = re.findall(
        r"^ {4}(?:[├└]──|│   └──) (\w+) +(.+?) {2,}(.+)$", errors.__doc__, re.MULTILINE
    )
    assert root is not None
    assert root[1] == HynError.__name__
    assert {name: shown.split(", ") for name, _, shown in branches} == {
        each.__name__: fields(each) for each in classes() - {HynError}
    }
    below = {each.__name__: each.__bases__[0] for each in classes() - {HynError}}
    assert below.pop("RunTakenError") is RunError
    assert set(below.values()) == {HynError}


def test_what_may_work_later_says_so() -> None:
    assert RunTakenError("r", "p").retry
    assert SchedulerError("a", "p").retry
    assert StorageError("u", "p").retry
    assert not StorageError("u", "p", True).retry
    assert not RunError("r", "p").retry


@pytest.mark.parametrize("status", [None, 401, 404, 409, 410, 429, 500, 502, 503, 504])
def test_what_kubernetes_may_do_another_time(status: int | None) -> None:
    assert ClusterError("get", "it", status, "").retry  # 401: a token that has just run out, too


@pytest.mark.parametrize("status", [400, 403, 405, 413, 422])
def test_what_kubernetes_refuses_for_good(status: int) -> None:
    assert not ClusterError("apply", "it", status, "").retry
