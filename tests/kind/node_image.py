"""kind's node image, made on the spot: a Debian with kind's own files and our Kubernetes.

kind's files come out of its Go module when the image is made, so this holds only what differs:
Debian's containerd, one program for all components, and a pod network of a few lines. The images
that pods run are not in it; ``node_store`` has those.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil

from tests.kind import docker
from tests.kind.go_programs import build_kubernetes, build_program, module_folder
from tests.kind.pins import FILES, Pins, cache
from tests.kind.root_filesystems import root_filesystem
from tests.kind.shell import run, say

_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


def node_image(pins: Pins) -> str:
    """The name of the node image, which is built if it is not there.

    Raises:
        CommandError: a part of it cannot be built.
    """
    name = f"hyn-k8s-offline/node:{pins.kubernetes}-{_told(pins)}"
    if not docker.has_image(name):
        say(f"making {name}")
        _build(pins, name)
    return name


def build_components(pins: Pins) -> list[str]:
    """Build every image that kubeadm asks for: one set of layers under many names; the names."""
    context = _fresh("kubernetes-image")
    shutil.copy(build_kubernetes(pins), context / "kubernetes")
    shutil.copy(build_program(pins, "coredns"), context / "coredns")
    shutil.copy(FILES / "podnet.sh", context)
    run("gcc", "-static", "-Os", "-o", context / "pause", FILES / "pause.c")
    links = " ".join([*_COMPONENTS, "etcd", "kubectl"])
    (context / "Dockerfile").write_text(
        f"FROM {root_filesystem(pins, 'network')}\n"
        "COPY kubernetes coredns pause podnet.sh /\n"
        f"RUN for name in {links}; do ln -s /kubernetes /usr/local/bin/$name; done; "
        "chmod 755 /podnet.sh\n"
    )
    docker.build("hyn-k8s-offline/kubernetes", context)
    names = [f"registry.k8s.io/{name}:{pins.kubernetes}" for name in _COMPONENTS]
    names += [f"registry.k8s.io/etcd:{pins.etcd}", "docker.io/hyn-k8s/podnet:offline"]
    for name in names:
        run("docker", "tag", "hyn-k8s-offline/kubernetes", name)
    for name, program in (
        (f"registry.k8s.io/coredns/coredns:{pins.coredns}", "/coredns"),
        (f"registry.k8s.io/pause:{pins.pause}", "/pause"),
    ):
        (context / "Dockerfile").write_text(
            f'FROM hyn-k8s-offline/kubernetes\nENTRYPOINT ["{program}"]\n'
        )
        docker.build(name, context)
        names.append(name)
    shutil.rmtree(context)
    return names


def _told(pins: Pins) -> str:
    """What the image is made of, beside its versions."""
    digest = hashlib.sha256(repr(pins).encode())
    for path in (pathlib.Path(__file__), *sorted(FILES.iterdir())):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _build(pins: Pins, name: str) -> None:
    root = root_filesystem(pins, "node")
    context = _fresh("node-image")
    theirs = module_folder(pins.modules["kind"], pins.kind) / "images" / "base" / "files"
    run("cp", "--recursive", "--no-preserve=mode", theirs, context / "kind")
    shutil.copy(build_kubernetes(pins), context / "kubernetes")
    for file in ("crictl", "runc-lean", "podnet.yaml", "storage.yaml"):
        shutil.copy(FILES / file, context)
    shutil.copy(FILES / "node.Dockerfile", context / "Dockerfile")
    arguments = {"ROOT": root, "KUBERNETES_VERSION": pins.kubernetes}
    options = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    docker.build(name, context, *options)
    shutil.rmtree(context)


def _fresh(name: str) -> pathlib.Path:
    folder = cache() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
