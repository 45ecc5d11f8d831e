"""The environment of driver and workers: what the operator sets, and what the user adds.

What the operator sets it always sets, if to nothing, because only then it wins over ``envFrom``.
It comes first, so that the user's own variables may refer to it, as in ``$(HYN_RUN_ID)``.
"""

from __future__ import annotations

from hyn_k8s import contract, names
from hyn_k8s.api.schema import Manifest
from hyn_k8s.objects.attachments import by_key, variable
from hyn_k8s.objects.search import Search
from hyn_k8s.objects.storage import storage

GRACE_SECONDS = 60
"""How long running trials may go on when the driver has to leave."""

WRITABLE = (variable("HOME", "/tmp"), variable("DASK_TEMPORARY_DIRECTORY", "/tmp"))  # noqa: S108
"""The root file system is read-only; libraries that keep something look for a place to do so."""


def environment(search: Search) -> list[Manifest]:
    """The variables of driver and workers."""
    user = [each.to_manifest() for each in search.spec.env or []]
    return by_key("name", _contract(search), storage(search).env, user, WRITABLE)


def environment_sources(search: Search) -> list[Manifest]:
    """What driver and workers have under ``envFrom``."""
    return [each.to_manifest() for each in search.spec.env_from or []]


def _contract(search: Search) -> list[Manifest]:
    """How the search is run; where it is kept is the storage's."""
    spec = search.spec
    timeout = spec.trial_timeout_seconds
    values = {
        contract.BACKEND: "dask",
        contract.SCHEDULER: names.scheduler_address(search.name),
        contract.EXECUTORS: str(spec.executors),
        contract.RUN_ID: names.run_name(search.name, search.uid, spec.run),
        contract.TRIAL_ATTEMPTS: str(spec.trial_attempts),
        contract.TRIAL_TIMEOUT: "" if timeout is None else str(timeout),
        contract.GRACE: str(GRACE_SECONDS),
        contract.CLUSTER_PATIENCE: "unlimited",  # they are pods, and somebody makes them anew
    }
    return [variable(each.name, value) for each, value in values.items()]
