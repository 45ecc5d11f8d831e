"""A SearchJob in a file, for ``hyn-k8s run -f``: the same object as on a cluster, without one.

What of it is about a cluster (pods, claims, deadlines) has no meaning here. What a run needs and
only a cluster has (a ConfigMap's script, a Secret's value) is refused with what to do instead.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hyn_k8s import contract
from hyn_k8s.contract import Variable
from hyn_k8s.errors import SpecError

if TYPE_CHECKING:
    from hyn_k8s.api.search_job import SearchJob
    from hyn_k8s.api.storage import Storage


@dataclass(frozen=True)
class LocalJob:
    """What a SearchJob says to a run on this machine."""

    name: str
    inline: str | None
    """The script, where the SearchJob has it in itself."""
    path: str | None
    """Where the script is."""
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    """Of the script's environment."""
    settings: Mapping[Variable, str]
    """What the SearchJob says of the contract; flags win over it, and it over the environment."""
    must_exist: bool
    """Whether the run that it names has to be there already."""


def read_job_file(path: str, has_script: bool = False) -> LocalJob:
    """The SearchJob in the YAML file ``path``; with ``has_script`` another script is run than its.

    Raises:
        SpecError: there is none or several, or one says what is wrong or needs a cluster.
    """
    search_job = _validated(path, _read_manifest(path))
    spec, file = search_job.spec, pathlib.Path(path).name
    variables: dict[str, str] = {}
    for number, each in enumerate(spec.env or []):
        if each.value_from is None:
            variables[each.name] = expanded(each.value or "", {**os.environ, **variables})
        elif each.name not in os.environ:
            problem = f"spec.env[{number}].valueFrom is of the cluster; set {each.name} here"
            raise SpecError(file, problem)
    if spec.env_from:
        problem = "spec.envFrom is of the cluster; set its variables here, and leave it out"
        raise SpecError(file, problem)
    if spec.script.config_map is not None and not has_script:
        problem = "spec.script.configMap is of the cluster; name the script behind the options"
        raise SpecError(file, problem)
    return LocalJob(
        name=search_job.metadata.name,
        inline=spec.script.inline,
        path=spec.script.path,
        arguments=tuple(spec.args or ()),
        variables=variables,
        settings={
            contract.EXECUTORS: str(spec.executors),
            **({} if spec.run is None else {contract.RUN_ID: spec.run}),
            contract.TRIAL_ATTEMPTS: str(spec.trial_attempts),
            **_timeout(spec.trial_timeout_seconds),
            **_storage(file, spec.storage),
        },
        must_exist=spec.run is not None,
    )


def expanded(value: str, variables: Mapping[str, str]) -> str:
    """``value`` with each ``$(NAME)`` replaced as Kubernetes does it.

    That of an unknown name stays as it is, and so does one behind a second dollar, which goes.
    """

    def replaced(found: re.Match[str]) -> str:
        name = found["name"]
        return "$" if name is None else variables.get(name, found[0])

    return re.sub(r"\$\$|\$\((?P<name>[^)]+)\)", replaced, value)


def _timeout(seconds: int | None) -> dict[Variable, str]:
    return {} if seconds is None else {contract.TRIAL_TIMEOUT: str(seconds)}


def _storage(file: str, storage: Storage | None) -> dict[Variable, str]:
    """A bucket is the same from here; a volume is, where it is mounted here at the same path."""
    if storage is None:
        return {}
    if storage.file is not None:
        mount = pathlib.Path(storage.file.mount_path)
        root = str(mount / storage.file.root) if mount.is_dir() else "workdir"
        return {contract.STORAGE_TYPE: "file", contract.STORAGE_ROOT: root}
    s3 = storage.s3
    assert s3 is not None
    found = {contract.STORAGE_TYPE: "s3", contract.STORAGE_ROOT: s3.root}
    name = contract.STORAGE_OPTIONS.name
    here = os.environ.get(name, "")
    if s3.options_field is not None:
        if here:
            return found
        # Without them the bucket of that name at AWS would be meant.
        problem = f"spec.storage.s3.optionsField is of the cluster; set {name} here"
        raise SpecError(file, problem)
    options = _options(here)
    arguments = options.get("client_kwargs") or {}
    if s3.endpoint is not None:
        options["endpoint_url"] = s3.endpoint
        arguments = {key: each for key, each in arguments.items() if key != "endpoint_url"}
    if s3.region is not None:
        arguments = {**arguments, "region_name": s3.region}
    of_job = dict(s3.options or {})
    arguments = {**arguments, **of_job.pop("client_kwargs", {})}
    options |= of_job | ({"client_kwargs": arguments} if arguments else {})
    return found | ({contract.STORAGE_OPTIONS: json.dumps(options)} if options else {})


def _options(text: str) -> dict[str, Any]:
    """The options of the environment, to which the SearchJob's are added; none that are wrong,
    which the settings tell."""
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _read_manifest(path: str) -> Mapping[str, Any]:
    import yaml

    file = pathlib.Path(path).name
    try:
        documents = [each for each in yaml.safe_load_all(pathlib.Path(path).read_text()) if each]
    except OSError as error:
        raise SpecError(file, error.strerror or str(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(file, f"it is no YAML: {' '.join(str(error).split())}") from None
    objects = [each for each in documents if isinstance(each, dict)]
    found = [each for each in objects if each.get("kind") == "SearchJob"]
    if len(found) != 1:
        raise SpecError(file, f"it has {len(found) or 'no'} SearchJobs; one is run at a time")
    return found[0]


def _validated(path: str, manifest: Mapping[str, Any]) -> SearchJob:
    from pydantic import ValidationError

    from hyn_k8s.api.schema import first_problem
    from hyn_k8s.api.search_job import SearchJob

    try:
        return SearchJob.model_validate(manifest)
    except ValidationError as error:
        raise SpecError(pathlib.Path(path).name, first_problem(error)) from None
