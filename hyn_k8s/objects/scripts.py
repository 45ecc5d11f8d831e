"""The script in the pods, and the ConfigMap by which the driver is told to run it.

The driver runs the script. Workers have it too where it comes in a ConfigMap, with all that is
beside it, so that a trial finds by the same path what the script found. The scheduler has none of
it: trials pass through it as bytes, which it never looks into.
"""

from __future__ import annotations

import json
import posixpath

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.contract import PodPaths
from hyn_k8s.documents import RunConfig
from hyn_k8s.objects.attachments import Attachment, config_map_volume
from hyn_k8s.objects.search import Search

_CONFIG_VOLUME = "hyn-run"
_SCRIPTS_VOLUME = "hyn-script"


def script_path(search: Search) -> str:
    """Where the driver finds the script."""
    script = search.spec.script
    if script.inline is not None:
        return PodPaths.INLINE_SCRIPT
    if script.config_map is not None:
        return f"{PodPaths.SCRIPTS}/{script.config_map.key}"
    assert script.path is not None
    return script.path


def config_map(search: Search) -> Manifest:
    """The ConfigMap with the driver's RunConfig, and the script if the SearchJob has it in it.

    It stays while the search is suspended, so it also has the storage that the search is kept on:
    the operator's default may be another one when it goes on.
    """
    config = RunConfig(
        script=script_path(search),
        arguments=tuple(search.spec.args or ()),
        startup_timeout_seconds=search.spec.startup_timeout_seconds,
        must_exist=search.spec.run is not None,
    )
    data = {posixpath.basename(PodPaths.RUN_CONFIG): config.to_json()}
    if search.spec.script.inline is not None:
        data[posixpath.basename(PodPaths.INLINE_SCRIPT)] = search.spec.script.inline
    storage = json.dumps(search.storage.to_manifest(), sort_keys=True)
    annotations = {names.STORAGE_ANNOTATION: storage}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": search.metadata(names.config_name(search.name)) | {"annotations": annotations},
        "data": data,
    }


def config(search: Search) -> Attachment:
    """That ConfigMap, as the driver is given it."""
    return config_map_volume(_CONFIG_VOLUME, names.config_name(search.name), PodPaths.CONFIG)


def scripts(search: Search) -> Attachment:
    """The user's ConfigMap with the script and the modules beside it, if there is one."""
    source = search.spec.script.config_map
    if source is None:
        return Attachment()
    return config_map_volume(_SCRIPTS_VOLUME, source.name, PodPaths.SCRIPTS)
