"""Programs that are built from Go modules, because no image or release of them can be fetched.

Each once: its file in the cache bears its version. Where there is no Go, Docker has one.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil

from tests.kind.pins import FILES, Pins, cache, read_pins
from tests.kind.shell import run, say
from tests.kind.turns import turn

STATIC = {"CGO_ENABLED": "0"}


def build_program(pins: Pins, name: str) -> pathlib.Path:
    """The static program ``name`` of ``pins.modules``; its path in the cache.

    Raises:
        CommandError: it cannot be built.
    """
    package = pins.modules[name]
    version = package.partition("@")[2] or getattr(pins, name)
    built = _folder() / f"{name}-{version}"
    with turn(name):
        if not built.exists():
            say(f"building {name} {version}")
            package = package.partition("@")[0]
            _install(pins, f"{package}@{version}", name, built)
    return built


def helm_program() -> str:
    """Helm: the one on the path, else one that is built."""
    return shutil.which("helm") or str(build_program(read_pins(), "helm"))


def build_kubernetes(pins: Pins) -> pathlib.Path:
    """Every component of Kubernetes in one static program; its path in the cache."""
    built = _folder() / f"kubernetes-{pins.kubernetes}"
    with turn("kubernetes"):
        if not built.exists():
            _build_kubernetes(pins, built)
    return built


def _build_kubernetes(pins: Pins, built: pathlib.Path) -> None:
    say(f"building Kubernetes {pins.kubernetes} (6 minutes the first time)")
    source = cache() / "kubernetes-source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    shutil.copy(FILES / "main.go", source)
    (source / "go.mod").write_text(_go_mod(pins))
    run("go", "mod", "tidy", cwd=source, seconds=900)
    major, minor, _ = pins.kubernetes.removeprefix("v").split(".")
    variables = {"gitVersion": pins.kubernetes, "gitMajor": major, "gitMinor": minor}
    # kubeadm, kind and kubelets of another version refuse a component that does not tell its own.
    flags = " ".join(f"-X k8s.io/component-base/version.{n}={v}" for n, v in variables.items())
    run(
        *("go", "build", "-ldflags", f"-s -w {flags}", "-o", "built", "."),
        cwd=source,
        env=STATIC,
        seconds=3600,
    )
    (source / "built").rename(built)
    shutil.rmtree(source)


def module_folder(module: str, version: str) -> pathlib.Path:
    """Where a module's own files are, downloaded if they are not there yet."""
    found = json.loads(run("go", "mod", "download", "-json", f"{module}@{version}"))
    return pathlib.Path(found["Dir"])


def _go_mod(pins: Pins) -> str:
    """A module that uses Kubernetes' own staged modules at one version, as Kubernetes does."""
    asked = f"k8s.io/kubernetes@{pins.kubernetes}"
    theirs = pathlib.Path(json.loads(run("go", "mod", "download", "-json", asked))["GoMod"])
    text = theirs.read_text()
    go = re.search(r"^go (\S+)$", text, re.MULTILINE)
    staged = re.findall(r"^\s*(k8s\.io/\S+) => \./staging/", text, re.MULTILINE)
    version = f"v0.{pins.kubernetes.removeprefix('v1.')}"
    lines = ["module hyn-k8s.dev/offline", "", f"go {go[1] if go else pins.go}", ""]
    lines += [f"require k8s.io/kubernetes {pins.kubernetes}", ""]
    lines += [f"replace {name} => {name} {version}" for name in staged]
    return "\n".join([*lines, ""])


def _install(pins: Pins, package: str, name: str, built: pathlib.Path) -> None:
    """``go install``, which names the program after its package, and then our name for it."""
    bin_folder = _folder() / f".{name}"
    shutil.rmtree(bin_folder, ignore_errors=True)
    bin_folder.mkdir()
    install = ("go", "install", "-ldflags=-s -w", package)  # nobody debugs them
    if shutil.which("go"):
        run(*install, env={**STATIC, "GOBIN": str(bin_folder)}, seconds=3600)
    else:
        container = ("docker", "run", "--rm", "--volume", f"{bin_folder}:/go/bin")
        where = ("--env", "CGO_ENABLED=0", f"golang:{pins.go}")
        run(*container, *where, *install, seconds=3600)
    (program,) = bin_folder.iterdir()
    program.rename(built)
    bin_folder.rmdir()


def _folder() -> pathlib.Path:
    folder = cache() / "programs"
    folder.mkdir(exist_ok=True)
    return folder
