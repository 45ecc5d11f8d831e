"""S3 servers as pods, for a test's namespace."""

from __future__ import annotations

from tests.e2e.kube import Kube, Object
from tests.e2e.objects import s3_server

KEYS = ("the-access-key", "a-secret-key-of-tests")


def minio(image: str, certificates: str | None = None) -> list[Object]:
    """MinIO, whose last published server this is; over TLS with a Secret of ``certificates``."""
    env = {"MINIO_ROOT_USER": KEYS[0], "MINIO_ROOT_PASSWORD": KEYS[1]}
    arguments = ["server", "/data", "--address", ":9000"]
    if certificates is not None:
        arguments += ["--certs-dir", "/certificates"]
    return s3_server("minio", image, arguments, env, certificates)


def versitygw(image: str) -> list[Object]:
    """The Versity gateway, S3 over a directory."""
    env = {"ROOT_ACCESS_KEY": KEYS[0], "ROOT_SECRET_KEY": KEYS[1]}
    arguments = ["--port", ":9000", "posix", "/data"]
    return s3_server("versitygw", image, arguments, env)


def await_server(kube: Kube, name: str, namespace: str) -> None:
    """Wait until a server takes requests."""
    kube.await_status(
        *("apps/v1", "Deployment", name, namespace),
        lambda status: status.get("availableReplicas") == 1,
    )
