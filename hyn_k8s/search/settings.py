"""The HYN_ contract read into one frozen value: the only place that reads the environment.

Hypernets documents these variables and no release of it reads them. Everything a user can get
wrong in them is found here, before anything starts, and said in one sentence that names the
variable. Values that may hold secrets (options, keys) are never echoed and never shown in a repr.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hyn_k8s import contract
from hyn_k8s.contract import Variable
from hyn_k8s.errors import SettingsError

Default = TypeVar("Default", float, None)

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx|inproc)://\S+")

MOST_SEED = 2**32 - 1
"""The greatest seed that numpy takes."""

LEAST_MEMORY = 300_000_000
"""In bytes; Hypernets and its libraries have to fit."""

UNLIMITED = "unlimited"
"""What stands for a wait without an end."""

_ACCESS_KEY_OPTIONS = ("key", "username", "aws_access_key_id")
_SECRET_KEY_OPTIONS = ("secret", "password", "aws_secret_access_key")
_TOKEN_OPTIONS = ("token", "aws_session_token")


class Backend(enum.StrEnum):
    """Where trials run."""

    DASK = "dask"
    STANDALONE = "standalone"


@dataclass(frozen=True)
class Credentials:
    """S3 keys. They travel to workers in memory only and appear in no text."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class StorageSettings:
    """Which shared storage holds the runs."""

    kind: str
    """``file`` or ``s3``."""
    root: str
    """``file``: an absolute path. ``s3``: ``bucket`` or ``bucket/prefix``."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Options for s3fs, without credentials but still never shown: they may hold other secrets."""
    credentials: Credentials | None = field(default=None, repr=False)
    """The S3 keys, from our own variables or lifted out of the options."""
    patience: float = 120.0
    """Seconds for which a storage that is away is tried again."""

    @property
    def startup_patience(self) -> float:
        """The same before a search has begun: somebody may be waiting, with a wrong address."""
        return min(5.0, self.patience)

    @property
    def answer_seconds(self) -> float:
        """How long a directory may take to answer one call before it counts as away."""
        return min(30.0, max(10.0, self.patience))

    @property
    def url(self) -> str:
        """How messages name it; it has no credentials."""
        return self.root if self.kind == "file" else f"s3://{self.root}"

    @property
    def endpoint(self) -> str | None:
        """The S3 endpoint's URL, None for AWS itself."""
        client_kwargs = self.options.get("client_kwargs") or {}
        endpoint = self.options.get("endpoint_url") or client_kwargs.get("endpoint_url")
        return None if endpoint is None else str(endpoint)


@dataclass(frozen=True)
class Settings:
    """What steers a run: the whole of the contract, checked."""

    backend: Backend
    executors: int
    """Trials in flight, at least 1."""
    scheduler: str | None
    """The address of a Dask scheduler; None means an embedded cluster."""
    storage: StorageSettings
    run: str | None
    """The run's name when the user gave one."""
    trial_attempts: int
    """How often a trial may lose its worker or its process before it counts as failed, at least 1.
    """
    trial_timeout: float | None
    """Seconds a trial may run on a worker, above 0; None lets it run as long as it takes."""
    memory: int | None
    """Bytes a trial may take on a worker, LEAST_MEMORY or more; None leaves that to the worker."""
    cluster_patience: float
    """Seconds for which all workers, or the scheduler, may be away, 0 or more; infinite where they
    are waited for without limit."""
    grace: float
    """Seconds that running trials may go on after SIGTERM, 0 or more."""
    ordered: bool
    """Whether the searcher is told in the order of the trials."""
    seed: int | None
    """What random numbers begin with, 0 to MOST_SEED; None leaves them to the script."""
    restart: bool = False
    """Whether to begin anew where an unfinished run could be continued; a flag, no variable, since
    whoever starts a process again with the same environment wants it to go on."""
    must_exist: bool = False
    """Whether the named run has to be there; no variable, since it is only said by a SearchJob's
    ``spec.run``."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str], cwd: str) -> Settings:
        """Read the contract from ``environ``; a relative root is below ``cwd``.

        An empty variable counts as unset, since that is what templates leave behind.

        Raises:
            SettingsError: a value is not accepted.
        """
        return cls(
            backend=_backend(_value(environ, contract.BACKEND)),
            executors=_positive(environ, contract.EXECUTORS, 3),
            scheduler=_scheduler(_value(environ, contract.SCHEDULER)),
            storage=_storage(environ, cwd),
            run=_run(_value(environ, contract.RUN_ID)),
            trial_attempts=_positive(environ, contract.TRIAL_ATTEMPTS, 5),
            trial_timeout=_seconds(environ, contract.TRIAL_TIMEOUT, least=0.001, default=None),
            memory=_memory(_value(environ, contract.MEMORY)),
            cluster_patience=_cluster_patience(environ),
            grace=_seconds(environ, contract.GRACE, least=0.0, default=20.0),
            ordered=_switch(environ, contract.ORDERED),
            seed=_seed(_value(environ, contract.SEED)),
        )


def read_settings(flags: Mapping[Variable, str | None] | None = None) -> Settings:
    """Read the contract from this process's environment; a flag that is set wins.

    Raises:
        SettingsError: a value is not accepted.
    """
    given = {variable.name: value for variable, value in (flags or {}).items() if value is not None}
    return Settings.from_env({**os.environ, **given}, os.getcwd())


def read_slips() -> list[str]:
    """One sentence for each variable of this process's environment that looks mistyped."""
    return slips(os.environ)


def slips(environ: Mapping[str, str]) -> list[str]:
    """One sentence for each variable that looks like ours and is not, nearest name given."""
    known = [variable.name for variable in contract.VARIABLES]
    sentences = []
    for name in sorted(environ):
        if name.startswith(contract.PREFIXES) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            sentences.append(f"{name} is no setting of hyn-k8s and is ignored{hint}")
    return sentences


def worker_storage(
    driver: StorageSettings, environ: Mapping[str, str], cwd: str
) -> StorageSettings:
    """The storage as a worker uses it: the driver's, with the worker's own keys where it has any.

    Raises:
        SettingsError: the worker's own HYN_STORAGE_ variables are malformed.
    """
    names = (contract.STORAGE_OPTIONS, contract.STORAGE_ACCESS_KEY, contract.STORAGE_SECRET_KEY)
    if driver.kind != "s3" or not any(_value(environ, name) for name in names):
        return driver
    _, own = _options(environ)
    if own is None:
        return driver
    return dataclasses.replace(driver, credentials=own)


def _value(environ: Mapping[str, str], variable: Variable) -> str | None:
    return environ.get(variable.name, "").strip() or None


def _refused(variable: Variable, found: str) -> SettingsError:
    return SettingsError(variable.label, found, variable.accepted)


def _backend(value: str | None) -> Backend:
    if value is None:
        return Backend.DASK
    try:
        return Backend(value)
    except ValueError:
        raise _refused(contract.BACKEND, repr(value)) from None


def _positive(environ: Mapping[str, str], variable: Variable, default: int) -> int:
    value = _value(environ, variable)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]+", value) or int(value) < 1:
        raise _refused(variable, repr(value))
    return int(value)


def _seconds(
    environ: Mapping[str, str], variable: Variable, least: float, default: Default
) -> float | Default:
    value = _value(environ, variable)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or float(value) < least:
        raise _refused(variable, repr(value))
    return float(value)


def _cluster_patience(environ: Mapping[str, str]) -> float:
    if _value(environ, contract.CLUSTER_PATIENCE) == UNLIMITED:
        return math.inf
    return _seconds(environ, contract.CLUSTER_PATIENCE, least=0.0, default=300.0)


def _memory(value: str | None) -> int | None:
    if value is None:
        return None
    from dask.utils import parse_bytes

    try:
        size = int(parse_bytes(value))
    except (ValueError, OverflowError):
        raise _refused(contract.MEMORY, repr(value)) from None
    if size < LEAST_MEMORY:
        raise _refused(contract.MEMORY, repr(value))
    return size


def _switch(environ: Mapping[str, str], variable: Variable) -> bool:
    value = _value(environ, variable)
    if value not in (None, "0", "1"):
        raise _refused(variable, repr(value))
    return value == "1"


def _seed(value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]+", value) or int(value) > MOST_SEED:
        raise _refused(contract.SEED, repr(value))
    return int(value)


def _scheduler(value: str | None) -> str | None:
    if value is not None and not _ADDRESS.fullmatch(value):
        raise _refused(contract.SCHEDULER, repr(value))
    return value


def _run(value: str | None) -> str | None:
    if value is not None and not RUN_NAME.fullmatch(value):
        raise _refused(contract.RUN_ID, repr(value))
    return value


def _storage(environ: Mapping[str, str], cwd: str) -> StorageSettings:
    kind = _value(environ, contract.STORAGE_TYPE) or "file"
    root = _value(environ, contract.STORAGE_ROOT)
    options, credentials = _options(environ)
    patience = _seconds(environ, contract.STORAGE_PATIENCE, 0.0, StorageSettings.patience)
    if kind == "file":
        return StorageSettings("file", _directory(root or "workdir", cwd), patience=patience)
    if kind == "s3":
        return StorageSettings("s3", _bucket_path(root), options, credentials, patience)
    raise _refused(contract.STORAGE_TYPE, repr(kind))


def _directory(root: str, cwd: str) -> str:
    if "://" in root:
        found = f"{root!r} while {contract.STORAGE_TYPE.name} is file"
        raise _refused(contract.STORAGE_ROOT, found)
    return os.path.abspath(os.path.join(cwd, os.path.expanduser(root)))


def _bucket_path(root: str | None) -> str:
    path = (root or "").removeprefix("s3://").strip("/")
    parts = path.split("/")
    if not _BUCKET.fullmatch(parts[0]):
        found = "no bucket" if root is None else f"{root!r}, which begins with no bucket's name"
        raise _refused(contract.STORAGE_ROOT, f"{found}, while {contract.STORAGE_TYPE.name} is s3")
    if any(part in ("", ".", "..") for part in parts):
        raise _refused(contract.STORAGE_ROOT, f"{root!r}, which has an empty, '.' or '..' part")
    if "?versionId=" in path:  # s3fs would take what follows for the version of an object
        raise _refused(contract.STORAGE_ROOT, f"{root!r}, which has '?versionId=' in it")
    return path


def _options(environ: Mapping[str, str]) -> tuple[dict[str, Any], Credentials | None]:
    """The s3fs options without keys, and the keys: ours if set, else those of the options."""
    options = _json_object(_value(environ, contract.STORAGE_OPTIONS) or "{}")
    client_kwargs = options.get("client_kwargs", {})
    if not isinstance(client_kwargs, dict):
        found = f"client_kwargs that is {_json_kind(client_kwargs)}"
        raise _refused(contract.STORAGE_OPTIONS, found)
    places = (options, client_kwargs)
    access_key = _lift(places, _ACCESS_KEY_OPTIONS)
    secret_key = _lift(places, _SECRET_KEY_OPTIONS)
    token = _lift(places, _TOKEN_OPTIONS)
    own_access = _value(environ, contract.STORAGE_ACCESS_KEY)
    own_secret = _value(environ, contract.STORAGE_SECRET_KEY)
    if own_access and own_secret:
        return options, Credentials(own_access, own_secret)
    if own_access or own_secret:
        lone = contract.STORAGE_ACCESS_KEY if own_access else contract.STORAGE_SECRET_KEY
        raise _refused(lone, "only one of the two keys")
    if access_key and secret_key:
        return options, Credentials(access_key, secret_key, token)
    if access_key or secret_key:
        raise _refused(contract.STORAGE_OPTIONS, "only one of access key and secret key")
    return options, None


def _json_object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        # The text may hold secrets, so its position is all that is told of it.
        found = f"text that is no JSON at line {error.lineno}, column {error.colno}"
        raise _refused(contract.STORAGE_OPTIONS, found) from None
    if not isinstance(parsed, dict):
        raise _refused(contract.STORAGE_OPTIONS, f"JSON that is {_json_kind(parsed)}")
    return parsed


def _json_kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _lift(places: tuple[dict[str, Any], ...], names: tuple[str, ...]) -> str | None:
    """Take the first of ``names`` out of ``places``; all of them are removed."""
    values = [str(place.pop(name)) for place in places for name in names if place.get(name)]
    return values[0] if values else None
