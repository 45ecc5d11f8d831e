"""What tells a script from others: what was compiled of it, and of the modules that travel."""

from __future__ import annotations

import errno
import importlib
import os
import pathlib
import sys
import types
from collections.abc import Iterator
from typing import NoReturn

import pytest

from hyn_k8s.errors import ScriptError
from hyn_k8s.search.sources import Sources, read_own_sources, read_script


@pytest.fixture
def script(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """The script of this process, whose directory is on the path."""
    path = tmp_path / "heart.py"
    path.write_text("search()")
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", ["heart.py", "--trials", "10"])
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    for name in [n for n, m in sys.modules.items() if n.startswith("beside_heart")]:
        del sys.modules[name]


def digest() -> str:
    return read_own_sources().digest()


class TestScript:
    def test_it_tells_scripts_apart_by_their_text(self, script: pathlib.Path) -> None:
        before = digest()
        assert digest() == before
        script.write_text("search(cv=True)")
        assert digest() != before

    def test_it_is_known_by_what_was_read_at_first(self, script: pathlib.Path) -> None:
        """It is edited while it loads its data."""
        sources = read_own_sources()
        before = sources.digest()
        script.write_text("search(cv=True)")
        assert sources.digest() == before
        assert digest() != before

    def test_and_by_their_arguments(
        self, script: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = {digest()}
        for arguments in (["--trials", "20"], ["--trials10"], ["--trials", "10", ""], []):
            monkeypatch.setattr(sys, "argv", ["heart.py", *arguments])
            seen.add(digest())
        assert len(seen) == 5

    def test_not_by_where_they_lie(
        self, script: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = digest()
        moved = script.rename(tmp_path / "moved.py")
        monkeypatch.setattr(sys.modules["__main__"], "__file__", str(moved))
        monkeypatch.setattr(sys, "argv", [str(moved), "--trials", "10"])
        assert digest() == before

    def test_a_notebook_is_like_any_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
        monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel-1.json"])
        before = digest()
        monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel-2.json"])
        assert digest() == before


class TestModules:
    """Those beside the script, which travel to workers with it."""

    @pytest.fixture
    def module(self, script: pathlib.Path) -> pathlib.Path:
        path = script.parent / "beside_heart.py"
        path.write_text("DEPTH = 3")
        return path

    def imported(self) -> Sources:
        """The sources of a script that has imported it."""
        sys.modules.pop("beside_heart", None)
        importlib.invalidate_caches()
        sources = read_own_sources()
        with sources.watching():
            importlib.import_module("beside_heart")
        assert sources not in sys.meta_path
        return sources

    def test_a_module_that_was_edited_makes_it_another_script(self, module: pathlib.Path) -> None:
        before = self.imported().digest()
        assert self.imported().digest() == before
        module.write_text("DEPTH = 4 ")
        assert self.imported().digest() != before

    def test_it_is_known_by_what_was_imported(self, module: pathlib.Path) -> None:
        """It is edited after that, and before the first search begins."""
        sources = self.imported()
        before = sources.digest()
        module.write_text("DEPTH = 4 ")
        assert sources.digest() == before
        module.unlink()
        assert sources.digest() == before

    def test_so_are_those_of_a_package(self, script: pathlib.Path) -> None:
        package = script.parent / "beside_heart_too"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "depths.py").write_text("DEPTH = 3")
        sources = read_own_sources()
        with sources.watching():
            importlib.import_module("beside_heart_too.depths")
        before = sources.digest()
        (package / "depths.py").write_text("DEPTH = 4 ")
        assert sources.digest() == before
        assert digest() != before

    def test_one_that_is_not_imported_does_not_matter(self, module: pathlib.Path) -> None:
        before = digest()
        module.write_text("DEPTH = 4 ")
        assert digest() == before

    def test_installed_ones_do_not_matter(self, script: pathlib.Path) -> None:
        sources = read_own_sources()
        with sources.watching():
            importlib.reload(importlib.import_module("wave"))
        assert sources._modules == {}


@pytest.mark.parametrize(
    ("number", "passes"), [(errno.ESTALE, True), (errno.EIO, True), (errno.ENOENT, False)]
)
def test_a_script_on_a_volume_that_is_away_may_be_read_later(
    monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    def refusing(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("builtins.open", refusing)
    with pytest.raises(ScriptError) as caught:
        read_script("/opt/share/search.py")
    assert caught.value.retry is passes
