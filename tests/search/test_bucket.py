"""A bucket behind a certificate that no public authority has signed."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from hyn_k8s.errors import StorageError
from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.s3 import S3Storage
from hyn_k8s.search.settings import Settings
from tests import processes
from tests.certificates import self_signed
from tests.waiting import until

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A certificate of 127.0.0.1 that signed itself; its key is beside it."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = self_signed("127.0.0.1")
    (folder / "ca.crt").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    return folder / "ca.crt"


@pytest.fixture(scope="module")
def endpoint(certificate: pathlib.Path) -> Iterator[str]:
    """An S3 server with that certificate."""
    folder, port = certificate.parent, processes.free_port()
    command = [str(processes.BIN / "moto_server"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--ssl-cert", str(certificate), "--ssl-key", str(folder / "key.pem")]
    process = processes.start(command, folder, None, folder / "s3.log")
    try:
        until(lambda: processes.listens(port), "the server")
        yield f"https://127.0.0.1:{port}"
    finally:
        processes.stop(process)


def storage(endpoint: str, root: str = "/bucket/runs", **client_kwargs: str) -> S3Storage:
    options = {"endpoint_url": endpoint, "key": "k", "secret": "s", "client_kwargs": client_kwargs}
    environ = {
        "HYN_STORAGE_TYPE": "s3",
        "HYN_STORAGE_ROOT": root,
        "HYN_STORAGE_OPTIONS": json.dumps(options),
    }
    found = open_storage(Settings.from_env(environ, "/").storage)
    assert isinstance(found, S3Storage)
    return found


def test_the_authorities_of_the_options_are_trusted(
    endpoint: str, certificate: pathlib.Path
) -> None:
    trusting = storage(endpoint, verify=str(certificate))
    ensure_bucket(trusting)
    trusting.write("a/file", b"content")
    assert trusting.read("a/file") == b"content"


def test_the_authorities_of_the_environment_are_trusted(
    endpoint: str, certificate: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    trusting = storage(endpoint)
    ensure_bucket(trusting)
    trusting.write("another/file", b"content")
    assert trusting.read("another/file") == b"content"


def test_without_any_keys_the_first_object_tells(
    endpoint: str,
    certificate: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = {"client_kwargs": {"endpoint_url": endpoint, "verify": str(certificate)}}
    found = {"HYN_STORAGE_TYPE": "s3", "HYN_STORAGE_ROOT": "/keyless/runs"}
    settings = Settings.from_env(found | {"HYN_STORAGE_OPTIONS": json.dumps(options)}, "/")
    keyless = open_storage(settings.storage)
    assert isinstance(keyless, S3Storage)
    ensure_bucket(keyless)
    with pytest.raises(StorageError, match=r"[Nn]o credentials were found"):
        keyless.write("a/file", b"content")


def test_a_name_that_no_bucket_may_have_is_told(endpoint: str) -> None:
    with pytest.raises(StorageError, match=r"bucket 1\.2\.3\.4: ") as caught:
        ensure_bucket(storage(endpoint, root="/1.2.3.4/runs"))
    assert caught.value.lasting


def test_an_unknown_authority_is_an_error_that_says_what_to_do(endpoint: str) -> None:
    with pytest.raises(StorageError, match=r"certificate is not trusted .* client_kwargs\.verify"):
        ensure_bucket(storage(endpoint))
