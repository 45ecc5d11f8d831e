"""Image archives that hold only the layers that a node has not got.

Libraries are nearly all of an image of ours, and seldom change. Whoever writes an archive tells
which images the nodes have; containerd finds the layers of those in its own store. ``docker save``
always writes every layer, so its archive is written again, in the layout of OCI.
"""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import posixpath
import shutil
import tarfile
from collections.abc import Sequence
from typing import Any

from tests.kind.shell import run

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"

_FOR_CONTAINERD = "io.containerd.image.name"


def layers(images: Sequence[str]) -> frozenset[str]:
    """The digests of all layers of Docker's ``images``."""
    if not images:
        return frozenset()
    shown = run("docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", *images)
    return frozenset(digest for line in shown.splitlines() for digest in json.loads(line))


def write(path: pathlib.Path, images: Sequence[str], left_out: frozenset[str]) -> None:
    """Write Docker's ``images`` to ``path`` without the layers in ``left_out``, by their digests.

    Raises:
        CommandError: Docker has no such image.
    """
    folder = path.parent / f"{path.stem}.part"
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    folder.mkdir()
    saved, part = folder / "saved.tar", folder / path.name
    run("docker", "save", "--output", saved, *images)
    if left_out:
        with tarfile.open(saved) as source, tarfile.open(part, "w") as target:
            _write_again(source, target, set(left_out))
    else:
        part = saved
    part.rename(path)
    shutil.rmtree(folder)


def _write_again(source: tarfile.TarFile, target: tarfile.TarFile, written: set[str]) -> None:
    manifests = []
    for image in json.loads(_read(source, "manifest.json")):
        config = _read(source, image["Config"])
        digests = json.loads(config)["rootfs"]["diff_ids"]
        described = []
        for digest, name in zip(digests, image["Layers"], strict=True):
            layer = _file(source, name)
            described.append({"mediaType": _LAYER, "digest": digest, "size": layer.size})
            if digest not in written:
                written.add(digest)
                _add(target, _blob(digest), layer.size, source.extractfile(layer))
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _add_blob(target, _CONFIG, config),
            "layers": described,
        }
        content = _add_blob(target, _MANIFEST, json.dumps(manifest).encode())
        manifests += [
            {**content, "annotations": {_FOR_CONTAINERD: f"docker.io/{name}"}}
            for name in image["RepoTags"]
        ]
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}
    _add_text(target, "index.json", json.dumps(index))
    _add_text(target, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))


def _file(source: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    """A file of the archive; a layer that two images share is a link to the other's."""
    found = source.getmember(name)
    while found.issym():
        linked = posixpath.join(posixpath.dirname(found.name), found.linkname)
        found = source.getmember(posixpath.normpath(linked))
    return found


def _read(source: tarfile.TarFile, name: str) -> bytes:
    file = source.extractfile(name)
    assert file is not None, name
    return file.read()


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add_blob(target: tarfile.TarFile, kind: str, content: bytes) -> dict[str, Any]:
    """Add ``content``; what describes it."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add(target, _blob(digest), len(content), io.BytesIO(content))
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _add_text(target: tarfile.TarFile, name: str, text: str) -> None:
    _add(target, name, len(text.encode()), io.BytesIO(text.encode()))


def _add(target: tarfile.TarFile, name: str, size: int, content: Any) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    target.addfile(entry, content)
