"""A search's storage in its pods, and the claim that a claim template asks for.

All that there is to say of a storage is said by the variables of ``contract``, the same in driver
and workers. Those that do not apply are set to nothing rather than left out: a variable that some
``envFrom`` happens to bring must not add to the storage that the SearchJob names.
"""

from __future__ import annotations

import json
from typing import Any

from hyn_k8s import contract, names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.api.storage import FileStorage, S3Storage
from hyn_k8s.contract import PodPaths
from hyn_k8s.objects.attachments import (
    Attachment,
    config_map_volume,
    secret_variable,
    variable,
)
from hyn_k8s.objects.search import Search

_VOLUME = "hyn-storage"
_AUTHORITIES_VOLUME = "hyn-authorities"
_AUTHORITIES_FILE = "ca.crt"


def storage(search: Search) -> Attachment:
    """The storage, as driver and workers are given it."""
    if search.storage.file is not None:
        claim = search.storage.file.claim_name or names.claim_name(search.name)
        return _file(search.storage.file, claim)
    assert search.storage.s3 is not None
    return _s3(search.storage.s3)


def claim(search: Search) -> Manifest | None:
    """The claim that the storage's template asks for, None if it has none.

    It has no owner, and not the SearchJob's uid: what is on it is the user's, and a SearchJob of
    the same name finds it again.
    """
    file = search.storage.file
    if file is None or file.claim_template is None:
        return None
    template = file.claim_template
    spec: Manifest = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": template.size}},
    }
    if template.storage_class_name is not None:
        spec["storageClassName"] = template.storage_class_name
    labels = {key: value for key, value in search.labels.items() if key != names.UID_LABEL}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.claim_name(search.name),
            "namespace": search.namespace,
            "labels": labels,
        },
        "spec": spec,
    }


def _file(file: FileStorage, claim: str) -> Attachment:
    return Attachment(
        env=(
            *_kind("file", f"{file.mount_path}/{file.root}".rstrip("/")),
            variable(contract.STORAGE_OPTIONS.name, ""),
            variable(contract.STORAGE_ACCESS_KEY.name, ""),
            variable(contract.STORAGE_SECRET_KEY.name, ""),
        ),
        volumes=({"name": _VOLUME, "persistentVolumeClaim": {"claimName": claim}},),
        mounts=({"name": _VOLUME, "mountPath": file.mount_path},),
    )


def _s3(s3: S3Storage) -> Attachment:
    env = Attachment(env=(*_kind("s3", s3.root), _options(s3), *_keys(s3)))
    return env + _authorities(s3)


def _kind(kind: str, root: str) -> tuple[Manifest, Manifest]:
    return (
        variable(contract.STORAGE_TYPE.name, kind),
        variable(contract.STORAGE_ROOT.name, root),
    )


def _options(s3: S3Storage) -> Manifest:
    name = contract.STORAGE_OPTIONS.name
    if s3.options_field is not None:
        assert s3.secret_name is not None
        return secret_variable(name, s3.secret_name, s3.options_field)
    options: dict[str, Any] = dict(s3.options or {})
    arguments = {
        "endpoint_url": s3.endpoint,
        "region_name": s3.region,
        "verify": _authorities_path() if s3.ca_bundle is not None else None,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    if given:
        options["client_kwargs"] = dict(options.get("client_kwargs") or {}) | given
    return variable(name, json.dumps(options, sort_keys=True))


def _keys(s3: S3Storage) -> list[Manifest]:
    access, secret = contract.STORAGE_ACCESS_KEY.name, contract.STORAGE_SECRET_KEY.name
    if s3.access_key_field is not None:
        assert s3.secret_name is not None
        assert s3.secret_key_field is not None
        return [
            secret_variable(access, s3.secret_name, s3.access_key_field),
            secret_variable(secret, s3.secret_name, s3.secret_key_field),
        ]
    if s3.options_field is not None:
        return [variable(access, ""), variable(secret, "")]
    return []  # the pods' own environment has them, which envFrom may have brought


def _authorities(s3: S3Storage) -> Attachment:
    """Who signed the endpoint's certificate. Options that are in a Secret cannot be given the
    file's path, so botocore's own variable names it as well."""
    if s3.ca_bundle is None:
        return Attachment()
    items = {s3.ca_bundle.key: _AUTHORITIES_FILE}
    source = s3.ca_bundle.config_map_name
    volume = config_map_volume(_AUTHORITIES_VOLUME, source, PodPaths.AUTHORITIES, items)
    return volume + Attachment(env=(variable("AWS_CA_BUNDLE", _authorities_path()),))


def _authorities_path() -> str:
    return f"{PodPaths.AUTHORITIES}/{_AUTHORITIES_FILE}"
