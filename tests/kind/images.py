"""The images that tests run: the project's own two, and the S3 servers beside them.

Each is tagged by its content, so that a node that has the tag has that very image, and nothing is
loaded twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from tests.kind import archives, docker
from tests.kind.choice import Way
from tests.kind.go_programs import build_program
from tests.kind.pins import Pins, cache
from tests.kind.root_filesystems import root_filesystem
from tests.kind.shell import CommandError, run, say

ROOT = pathlib.Path(__file__).parents[2]
OURS = ("runtime", "operator")
SERVERS = ("minio", "versitygw")

_AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def build_ours(pins: Pins, way: Way) -> dict[str, str]:
    """Build the project's images; their names by target.

    They do not say of which commit they are: one that changes nothing in them changes no image.
    """
    options = _options(pins, way)
    built = {}
    for target in OURS:
        say(f"building the {target} image")
        built[target] = _build(target, released(target), options)
    return built


def build_libraries(pins: Pins, way: Way) -> list[str]:
    """Build what the project's images are built on, which seldom changes; the names."""
    targets = [f"{name}-libraries" for name in OURS]
    say("building the images of libraries")
    options = _options(pins, way)
    return [_build(target, f"hyn-k8s/{target}:dev", options) for target in targets]


def _options(pins: Pins, way: Way) -> list[str]:
    options = ["--build-arg", f"BASE_IMAGE={_base_image(pins, way)}"]
    return [*options, "--network", "host"] if way is Way.OFFLINE else options


def _build(target: str, name: str, options: Sequence[str]) -> str:
    docker.build(name, ROOT, "--target", target, *options)
    return _tagged(name)


def released(name: str) -> str:
    """The name that chart and manifests give an image of ours."""
    return f"hyn-k8s/{name}:{importlib.metadata.version('hyn-k8s')}"


def build_servers(pins: Pins) -> dict[str, str]:
    """Build the images of the S3 servers, each with a program and nothing else."""
    built = {}
    for server in SERVERS:
        program = build_program(pins, server)
        context = cache() / f"{server}-image"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir()
        shutil.copy(program, context / server)
        (context / "Dockerfile").write_text(
            f'FROM scratch\nCOPY {server} /\nUSER 1000:1000\nENTRYPOINT ["/{server}"]\n'
        )
        name = f"hyn-k8s/{server}:dev"
        docker.build(name, context)
        shutil.rmtree(context)
        built[server] = _tagged(name)
    return built


def load(group: str, images: Sequence[str], nodes: Sequence[str], laid: Sequence[str]) -> None:
    """Have ``images`` on ``nodes``, whose containerd answers: on all nodes at a time.

    What they are built on is not loaded if it is ``laid`` into the nodes.

    Raises:
        CommandError: a node does not take them.
    """
    on_all = frozenset.intersection(*map(_images_on, nodes))
    if on_all.issuperset(images):
        return
    archive = saved(group, images, [each for each in laid if each in on_all])
    say(f"loading {', '.join(images)} into {len(nodes)} nodes")
    importing = ("ctr", "--namespace", "k8s.io", "images", "import", "--all-platforms", "-")
    with contextlib.ExitStack() as ending:
        taking = []
        for node in nodes:
            given = ending.enter_context(archive.open("rb"))
            command = ["docker", "exec", "--interactive", node, *importing]
            process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL)
            taking.append(ending.enter_context(process))
    if any(each.returncode for each in taking):
        raise CommandError(f"{', '.join(images)} cannot be loaded into {', '.join(nodes)}")


def saved(group: str, images: Sequence[str], laid: Sequence[str]) -> pathlib.Path:
    """The archive of ``images``, kept for the next cluster in place of the group's one before."""
    told = hashlib.sha256(" ".join([*images, *laid]).encode()).hexdigest()[:12]
    archive = cache() / f"{group}-{told}.tar"
    if not archive.exists():
        for before in cache().glob(f"{group}-*.tar"):
            before.unlink()
        archives.write(archive, images, archives.layers(laid))
    return archive


def name_as_released(built: Mapping[str, str], nodes: Sequence[str]) -> None:
    """Have the images on ``nodes`` under the names that the chart and the manifests give them."""
    names = {each: released(each) for each in OURS}
    names["minio"] = "hyn-k8s/minio:latest"
    for node in nodes:
        for each, name in names.items():
            tag = ("images", "tag", "--force", f"docker.io/{built[each]}", f"docker.io/{name}")
            run("docker", "exec", node, "ctr", "--namespace", "k8s.io", *tag)


def pulled(registry: str) -> dict[str, str]:
    """The names that an existing cluster pulls them by."""
    tag = os.environ.get("HYN_E2E_TAG", "dev")
    return {name: f"{registry}/{name}:{tag}" for name in (*OURS, *SERVERS)}


def _images_on(node: str) -> frozenset[str]:
    """The names of the images on a node, as Docker has them."""
    listed = run("docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "list", "-q")
    return frozenset(name.removeprefix("docker.io/") for name in listed.split())


def _tagged(name: str) -> str:
    """``name`` under a tag that is its content's."""
    content = docker.image_id(name).removeprefix("sha256:")[:12]
    tagged = f"{name.partition(':')[0]}:{content}"
    run("docker", "tag", name, tagged)
    return tagged


def _base_image(pins: Pins, way: Way) -> str:
    """The official Python image, or a Debian with Python that trusts what this machine trusts."""
    if way is not Way.OFFLINE:
        return pins.images["python"]
    debian = root_filesystem(pins, "python")
    name = debian.replace("/python:", "/python-base:")
    context = cache() / "python-image"
    context.mkdir(exist_ok=True)
    shutil.copy(_AUTHORITIES, context / "authorities.crt")
    (context / "Dockerfile").write_text(
        f"FROM {debian}\nCOPY authorities.crt {_AUTHORITIES}\nENV PIP_CERT={_AUTHORITIES}\n"
    )
    docker.build(name, context)
    shutil.rmtree(context)
    return name
