"""Reads from the cluster what there is of a search, into an ``Observation``."""

from __future__ import annotations

import datetime
from dataclasses import replace

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hyn_k8s import names
from hyn_k8s.api.schema import Manifest, first_problem, problem_text
from hyn_k8s.api.search_job import SearchJob
from hyn_k8s.api.storage import Storage
from hyn_k8s.documents import Progress, Stage
from hyn_k8s.errors import ClusterError, SpecError
from hyn_k8s.kube import (
    CLAIM,
    CONFIG_MAP,
    DASK_CLUSTER,
    DEPLOYMENT,
    EVENT,
    JOB,
    NETWORK_POLICY,
    POD,
    SEARCH_JOB,
    SERVICE,
    WORKER_GROUP,
    Kube,
)
from hyn_k8s.operator.observation import Observation, has_ended, is_ending
from hyn_k8s.operator.settings import OperatorSettings


def read_observation(
    kube: Kube,
    settings: OperatorSettings,
    namespace: str,
    name: str,
    at: datetime.datetime,
) -> Observation | None:
    """What there is of a search, None if there is no such SearchJob.

    Raises:
        ClusterError: the API server refused to tell, or did not answer.
        SpecError: the SearchJob cannot be read, or what is recorded of its storage.
    """
    manifest = kube.get(SEARCH_JOB.ref(namespace, name))
    if manifest is None:
        return None
    search_job = parsed(manifest)
    labels = {names.SEARCH_LABEL: name}
    seen = Observation(
        at=at,
        manifest=manifest,
        search_job=search_job,
        storage=search_job.spec.storage,
        cluster=kube.get(DASK_CLUSTER.ref(namespace, names.cluster_name(name))),
        driver=kube.get(JOB.ref(namespace, names.driver_name(name))),
        report=kube.get(JOB.ref(namespace, names.report_name(name))),
        config=kube.get(CONFIG_MAP.ref(namespace, names.config_name(name))),
        deployments=tuple(kube.list(DEPLOYMENT, namespace, labels)),
        pods=tuple(kube.list(POD, namespace, labels)),
    )
    storage = seen.storage or _recorded_storage(seen) or settings.storage
    return _with_more(kube, settings, replace(seen, storage=storage))


def _recorded_storage(seen: Observation) -> Storage | None:
    """The storage that the search has begun with, None before that; the operator's default may
    have been another one then."""
    config = seen.own(seen.config)
    if config is None:
        return None
    text = (config["metadata"].get("annotations") or {}).get(names.STORAGE_ANNOTATION)
    try:
        return None if text is None else Storage.model_validate_json(text, extra="ignore")
    except ValidationError as error:
        # The default in its stead might be a place where nothing of the search is.
        where = f"annotation {names.STORAGE_ANNOTATION} of configmap {config['metadata']['name']}"
        raise SpecError(_full_name(seen.manifest), f"{where}: {first_problem(error)}") from None


def read_progress_of(kube: Kube, settled: Observation, at: datetime.datetime) -> Observation | None:
    """A settled search a moment later: only its driver is asked; None if that does not answer."""
    progress = _read_progress(kube, settled)
    return None if progress is None else replace(settled, at=at, progress=progress)


def is_settled(seen: Observation) -> bool:
    """Whether all that may change without an event is what the driver says."""
    progress = seen.progress
    return (
        progress is not None and progress.stage in (Stage.SCRIPT, Stage.SEARCH) and _all_run(seen)
    )


def _with_more(kube: Kube, settings: OperatorSettings, seen: Observation) -> Observation:
    """The same with what is only asked where it is needed."""
    if seen.is_over or seen.is_being_deleted:
        return seen
    progress = _read_progress(kube, seen)
    claim = seen.claim_name and kube.get(CLAIM.ref(seen.namespace, seen.claim_name))
    # Warnings are many in a busy namespace; they matter while pods do not come.
    is_waiting = seen.status.start_time is not None and not _all_run(seen)
    events = kube.list(EVENT, seen.namespace, fields={"type": "Warning"}) if is_waiting else []
    return replace(
        seen,
        progress=progress,
        network_policy=_read_network_policy(kube, settings, seen),
        claim=claim or None,
        events=tuple(events),
        remains=_read_remains(kube, seen),
    )


def _read_network_policy(
    kube: Kube, settings: OperatorSettings, seen: Observation
) -> Manifest | None:
    if settings.network_policy is None:
        return None
    return kube.get(NETWORK_POLICY.ref(seen.namespace, names.network_policy_name(seen.name)))


def _read_remains(kube: Kube, seen: Observation) -> tuple[Manifest, ...]:
    if seen.cluster is not None:
        return ()
    labels = {names.SEARCH_LABEL: seen.name}
    kinds = (SERVICE, WORKER_GROUP)
    return tuple(each for kind in kinds for each in kube.list(kind, seen.namespace, labels))


def _all_run(seen: Observation) -> bool:
    """Whether there are pods of every role, and all of them run."""
    roles = (names.DRIVER, names.SCHEDULER, names.WORKER)
    pods = {role: [pod for pod in seen.pods_of(role) if not has_ended(pod)] for role in roles}
    return all(pods.values()) and all(
        (pod.get("status") or {}).get("phase") == "Running"
        for each in pods.values()
        for pod in each
    )


def _read_progress(kube: Kube, seen: Observation) -> Progress | None:
    """What the driver's pod says, None if there is none that answers."""
    for pod in reversed(seen.pods_of(names.DRIVER)):
        status = pod.get("status") or {}
        if status.get("phase") != "Running" or is_ending(pod) or not status.get("podIP"):
            continue
        try:
            answer = kube.read_progress(seen.namespace, pod["metadata"]["name"], status["podIP"])
            return Progress.from_json(answer)
        except (ClusterError, ValueError, KeyError, TypeError, AttributeError):
            continue  # it has not come so far, or is busy
    return None


def parsed(manifest: Manifest) -> SearchJob:
    """The SearchJob as far as this operator knows the type; a newer one may say more.

    What it does not understand of the status it does without: it is the operator's own, and of an
    operator that was newer. Of the spec it is an error.
    """
    try:
        return SearchJob.model_validate(manifest, extra="ignore")
    except ValidationError as error:
        problems = error.errors()
    of_spec = [each for each in problems if each["loc"][:1] != ("status",)]
    if not of_spec:
        return SearchJob.model_validate(_without(manifest, problems), extra="ignore")
    raise SpecError(_full_name(manifest), problem_text(of_spec[0]))


def _full_name(manifest: Manifest) -> str:
    return f"searchjob/{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def _without(manifest: Manifest, problems: list[ErrorDetails]) -> Manifest:
    """``manifest`` without the fields of its status, and the conditions, that have problems."""
    fields = {each["loc"][1] for each in problems if len(each["loc"]) > 1}
    status = manifest.get("status")
    if not isinstance(status, dict) or not fields:
        return {key: value for key, value in manifest.items() if key != "status"}
    kept = {key: value for key, value in status.items() if key not in fields}
    if "conditions" in fields and isinstance(status["conditions"], list):
        bad = {each["loc"][2] for each in problems if each["loc"][1:2] == ("conditions",)}
        conditions = enumerate(status["conditions"])
        kept["conditions"] = [each for index, each in conditions if index not in bad]
    return {**manifest, "status": kept}
