"""Hypernets' own ``fs``: bound to a storage, held by many modules, pickled, and first imported."""

from __future__ import annotations

import copy
import importlib
import os
import pathlib
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest
from hypernets.utils import fs

from hyn_k8s.search import binding
from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.settings import StorageSettings
from tests.processes import BARE_ENVIRONMENT, S3Server
from tests.search.test_storage import s3_storage

HOLDERS = [
    "hypernets.core.callbacks",
    "hypernets.dispatchers.in_process_dispatcher",
    "hypernets.examples.plain_model",
    "hypernets.tabular.cache",
    "hypernets.tabular.ensemble.base_ensemble",
    "hypernets.utils",
    "hypernets.utils._estimators",
]
"""Modules of Hypernets that keep ``fs`` by name."""

Bind = Callable[[str], pathlib.Path]


def write(path: str, text: str = "") -> None:
    """Write ``text`` through ``fs``, with the directories above."""
    fs.mkdirs(path.rpartition("/")[0], exist_ok=True)
    with fs.open(path, "w") as file:
        file.write(text)


STRANGE_ROOTS = ["re [v2]", "a*", "x?"]
"""Directory names that are patterns to a file system which looks for any."""


def use_below(
    beside: Callable[[str], None], left: Callable[[], set[str]], others: set[str]
) -> None:
    """Use ``fs`` below such a root, beside files that the root would match as a pattern."""
    for other in others:
        beside(other)
    write("models/a.pkl", "one")
    write("models/b.txt", "two")
    assert fs.exists("models/a.pkl")
    assert fs.glob("models/*.pkl") == ["models/a.pkl"]
    assert sorted(fs.find("models")) == ["models/a.pkl", "models/b.txt"]
    assert fs.cat("models/a.pkl") == b"one"
    fs.cp("models/a.pkl", "models/c.pkl")
    fs.mv("models/c.pkl", "models/d.pkl")
    fs.rm("models/a.pkl")
    fs.rm("models/b.txt")
    assert left() - others == {"models/d.pkl"}
    fs.rm("models", recursive=True)
    assert left() == others


@pytest.fixture
def bind(tmp_path: pathlib.Path) -> Bind:
    """Binds ``fs`` to a directory of the test, by name."""

    def bind(name: str) -> pathlib.Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        binding.bind(StorageSettings("file", str(root)))
        return root

    return bind


class TestDirectory:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_paths_are_below_the_root(self, bind: Bind, slash: str) -> None:
        root = bind("root")
        write(f"{slash}models/a.txt", "one")
        write(f"{slash}models/deep/b.txt", "two")
        assert (root / "models/a.txt").read_text() == "one"
        assert fs.exists(f"{slash}models/deep/b.txt")
        assert not fs.exists(f"{slash}models/b.txt")
        with fs.open(f"{slash}models/a.txt") as file:
            assert file.read() == b"one"
        found = sorted(fs.ls(f"{slash}models", detail=False))
        assert found == [f"{slash}models/a.txt", f"{slash}models/deep"]
        assert fs.glob(f"{slash}models/*.txt") == [f"{slash}models/a.txt"]
        assert fs.find(f"{slash}models/deep") == [f"{slash}models/deep/b.txt"]
        assert fs.info(f"{slash}models/a.txt")["size"] == 3

    def test_a_pattern_at_the_root(self, bind: Bind) -> None:
        bind("root")
        write("models/a.txt", "one")
        assert fs.glob("*") == ["models"]

    def test_what_is_listed_can_be_opened(self, bind: Bind) -> None:
        bind("root")
        write("models/a.txt", "one")
        for listed in (*fs.ls("models", detail=False), *fs.glob("models/*")):
            with fs.open(listed, "r") as file:
                assert file.read() == "one"

    def test_a_path_with_the_root_in_it_is_taken_as_it_is(self, bind: Bind) -> None:
        root = bind("root")
        write(f"{root}/models/a.txt", "one")
        assert (root / "models/a.txt").read_text() == "one"
        assert fs.exists("models/a.txt")
        assert fs.ls(f"{root}/models", detail=False) == [f"{root}/models/a.txt"]

    @pytest.mark.parametrize("root", ["data", "data2"])
    def test_a_root_is_not_confused_with_one_that_begins_like_it(
        self, bind: Bind, tmp_path: pathlib.Path, root: str
    ) -> None:
        other = tmp_path / ("data2" if root == "data" else "data")
        other.mkdir()
        bind(root)
        write(f"{other}/a.txt", "one")
        assert list(other.iterdir()) == []
        assert (tmp_path / root / str(other)[1:] / "a.txt").read_text() == "one"
        assert fs.exists(f"{other}/a.txt")
        write("data2/b.txt", "two")
        assert (tmp_path / root / "data2/b.txt").read_text() == "two"

    @pytest.mark.parametrize("name", STRANGE_ROOTS)
    def test_a_root_is_no_pattern(self, bind: Bind, tmp_path: pathlib.Path, name: str) -> None:
        root = bind(name)

        def beside(path: str) -> None:
            full = tmp_path / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text("another's")

        def left() -> set[str]:
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            return {str(f.relative_to(root if f.is_relative_to(root) else tmp_path)) for f in files}

        others = {f"{each}/models/a.pkl" for each in ("re v", "re 2", "ab", "xy")}
        use_below(beside, left, others)

    def test_copies_and_moves_stay_below_the_root(self, bind: Bind) -> None:
        root = bind("root")
        write("models/a.txt", "one")
        fs.cp("models/a.txt", "/models/b.txt")
        fs.mv("models/a.txt", "models/c.txt")
        assert sorted(path.name for path in (root / "models").iterdir()) == ["b.txt", "c.txt"]
        fs.rm("models", recursive=True)
        assert list(root.iterdir()) == []


class TestHolders:
    @pytest.mark.parametrize("name", HOLDERS)
    def test_they_hold_one_object_and_follow_each_bind(self, bind: Bind, name: str) -> None:
        holder = importlib.import_module(name)
        assert holder.fs is fs
        bind("first")
        write("models/a.txt")
        assert holder.fs.exists("models/a.txt")
        bind("second")
        assert not holder.fs.exists("models/a.txt")
        bind("first")
        assert holder.fs.exists("models/a.txt")
        assert holder.fs is fs

    def test_no_module_of_hypernets_holds_another(self) -> None:
        held = {
            name: module.fs
            for name, module in list(sys.modules.items())
            if name.startswith("hypernets.") and "fs" in vars(module)
        }
        assert set(HOLDERS) <= set(held)
        assert [name for name, each in held.items() if each is not fs] == []

    def test_a_model_of_hypernets_is_saved_and_loaded_there(self, bind: Bind) -> None:
        from hypernets.utils import load_estimator, save_estimator

        root = bind("root")
        fs.mkdirs("models", exist_ok=True)
        save_estimator({"weights": [1, 2]}, "models/a.pkl")
        assert (root / "models/a.pkl").is_file()
        assert load_estimator("models/a.pkl") == {"weights": [1, 2]}


class TestWatching:
    """Whether a path was used, for those who would have to ask a storage that is far away."""

    @pytest.mark.parametrize(
        "use",
        [
            lambda path: fs.open(path, "w").close(),
            lambda path: fs.exists(f"/{path}"),
            lambda path: write(path, "one"),
            lambda path: write(f"{path}/weights", "one"),
            lambda path: fs.mkdirs(os.path.dirname(path), exist_ok=True),
            lambda path: fs.rm("models", recursive=True),
            lambda path: fs.ls("/"),
            lambda path: fs.copy("models/other", path),
            lambda path: fs.expand_path([path, "models/other"]),
        ],
    )
    def test_it_and_what_is_above_and_below_is_noted(
        self, bind: Bind, use: Callable[[str], Any]
    ) -> None:
        root = bind("root")
        write("models/other")
        write("models/one")
        fs.rm("models/one")
        with binding.watching(f"{root}/models/one") as watched:
            assert not watched.is_named
            use("models/one")
            assert watched.is_named

    def test_others_are_not(self, bind: Bind) -> None:
        root = bind("root")
        with binding.watching(f"{root}/models/one") as watched:
            write("other/one")
            fs.exists("models/one-more")
            fs.exists("one")
            assert not watched.is_named

    def test_two_at_a_time(self, bind: Bind) -> None:
        root = bind("root")
        with binding.watching(f"{root}/one") as one, binding.watching(f"{root}/two") as two:
            fs.exists("two")
            assert (one.is_named, two.is_named) == (False, True)
        fs.exists("one")
        assert not one.is_named


class TestPickle:
    @pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
    def test_it_says_only_whose_it_is(self, bind: Bind, dumps: Callable[[Any], bytes]) -> None:
        root = bind("somewhere-else")
        pickled = dumps(fs)
        assert len(pickled) < 200
        assert root.name.encode() not in pickled

    def test_it_loads_as_the_process_s_own(self, bind: Bind) -> None:
        bind("first")
        pickled = pickle.dumps({"fs": fs})
        bind("second")
        assert pickle.loads(pickled)["fs"] is fs
        assert copy.deepcopy(fs) is fs

    @pytest.mark.processes
    def test_in_another_process_it_is_what_is_bound_there(self, bind: Bind) -> None:
        root = bind("here")
        there = root.parent / "there"
        there.mkdir()
        (there / "a.txt").write_text("one")
        (root / "fs.pkl").write_bytes(pickle.dumps(fs))
        program = f"""if True:
            import pathlib, pickle
            from hyn_k8s.search import binding, compat
            from hyn_k8s.search.settings import StorageSettings

            compat.apply()
            binding.bind(StorageSettings("file", {str(there)!r}))
            fs = pickle.loads(pathlib.Path({str(root / "fs.pkl")!r}).read_bytes())
            print(fs.exists("a.txt"), fs.exists("fs.pkl"))
        """
        assert run(program, root.parent) == "True False\n"


class TestS3:
    @pytest.fixture
    def bucket(self, s3: S3Server) -> str:
        """A new bucket; ``fs`` is bound to a prefix in it that begins with the bucket's name."""
        bucket = f"b-{uuid.uuid4().hex}"
        storage = s3_storage(s3, f"/{bucket}/{bucket}-runs/deep")
        ensure_bucket(storage)
        binding.bind(storage.settings)
        return bucket

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_paths_are_below_the_root(self, s3: S3Server, bucket: str, slash: str) -> None:
        write(f"{slash}models/a.txt", "one")
        write(f"{slash}models/deep/b.txt", "two")
        assert s3.objects(bucket) == {
            f"{bucket}-runs/deep/models/a.txt": b"one",
            f"{bucket}-runs/deep/models/deep/b.txt": b"two",
        }
        assert fs.exists(f"{slash}models/a.txt")
        assert not fs.exists(f"{slash}models/b.txt")
        with fs.open(f"{slash}models/a.txt") as file:
            assert file.read() == b"one"
        found = sorted(fs.ls(f"{slash}models", detail=False))
        assert found == [f"{slash}models/a.txt", f"{slash}models/deep"]
        assert fs.glob(f"{slash}models/*.txt") == [f"{slash}models/a.txt"]

    def test_a_path_that_begins_like_the_root_is_below_it_all_the_same(
        self, s3: S3Server, bucket: str
    ) -> None:
        paths = [f"{bucket}/a", f"{bucket}-runs/a", f"{bucket}/{bucket}-runs/deeper/a"]
        for path in paths:
            write(path, "one")
            assert fs.exists(path)
        root = f"{bucket}-runs/deep"
        assert s3.objects(bucket) == {f"{root}/{path}": b"one" for path in paths}
        assert fs.ls(f"{bucket}-runs", detail=False) == [f"{bucket}-runs/a"]

    def test_a_path_with_the_root_in_it_is_taken_as_it_is(self, s3: S3Server, bucket: str) -> None:
        root = f"{bucket}/{bucket}-runs/deep"
        write(f"{root}/a", "one")
        write(f"/{root}/b", "two")
        assert set(s3.objects(bucket)) == {f"{bucket}-runs/deep/a", f"{bucket}-runs/deep/b"}
        assert sorted(fs.ls(root, detail=False)) == [f"{root}/a", f"{root}/b"]

    def test_a_rooted_path_is_listed_rooted(self, s3: S3Server, bucket: str) -> None:
        storage = s3_storage(s3, f"/{bucket}/prefix")
        binding.bind(storage.settings)
        storage.write("models/a", b"1")
        assert fs.ls(f"/{bucket}/prefix/models", detail=False) == [f"{bucket}/prefix/models/a"]
        assert fs.ls("models", detail=False) == ["models/a"]

    @pytest.mark.parametrize("name", STRANGE_ROOTS)
    def test_a_root_is_no_pattern(self, s3: S3Server, bucket: str, name: str) -> None:
        binding.bind(s3_storage(s3, f"/{bucket}/above/{name}").settings)
        above = s3_storage(s3, f"/{bucket}/above")

        def left() -> set[str]:
            return {path.removeprefix(f"{name}/") for path in above.list_files("")}

        others = {f"{each}/models/a.pkl" for each in ("re v", "re 2", "ab", "xy")}
        use_below(lambda path: above.write(path, b"another's"), left, others)

    def test_what_another_process_wrote_since_is_seen(self, s3: S3Server, bucket: str) -> None:
        write("models/a", "one")
        assert fs.ls("models", detail=False) == ["models/a"]
        s3_storage(s3, f"/{bucket}/{bucket}-runs/deep").write("models/b", b"two")
        assert fs.ls("models", detail=False) == ["models/a", "models/b"]

    @pytest.mark.usefixtures("bucket")
    def test_its_pickle_has_no_secrets(self, s3: S3Server) -> None:
        pickled = pickle.dumps(fs)
        assert len(pickled) < 200
        for secret in (s3.secret_key, s3.access_key, s3.endpoint):
            assert secret.encode() not in pickled
        assert pickle.loads(pickled) is fs

    @pytest.mark.usefixtures("bucket")
    def test_a_directory_bound_afterwards_is_a_directory(self, bind: Bind) -> None:
        write("models/a.txt")
        root = bind("root")
        assert not fs.exists("models/a.txt")
        write("models/b.txt", "two")
        assert (root / "models/b.txt").read_text() == "two"
        assert not hasattr(fs, "secret")


def run(program: str, temporary: pathlib.Path) -> str:
    """What ``program`` prints, run in a new process whose temporary files go to ``temporary``."""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=temporary,
        env={**BARE_ENVIRONMENT, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.processes
class TestImport:
    def test_it_leaves_nothing_behind(self, tmp_path: pathlib.Path) -> None:
        program = """if True:
            import os, tempfile
            from hyn_k8s.search import compat

            compat.apply()
            import hypernets.utils
            print(tempfile.gettempdir(), os.listdir(tempfile.gettempdir()))
        """
        assert run(program, tmp_path) == f"{tmp_path} []\n"
        assert os.listdir(tmp_path) == []
