"""kind's node image, made on the spot: a Debian with kind's own files and our Kubernetes.

kind's files come out of its Go module when the image is made, so this holds only what differs:
Debian's containerd, one program for all components, and a pod network of a few lines. Images that
kubeadm asks for are laid into the node's containerd, since it can pull none.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil
from collections.abc import Sequence

from tests.kind import docker
from tests.kind.go_programs import build_kubernetes, build_program, module_folder
from tests.kind.pins import FILES, Pins, cache
from tests.kind.root_filesystems import root_filesystem
from tests.kind.shell import run, say, succeeds
from tests.waiting import until

_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
_ENTRYPOINT = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
_MAKER = "hyn-k8s-node-maker"
_LADEN = "hyn-k8s-offline/laden-node"


def node_image(pins: Pins) -> str:
    """The name of the node image, which is built if it is not there.

    Raises:
        CommandError: a part of it cannot be built.
    """
    name = f"hyn-k8s-offline/node:{pins.kubernetes}-{_told(pins)}"
    if not docker.has_image(name):
        archive = _images_of_components(pins)
        bare = _bare_node(pins)
        say(f"making {name}")
        _with_images(bare, archive, name)
        archive.unlink()
    return name


def with_images(node: str, images: Sequence[str]) -> str:
    """The name of ``node`` with ``images`` of Docker laid into it; one of other images goes."""
    told = hashlib.sha256(" ".join([node, *images]).encode()).hexdigest()[:12]
    name = f"{_LADEN}:{told}"
    if not docker.has_image(name):
        for before in run("docker", "image", "ls", "--quiet", _LADEN).split():
            succeeds("docker", "image", "rm", before)  # a node may still run it
        say(f"laying {', '.join(images)} into the node image")
        archive = cache() / "laid-images.tar"
        run("docker", "save", "--output", archive, *images)
        _with_images(node, archive, name)
        archive.unlink()
    return name


def _told(pins: Pins) -> str:
    """What the image is made of, beside its versions."""
    digest = hashlib.sha256(repr(pins).encode())
    for path in (pathlib.Path(__file__), *sorted(FILES.iterdir())):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _images_of_components(pins: Pins) -> pathlib.Path:
    """An archive of every image that kubeadm asks for: one set of layers under many names."""
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
    archive = cache() / "kubernetes-images.tar"
    run("docker", "save", "--output", archive, *names)
    return archive


def _bare_node(pins: Pins) -> str:
    """The node image without any image in its containerd."""
    root = root_filesystem(pins, "node")
    context = _fresh("node-image")
    theirs = module_folder(pins.modules["kind"], pins.kind) / "images" / "base" / "files"
    run("cp", "--recursive", "--no-preserve=mode", theirs, context / "kind")
    shutil.copy(build_kubernetes(pins), context / "kubernetes")
    for name in ("crictl", "runc-lean", "podnet.yaml", "storage.yaml"):
        shutil.copy(FILES / name, context)
    shutil.copy(FILES / "node.Dockerfile", context / "Dockerfile")
    name = "hyn-k8s-offline/bare-node"
    arguments = {"ROOT": root, "KUBERNETES_VERSION": pins.kubernetes}
    options = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    docker.build(name, context, *options)
    shutil.rmtree(context)
    return name


def _with_images(bare: str, archive: pathlib.Path, name: str) -> None:
    """Let the containerd of a node import ``archive``, and keep that node as the image ``name``."""
    run("docker", "rm", "--force", _MAKER)
    volume = ("--volume", f"{archive}:/images.tar:ro")
    run(*("docker", "run", "--detach", "--privileged", "--name", _MAKER, *volume),
        *("--entrypoint", "containerd", bare))  # fmt: skip
    inside = ("docker", "exec", _MAKER, "ctr")
    try:
        until(lambda: succeeds(*inside, "version"), "the node's containerd to answer", 60)
        in_kubernetes = (*inside, "--namespace", "k8s.io")
        run(*in_kubernetes, "images", "import", "--all-platforms", "/images.tar")
        # kind copies all that is here into each node. The layers are unpacked, and do not go twice.
        content = run(*in_kubernetes, "content", "list").splitlines()
        packed = [line.split()[0] for line in content if "containerd.io/uncompressed=" in line]
        run(*in_kubernetes, "content", "rm", *packed)
        run("docker", "stop", _MAKER)
        run("docker", "commit", "--change", _ENTRYPOINT, "--change", "CMD []", _MAKER, name)
    finally:
        run("docker", "rm", "--force", _MAKER)


def _fresh(name: str) -> pathlib.Path:
    folder = cache() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
